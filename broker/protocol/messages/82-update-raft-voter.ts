/**
 * UpdateRaftVoter, API key 82, v0.
 *
 * A voter tells the leader its new endpoints and versions (KIP-853).
 */
import { array, int16, int32, message, string, struct, uint16, uuid, type Infer } from '../schema.ts'

export const updateRaftVoterRequest = message({
  key: 82,
  name: 'UpdateRaftVoterRequest',
  kind: 'request',
  versions: '0',
  flexible: '0+',
  fields: {
    clusterId: string({ nullable: '0+' }),
    /** Leader epoch that the client knows, -1 for none; a mismatch is refused (KIP-320). */
    currentLeaderEpoch: int32(),
    /** Node id of the voter. */
    voterId: int32(),
    /** Id of the directory that holds the voter's metadata log (KIP-853). */
    voterDirectoryId: uuid(),
    listeners: array({
      name: string(),
      host: string(),
      port: uint16(),
    }),
    kRaftVersionFeature: struct({
      minSupportedVersion: int16(),
      maxSupportedVersion: int16(),
    }),
  },
})
export type UpdateRaftVoterRequest = Infer<typeof updateRaftVoterRequest>

export const updateRaftVoterResponse = message({
  key: 82,
  name: 'UpdateRaftVoterResponse',
  kind: 'response',
  versions: '0',
  flexible: '0+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    /** Where to go instead; set with NOT_LEADER_OR_FOLLOWER and FENCED_LEADER_EPOCH (KIP-951). */
    currentLeader: struct(
      { tag: 0 },
      {
        leaderId: int32({ default: -1 }),
        leaderEpoch: int32({ default: -1 }),
        host: string(),
        port: int32(),
      },
    ),
  },
})
export type UpdateRaftVoterResponse = Infer<typeof updateRaftVoterResponse>
