/**
 * The body of a `.snapshot` file beside the segments: what is known of each producer at an offset. An int16 version stands in front.
 *
 * Source: KIP-98, "Producer State".
 */
import { array, int16, int32, int64, message, offset, uint32, type Infer } from '../schema.ts'

export const producerSnapshot = message({
  name: 'ProducerSnapshot',
  kind: 'data',
  versions: '1',
  flexible: 'none',
  fields: {
    /** CRC-32C of everything behind this field. */
    crc: uint32(),
    producerEntries: array({
      producerId: int64(),
      epoch: int16(),
      lastSequence: int32(),
      lastOffset: offset(),
      /** Last minus first sequence of the last batch. */
      offsetDelta: int32(),
      timestamp: offset(),
      coordinatorEpoch: int32(),
      /** -1 without an open transaction. */
      currentTxnFirstOffset: offset(),
    }),
  },
})
export type ProducerSnapshot = Infer<typeof producerSnapshot>
