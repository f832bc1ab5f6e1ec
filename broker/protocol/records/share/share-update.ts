/**
 * What changed in a share partition since its snapshot. Record type 1 of __share_group_state (KIP-932).
 */
import { array, int16, int32, int8, message, offset, string, uuid, type Infer } from '../../schema.ts'

export const shareUpdateKey = message({
  key: 1,
  name: 'ShareUpdateKey',
  kind: 'data',
  versions: '0',
  flexible: 'none',
  fields: {
    groupId: string(),
    topicId: uuid(),
    partition: int32(),
  },
})
export type ShareUpdateKey = Infer<typeof shareUpdateKey>

export const shareUpdateValue = message({
  key: 1,
  name: 'ShareUpdateValue',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    snapshotEpoch: int32(),
    leaderEpoch: int32(),
    startOffset: offset(),
    deliveryCompleteCount: int32({ tag: 0, default: -1 }),
    stateBatches: array({
      firstOffset: offset(),
      lastOffset: offset(),
      deliveryState: int8(),
      deliveryCount: int16(),
    }),
  },
})
export type ShareUpdateValue = Infer<typeof shareUpdateValue>
