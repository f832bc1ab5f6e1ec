/**
 * The records up to the end or abort of this metadata transaction take effect together (KIP-868).
 */
import { message, string, type Infer } from '../../schema.ts'

export const beginTransactionRecord = message({
  key: 23,
  name: 'BeginTransactionRecord',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    name: string({ nullable: '0+', tag: 0, default: null }),
  },
})
export type BeginTransactionRecord = Infer<typeof beginTransactionRecord>
