/**
 * State of a transactional id; a null value deletes it. The one record type of __transaction_state.
 *
 * Versions of the value: v1 flexible, client's transaction version and next producer id (KIP-890).
 */
import { array, int16, int32, int64, int8, message, offset, string, type Infer } from '../../schema.ts'

export const transactionLogKey = message({
  key: 0,
  name: 'TransactionLogKey',
  kind: 'data',
  versions: '0',
  flexible: 'none',
  fields: {
    transactionalId: string(),
  },
})
export type TransactionLogKey = Infer<typeof transactionLogKey>

export const transactionLogValue = message({
  key: 0,
  name: 'TransactionLogValue',
  kind: 'data',
  versions: '0-1',
  flexible: '1+',
  fields: {
    producerId: int64(),
    previousProducerId: int64({ versions: '1+', tag: 0, default: -1n }),
    nextProducerId: int64({ versions: '1+', tag: 1, default: -1n }),
    producerEpoch: int16(),
    nextProducerEpoch: int16({ versions: '1+', tag: 3, default: -1 }),
    transactionTimeoutMs: int32(),
    transactionStatus: int8(),
    transactionPartitions: array(
      { nullable: '0+' },
      {
        topic: string(),
        partitionIds: array(int32()),
      },
    ),
    transactionLastUpdateTimestampMs: offset(),
    transactionStartTimestampMs: offset(),
    clientTransactionVersion: int16({ versions: '1+', tag: 2, default: 0 }),
  },
})
export type TransactionLogValue = Infer<typeof transactionLogValue>
