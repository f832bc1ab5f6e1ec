/**
 * CreatePartitions, API key 37, v0-3.
 *
 * Raises the number of partitions of topics (KIP-195).
 *
 * Versions: v2 flexible; v3 THROTTLING_QUOTA_EXCEEDED (KIP-599).
 */
import { array, bool, int16, int32, message, string, type Infer } from '../schema.ts'

export const createPartitionsRequest = message({
  key: 37,
  name: 'CreatePartitionsRequest',
  kind: 'request',
  versions: '0-3',
  flexible: '2+',
  fields: {
    topics: array({
      name: string(),
      count: int32(),
      assignments: array(
        { nullable: '0+' },
        {
          brokerIds: array(int32()),
        },
      ),
    }),
    timeoutMs: int32(),
    /** Check, but change nothing. */
    validateOnly: bool(),
  },
})
export type CreatePartitionsRequest = Infer<typeof createPartitionsRequest>

export const createPartitionsResponse = message({
  key: 37,
  name: 'CreatePartitionsResponse',
  kind: 'response',
  versions: '0-3',
  flexible: '2+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    results: array({
      name: string(),
      errorCode: int16(),
      errorMessage: string({ nullable: '0+', default: null }),
    }),
  },
})
export type CreatePartitionsResponse = Infer<typeof createPartitionsResponse>
