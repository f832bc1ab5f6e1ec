/**
 * BeginQuorumEpoch, API key 53, v0-1.
 *
 * A new Raft leader makes itself known to a voter (KIP-595).
 *
 * Versions: v1 flexible, endpoints and directory ids (KIP-853).
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
    /** Node id of the voter. */
    voterId: int32({ versions: '1+', default: -1, ignorable: true }),
    topics: array({
      topicName: string(),
      partitions: array({
        partitionIndex: int32(),
        /** Id of the directory that holds the voter's metadata log (KIP-853). */
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
export type BeginQuorumEpochResponse = Infer<typeof beginQuorumEpochResponse>
