/**
 * UpdateRaftVoter, API key 82, v0.
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
    currentLeaderEpoch: int32(),
    voterId: int32(),
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
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
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
