/**
 * A broker is unfenced; superseded by BrokerRegistrationChangeRecord.
 */
import { int32, message, offset, type Infer } from '../../schema.ts'

export const unfenceBrokerRecord = message({
  key: 8,
  name: 'UnfenceBrokerRecord',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    id: int32(),
    epoch: offset(),
  },
})
export type UnfenceBrokerRecord = Infer<typeof unfenceBrokerRecord>
