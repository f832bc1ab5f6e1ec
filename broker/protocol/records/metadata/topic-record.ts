/**
 * A topic has been created; its partitions follow as records of their own.
 */
import { message, string, uuid, type Infer } from '../../schema.ts'

export const topicRecord = message({
  key: 2,
  name: 'TopicRecord',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    name: string(),
    topicId: uuid(),
  },
})
export type TopicRecord = Infer<typeof topicRecord>
