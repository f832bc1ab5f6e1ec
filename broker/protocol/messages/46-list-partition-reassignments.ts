/**
 * ListPartitionReassignments, API key 46, v0.
 *
 * Reassignments under way (KIP-455).
 */
import { array, int16, int32, message, string, type Infer } from '../schema.ts'

export const listPartitionReassignmentsRequest = message({
  key: 46,
  name: 'ListPartitionReassignmentsRequest',
  kind: 'request',
  versions: '0',
  flexible: '0+',
  fields: {
    timeoutMs: int32({ default: 60000 }),
    topics: array(
      { nullable: '0+', default: null },
      {
        name: string(),
        partitionIndexes: array(int32()),
      },
    ),
  },
})
export type ListPartitionReassignmentsRequest = Infer<typeof listPartitionReassignmentsRequest>

export const listPartitionReassignmentsResponse = message({
  key: 46,
  name: 'ListPartitionReassignmentsResponse',
  kind: 'response',
  versions: '0',
  flexible: '0+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+' }),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        replicas: array(int32()),
        /** Replicas that a reassignment adds. */
        addingReplicas: array(int32()),
        /** Replicas that a reassignment removes. */
        removingReplicas: array(int32()),
      }),
    }),
  },
})
export type ListPartitionReassignmentsResponse = Infer<typeof listPartitionReassignmentsResponse>
