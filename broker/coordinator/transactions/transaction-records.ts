/**
 * The state of a transactional id as records of `__transaction_state`, in the schema and versions Kafka writes: TransactionLogValue v0, or v1
 * (tagged fields) once transaction.version is 1 or more. A null value deletes the id.
 */
import { ProtocolError } from '../../protocol/errors.ts'
import {
  coordinatorRecordType,
  decodeCoordinatorKey,
  decodeVersioned,
  encodeCoordinatorKey,
  encodeVersioned,
} from '../../protocol/records/prefixed.ts'
import {
  transactionLogKey,
  transactionLogValue,
  type TransactionLogValue,
} from '../../protocol/records/transaction/transaction-log.ts'
import type { CoordinatorRecord } from '../runtime/effects.ts'
import { noPartitions, partitionSet, type PartitionSet } from './partition-set.ts'
import { noEpoch, noProducerId, stateNames, type TransactionValue } from './transaction-value.ts'

/** transaction.version from which records have tagged fields. */
const taggedFieldsVersion = 1

const key = (transactionalId: string): Buffer => encodeCoordinatorKey(transactionLogKey, { transactionalId })

export function encodeTransaction(
  transactionalId: string,
  value: TransactionValue,
  transactionVersion: number,
): CoordinatorRecord {
  const version = transactionVersion >= taggedFieldsVersion ? 1 : 0
  const body = {
    producerId: value.producerId,
    producerEpoch: value.producerEpoch,
    transactionTimeoutMs: value.timeoutMs,
    transactionStatus: stateNames.indexOf(value.state),
    transactionPartitions: value.state === 'Empty' ? null : encodePartitions(value.partitions),
    transactionLastUpdateTimestampMs: value.lastUpdateWallMs,
    transactionStartTimestampMs: value.startWallMs,
    // Version 0 has no room for these.
    previousProducerId: version === 0 ? noProducerId : value.previousProducerId,
    nextProducerId: version === 0 ? noProducerId : value.nextProducerId,
    clientTransactionVersion: version === 0 ? 0 : value.clientTransactionVersion,
  }
  return { key: key(transactionalId), value: encodeVersioned(transactionLogValue, version, body) }
}

function encodePartitions(partitions: PartitionSet): { topic: string; partitionIds: number[] }[] {
  return [...partitions].map(([topic, ids]) => ({ topic, partitionIds: [...ids] }))
}

export const tombstone = (transactionalId: string): CoordinatorRecord => ({ key: key(transactionalId), value: null })

/** Undefined for a record of another type; `value` is undefined for a tombstone. */
export function decodeTransaction(
  keyBytes: Buffer,
  valueBytes: Buffer | null,
): { readonly transactionalId: string; readonly value: TransactionValue | undefined } | undefined {
  if (coordinatorRecordType(keyBytes) !== transactionLogKey.key) return undefined
  const { transactionalId } = decodeCoordinatorKey(transactionLogKey, keyBytes)
  if (valueBytes === null) return { transactionalId, value: undefined }
  return { transactionalId, value: decodeValue(decodeVersioned(transactionLogValue, valueBytes).value) }
}

function decodeValue(record: TransactionLogValue): TransactionValue {
  const state = stateNames[record.transactionStatus]
  if (state === undefined) throw new ProtocolError(`a transaction has the unknown state ${record.transactionStatus}`)
  const partitions = (record.transactionPartitions ?? []).flatMap(({ topic, partitionIds }) =>
    partitionIds.map(partition => ({ topic, partition })),
  )
  return {
    state,
    producerId: record.producerId,
    previousProducerId: record.previousProducerId,
    nextProducerId: record.nextProducerId,
    producerEpoch: record.producerEpoch,
    lastProducerEpoch: noEpoch,
    timeoutMs: record.transactionTimeoutMs,
    partitions: state === 'Empty' ? noPartitions : partitionSet(partitions),
    startWallMs: record.transactionStartTimestampMs,
    lastUpdateWallMs: record.transactionLastUpdateTimestampMs,
    clientTransactionVersion: record.clientTransactionVersion,
  }
}
