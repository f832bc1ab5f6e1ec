/**
 * AlterPartitionReassignments, API key 45, v0-1.
 *
 * Starts or cancels reassignments (KIP-455).
 *
 * Versions: v1 may forbid a change of the replication factor (KIP-860).
 */
import { array, bool, int16, int32, message, string, type Infer } from '../schema.ts'

export const alterPartitionReassignmentsRequest = message({
  key: 45,
  name: 'AlterPartitionReassignmentsRequest',
  kind: 'request',
  versions: '0-1',
  flexible: '0+',
  fields: {
    timeoutMs: int32({ default: 60000 }),
    allowReplicationFactorChange: bool({ versions: '1+', default: true }),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        /** Null cancels the reassignment. */
        replicas: array({ nullable: '0+', default: null }, int32()),
      }),
    }),
  },
})
export type AlterPartitionReassignmentsRequest = Infer<typeof alterPartitionReassignmentsRequest>

export const alterPartitionReassignmentsResponse = message({
  key: 45,
  name: 'AlterPartitionReassignmentsResponse',
  kind: 'response',
  versions: '0-1',
  flexible: '0+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    allowReplicationFactorChange: bool({ versions: '1+', default: true, ignorable: true }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+' }),
    responses: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: '0+' }),
      }),
    }),
  },
})
export type AlterPartitionReassignmentsResponse = Infer<typeof alterPartitionReassignmentsResponse>
