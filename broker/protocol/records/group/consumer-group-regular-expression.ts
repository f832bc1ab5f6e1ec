/**
 * ConsumerGroupRegularExpression: record type 16 of the group coordinator.
 */
import { array, message, offset, string, type Infer } from '../../schema.ts'

export const consumerGroupRegularExpressionKey = message({
  key: 16,
  name: 'ConsumerGroupRegularExpressionKey',
  kind: 'data',
  versions: '0',
  flexible: 'none',
  fields: {
    groupId: string(),
    regularExpression: string(),
  },
})
export type ConsumerGroupRegularExpressionKey = Infer<typeof consumerGroupRegularExpressionKey>

export const consumerGroupRegularExpressionValue = message({
  key: 16,
  name: 'ConsumerGroupRegularExpressionValue',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    topics: array(string()),
    version: offset(),
    timestamp: offset(),
  },
})
export type ConsumerGroupRegularExpressionValue = Infer<typeof consumerGroupRegularExpressionValue>
