/**
 * DescribeTransactions, API key 65, v0.
 *
 * State of transactional ids (KIP-664).
 */
import { array, int16, int32, int64, message, offset, string, type Infer } from '../schema.ts'

export const describeTransactionsRequest = message({
  key: 65,
  name: 'DescribeTransactionsRequest',
  kind: 'request',
  versions: '0',
  flexible: '0+',
  fields: {
    transactionalIds: array(string()),
  },
})
export type DescribeTransactionsRequest = Infer<typeof describeTransactionsRequest>

export const describeTransactionsResponse = message({
  key: 65,
  name: 'DescribeTransactionsResponse',
  kind: 'response',
  versions: '0',
  flexible: '0+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    transactionStates: array({
      errorCode: int16(),
      transactionalId: string(),
      transactionState: string(),
      transactionTimeoutMs: int32(),
      transactionStartTimeMs: offset(),
      producerId: int64(),
      producerEpoch: int16(),
      topics: array({
        topic: string(),
        partitions: array(int32()),
      }),
    }),
  },
})
export type DescribeTransactionsResponse = Infer<typeof describeTransactionsResponse>
