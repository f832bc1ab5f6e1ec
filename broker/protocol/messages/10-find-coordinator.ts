/**
 * FindCoordinator, API key 10, v0-6.
 *
 * Names the broker that coordinates a group, a transactional id or a share partition.
 *
 * Versions: v1 key type; v3 flexible; v4 several keys in one request (KIP-699); v6 share partitions (KIP-932).
 */
import { array, int16, int32, int8, message, string, type Infer } from '../schema.ts'

export const findCoordinatorRequest = message({
  key: 10,
  name: 'FindCoordinatorRequest',
  kind: 'request',
  versions: '0-6',
  flexible: '3+',
  fields: {
    key: string({ versions: '0-3' }),
    /** 0 group, 1 transactional id, 2 share partition. */
    keyType: int8({ versions: '1+', default: 0 }),
    coordinatorKeys: array({ versions: '4+' }, string()),
  },
})
export type FindCoordinatorRequest = Infer<typeof findCoordinatorRequest>

export const findCoordinatorResponse = message({
  key: 10,
  name: 'FindCoordinatorResponse',
  kind: 'response',
  versions: '0-6',
  flexible: '3+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ versions: '1+', ignorable: true }),
    errorCode: int16({ versions: '0-3' }),
    errorMessage: string({ versions: '1-3', nullable: '1-3', ignorable: true }),
    nodeId: int32({ versions: '0-3' }),
    host: string({ versions: '0-3' }),
    port: int32({ versions: '0-3' }),
    coordinators: array(
      { versions: '4+' },
      {
        key: string(),
        nodeId: int32(),
        host: string(),
        port: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: '4+' }),
      },
    ),
  },
})
export type FindCoordinatorResponse = Infer<typeof findCoordinatorResponse>
