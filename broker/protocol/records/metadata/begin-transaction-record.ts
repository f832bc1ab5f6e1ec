/**
 * BeginTransactionRecord: metadata record type 23.
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
