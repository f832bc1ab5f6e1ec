/**
 * EndQuorumEpoch, API key 54, v0-1.
 *
 * A Raft leader resigns and names who should follow, best first (KIP-595).
 *
 * Versions: v1 flexible, candidates with directory ids (KIP-853).
 */
import { array, int16, int32, message, string, uint16, uuid, type Infer } from '../schema.ts'

export const endQuorumEpochRequest = message({
  key: 54,
  name: 'EndQuorumEpochRequest',
  kind: 'request',
  versions: '0-1',
  flexible: '1+',
  fields: {
    clusterId: string({ nullable: '0+', default: null }),
    topics: array({
      topicName: string(),
      partitions: array({
        partitionIndex: int32(),
        leaderId: int32(),
        leaderEpoch: int32(),
        /** Best first; the others wait longer before they stand. */
        preferredSuccessors: array({ versions: '0', ignorable: true }, int32()),
        /** Best first; the others wait longer before they stand. */
        preferredCandidates: array(
          { versions: '1+', ignorable: true },
          {
            candidateId: int32(),
            candidateDirectoryId: uuid(),
          },
        ),
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
export type EndQuorumEpochRequest = Infer<typeof endQuorumEpochRequest>

export const endQuorumEpochResponse = message({
  key: 54,
  name: 'EndQuorumEpochResponse',
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
export type EndQuorumEpochResponse = Infer<typeof endQuorumEpochResponse>
