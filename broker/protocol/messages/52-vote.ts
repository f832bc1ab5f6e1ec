/**
 * Vote, API key 52, v0-2.
 *
 * Asks for a vote in a Raft election (KIP-595).
 *
 * Versions: v1 directory ids (KIP-853); v2 pre-vote (KIP-996).
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
    /** Node id of the voter. */
    voterId: int32({ versions: '1+', default: -1, ignorable: true }),
    topics: array({
      topicName: string(),
      partitions: array({
        partitionIndex: int32(),
        /** Epoch of the candidate: the next one, or the current one in a pre-vote. */
        replicaEpoch: int32(),
        replicaId: int32(),
        replicaDirectoryId: uuid({ versions: '1+', ignorable: true }),
        /** Id of the directory that holds the voter's metadata log (KIP-853). */
        voterDirectoryId: uuid({ versions: '1+', ignorable: true }),
        /** Epoch of the last record of the candidate. */
        lastOffsetEpoch: int32(),
        /** Log end offset of the candidate. */
        lastOffset: offset(),
        /** Only asks whether a vote would be granted; nobody's epoch changes (KIP-996). */
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
    /** Addresses of the leaders named above (KIP-951). */
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
