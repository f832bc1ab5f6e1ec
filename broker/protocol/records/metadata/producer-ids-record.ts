/**
 * A block of producer ids has been handed to a broker (KIP-730).
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
    /** Offset of the broker's registration record; fences earlier lives of the broker. */
    brokerEpoch: offset({ default: -1 }),
    /** First id of the block after the one that was handed out. */
    nextProducerId: int64(),
  },
})
export type ProducerIdsRecord = Infer<typeof producerIdsRecord>
