/**
 * A topic and all its partitions are gone.
 */
import { message, uuid, type Infer } from '../../schema.ts'

export const removeTopicRecord = message({
  key: 9,
  name: 'RemoveTopicRecord',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    topicId: uuid(),
  },
})
export type RemoveTopicRecord = Infer<typeof removeTopicRecord>
