/**
 * A broker is fenced; superseded by BrokerRegistrationChangeRecord.
 */
import { int32, message, offset, type Infer } from '../../schema.ts'

export const fenceBrokerRecord = message({
  key: 7,
  name: 'FenceBrokerRecord',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    id: int32(),
    epoch: offset(),
  },
})
export type FenceBrokerRecord = Infer<typeof fenceBrokerRecord>
