/**
 * BeginQuorumEpoch, API key 53, v0-1.
 */
import { array, int16, int32, message, string, uint16, uuid, type Infer } from '../schema.ts'

export const beginQuorumEpochRequest = message({
  key: 53,
  name: 'BeginQuorumEpochRequest',
  kind: 'request',
  versions: '0-1',
  flexible: '1+',
  fields: {
    clusterId: string({ nullable: '0+', default: null }),
    voterId: int32({ versions: '1+', default: -1, ignorable: true }),
    topics: array({
      topicName: string(),
      partitions: array({
        partitionIndex: int32(),
        voterDirectoryId: uuid({ versions: '1+', ignorable: true }),
        leaderId: int32(),
        leaderEpoch: int32(),
      }),
    }),
    leaderEndpoints: array(
      { versions: '1+', ignorable: true },
      {
        name: string(),
        host: string(),
        port: uint16(),
      },
    ),
  },
})
export type BeginQuorumEpochRequest = Infer<typeof beginQuorumEpochRequest>

export const beginQuorumEpochResponse = message({
  key: 53,
  name: 'BeginQuorumEpochResponse',
  kind: 'response',
  versions: '0-1',
  flexible: '1+',
  fields: {
    errorCode: int16(),
    topics: array({
      topicName: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        leaderId: int32(),
        leaderEpoch: int32(),
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
export type BeginQuorumEpochResponse = Infer<typeof beginQuorumEpochResponse>
