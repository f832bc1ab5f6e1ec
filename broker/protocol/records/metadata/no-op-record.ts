/**
 * Says nothing; written on idle so that the high watermark, and with it brokers, can be seen to move on (KIP-835).
 */
import { message } from '../../schema.ts'

export const noOpRecord = message({
  key: 20,
  name: 'NoOpRecord',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {},
})
export type NoOpRecord = Record<string, never>
