/**
 * ClearElrRecord: metadata record type 28.
 */
import { message, string, type Infer } from '../../schema.ts'

export const clearElrRecord = message({
  key: 28,
  name: 'ClearElrRecord',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    topicName: string(),
  },
})
export type ClearElrRecord = Infer<typeof clearElrRecord>
