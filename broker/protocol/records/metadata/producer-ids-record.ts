/**
 * ProducerIdsRecord: metadata record type 15.
 */
import { int32, int64, message, offset, type Infer } from '../../schema.ts'

export const producerIdsRecord = message({
  key: 15,
  name: 'ProducerIdsRecord',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    brokerId: int32(),
    brokerEpoch: offset({ default: -1 }),
    nextProducerId: int64(),
  },
})
export type ProducerIdsRecord = Infer<typeof producerIdsRecord>
