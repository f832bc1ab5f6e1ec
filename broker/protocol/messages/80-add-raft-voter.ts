/**
 * AddRaftVoter, API key 80, v0-1.
 *
 * Adds a voter to the quorum (KIP-853).
 *
 * Versions: v1 may be answered before the change is committed.
 */
import { array, bool, int16, int32, message, string, uint16, uuid, type Infer } from '../schema.ts'

export const addRaftVoterRequest = message({
  key: 80,
  name: 'AddRaftVoterRequest',
  kind: 'request',
  versions: '0-1',
  flexible: '0+',
  fields: {
    clusterId: string({ nullable: '0+' }),
    timeoutMs: int32(),
    /** Node id of the voter. */
    voterId: int32(),
    /** Id of the directory that holds the voter's metadata log (KIP-853). */
    voterDirectoryId: uuid(),
    listeners: array({
      name: string(),
      host: string(),
      port: uint16(),
    }),
    ackWhenCommitted: bool({ versions: '1+', default: true }),
  },
})
export type AddRaftVoterRequest = Infer<typeof addRaftVoterRequest>

export const addRaftVoterResponse = message({
  key: 80,
  name: 'AddRaftVoterResponse',
  kind: 'response',
  versions: '0-1',
  flexible: '0+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+' }),
  },
})
export type AddRaftVoterResponse = Infer<typeof addRaftVoterResponse>
