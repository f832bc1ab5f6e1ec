/**
 * UnregisterBrokerRecord: metadata record type 1.
 */
import { int32, message, offset, type Infer } from '../../schema.ts'

export const unregisterBrokerRecord = message({
  key: 1,
  name: 'UnregisterBrokerRecord',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    brokerId: int32(),
    brokerEpoch: offset(),
  },
})
export type UnregisterBrokerRecord = Infer<typeof unregisterBrokerRecord>
