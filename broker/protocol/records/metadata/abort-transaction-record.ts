/**
 * The records of the metadata transaction are void (KIP-868).
 */
import { message, string, type Infer } from '../../schema.ts'

export const abortTransactionRecord = message({
  key: 25,
  name: 'AbortTransactionRecord',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    reason: string({ nullable: '0+', tag: 0, default: null }),
  },
})
export type AbortTransactionRecord = Infer<typeof abortTransactionRecord>
