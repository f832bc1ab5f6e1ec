/**
 * The metadata transaction takes effect (KIP-868).
 */
import { message } from '../../schema.ts'

export const endTransactionRecord = message({
  key: 24,
  name: 'EndTransactionRecord',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {},
})
export type EndTransactionRecord = Record<string, never>
