/**
 * The eligible leader sets of a topic, or of all topics, are void: min.insync.replicas changed (KIP-966).
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
