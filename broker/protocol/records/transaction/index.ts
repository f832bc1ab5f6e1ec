/**
 * All record types of __transaction_state, the log of the transaction coordinator, by name. The type number is `key.key`.
 */
import { transactionLogKey, transactionLogValue } from './transaction-log.ts'

export const transactionRecords = {
  TransactionLog: { key: transactionLogKey, value: transactionLogValue },
} as const

export type TransactionRecordName = keyof typeof transactionRecords
