/**
 * RemoveRaftVoter, API key 81, v0.
 *
 * Removes a voter from the quorum (KIP-853).
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
    /** Node id of the voter. */
    voterId: int32(),
    /** Id of the directory that holds the voter's metadata log (KIP-853). */
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
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+' }),
  },
})
export type RemoveRaftVoterResponse = Infer<typeof removeRaftVoterResponse>
