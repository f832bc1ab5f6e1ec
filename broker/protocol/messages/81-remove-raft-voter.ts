/**
 * RemoveRaftVoter, API key 81, v0.
 */
import { int16, int32, message, string, uuid, type Infer } from '../schema.ts'

export const removeRaftVoterRequest = message({
  key: 81,
  name: 'RemoveRaftVoterRequest',
  kind: 'request',
  versions: '0',
  flexible: '0+',
  fields: {
    clusterId: string({ nullable: '0+' }),
    voterId: int32(),
    voterDirectoryId: uuid(),
  },
})
export type RemoveRaftVoterRequest = Infer<typeof removeRaftVoterRequest>

export const removeRaftVoterResponse = message({
  key: 81,
  name: 'RemoveRaftVoterResponse',
  kind: 'response',
  versions: '0',
  flexible: '0+',
  fields: {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+' }),
  },
})
export type RemoveRaftVoterResponse = Infer<typeof removeRaftVoterResponse>
