/**
 * A broker has been removed for good (KIP-631).
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
    /** Offset of the broker's registration record; fences earlier lives of the broker. */
    brokerEpoch: offset(),
  },
})
export type UnregisterBrokerRecord = Infer<typeof unregisterBrokerRecord>
