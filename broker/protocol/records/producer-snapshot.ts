/**
 * Producer snapshot file.
 */
import { array, int16, int32, int64, message, offset, uint32, type Infer } from '../schema.ts'

export const producerSnapshot = message({
  name: 'ProducerSnapshot',
  kind: 'data',
  versions: '1',
  flexible: 'none',
  fields: {
    crc: uint32(),
    producerEntries: array({
      producerId: int64(),
      epoch: int16(),
      lastSequence: int32(),
      lastOffset: offset(),
      offsetDelta: int32(),
      timestamp: offset(),
      coordinatorEpoch: int32(),
      currentTxnFirstOffset: offset(),
    }),
  },
})
export type ProducerSnapshot = Infer<typeof producerSnapshot>
