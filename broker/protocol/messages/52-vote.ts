/**
 * Vote, API key 52, v0-2.
 */
import { array, bool, int16, int32, message, offset, string, uint16, uuid, type Infer } from '../schema.ts'

export const voteRequest = message({
  key: 52,
  name: 'VoteRequest',
  kind: 'request',
  versions: '0-2',
  flexible: '0+',
  fields: {
    clusterId: string({ nullable: '0+', default: null }),
    voterId: int32({ versions: '1+', default: -1, ignorable: true }),
    topics: array({
      topicName: string(),
      partitions: array({
        partitionIndex: int32(),
        replicaEpoch: int32(),
        replicaId: int32(),
        replicaDirectoryId: uuid({ versions: '1+', ignorable: true }),
        voterDirectoryId: uuid({ versions: '1+', ignorable: true }),
        lastOffsetEpoch: int32(),
        lastOffset: offset(),
        preVote: bool({ versions: '2+' }),
      }),
    }),
  },
})
export type VoteRequest = Infer<typeof voteRequest>

export const voteResponse = message({
  key: 52,
  name: 'VoteResponse',
  kind: 'response',
  versions: '0-2',
  flexible: '0+',
  fields: {
    errorCode: int16(),
    topics: array({
      topicName: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        leaderId: int32(),
        leaderEpoch: int32(),
        voteGranted: bool(),
      }),
    }),
    nodeEndpoints: array(
      { versions: '1+', tag: 0 },
      {
        nodeId: int32(),
        host: string(),
        port: uint16(),
      },
    ),
  },
})
export type VoteResponse = Infer<typeof voteResponse>
