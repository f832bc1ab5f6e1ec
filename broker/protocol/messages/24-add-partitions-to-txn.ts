/**
 * AddPartitionsToTxn, API key 24, v0-5.
 *
 * Adds partitions to a transaction; from v4 on between brokers, for several transactions, also just to verify (KIP-890).
 *
 * Versions: v3 flexible; v4 batches; v5 TRANSACTION_ABORTABLE.
 */
import { array, bool, int16, int32, int64, message, string, type Infer } from '../schema.ts'

/** Shared by several fields below. */
const addPartitionsToTxnTopic = {
  name: string(),
  partitions: array(int32()),
}

export const addPartitionsToTxnRequest = message({
  key: 24,
  name: 'AddPartitionsToTxnRequest',
  kind: 'request',
  versions: '0-5',
  flexible: '3+',
  fields: {
    transactions: array(
      { versions: '4+' },
      {
        transactionalId: string(),
        producerId: int64(),
        producerEpoch: int16(),
        /** Only check that the partitions belong to the transaction (KIP-890). */
        verifyOnly: bool({ default: false }),
        topics: array(addPartitionsToTxnTopic),
      },
    ),
    v3AndBelowTransactionalId: string({ versions: '0-3' }),
    v3AndBelowProducerId: int64({ versions: '0-3' }),
    v3AndBelowProducerEpoch: int16({ versions: '0-3' }),
    v3AndBelowTopics: array({ versions: '0-3' }, addPartitionsToTxnTopic),
  },
})
export type AddPartitionsToTxnRequest = Infer<typeof addPartitionsToTxnRequest>

/** Shared by several fields below. */
const addPartitionsToTxnPartitionResult = {
  partitionIndex: int32(),
  partitionErrorCode: int16(),
}

/** Shared by several fields below. */
const addPartitionsToTxnTopicResult = {
  name: string(),
  resultsByPartition: array(addPartitionsToTxnPartitionResult),
}

export const addPartitionsToTxnResponse = message({
  key: 24,
  name: 'AddPartitionsToTxnResponse',
  kind: 'response',
  versions: '0-5',
  flexible: '3+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16({ versions: '4+', ignorable: true }),
    resultsByTransaction: array(
      { versions: '4+' },
      {
        transactionalId: string(),
        topicResults: array(addPartitionsToTxnTopicResult),
      },
    ),
    resultsByTopicV3AndBelow: array({ versions: '0-3' }, addPartitionsToTxnTopicResult),
  },
})
export type AddPartitionsToTxnResponse = Infer<typeof addPartitionsToTxnResponse>
