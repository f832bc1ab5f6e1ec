/**
 * NoOpRecord: metadata record type 20.
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
