/**
 * AddRaftVoter, API key 80, v0-1.
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
    voterId: int32(),
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
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+' }),
  },
})
export type AddRaftVoterResponse = Infer<typeof addRaftVoterResponse>
