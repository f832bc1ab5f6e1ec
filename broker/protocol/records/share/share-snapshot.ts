/**
 * The full state of a share partition. Record type 0 of __share_group_state (KIP-932).
 */
import { array, int16, int32, int8, message, offset, string, uuid, type Infer } from '../../schema.ts'

export const shareSnapshotKey = message({
  key: 0,
  name: 'ShareSnapshotKey',
  kind: 'data',
  versions: '0',
  flexible: 'none',
  fields: {
    groupId: string(),
    topicId: uuid(),
    partition: int32(),
  },
})
export type ShareSnapshotKey = Infer<typeof shareSnapshotKey>

export const shareSnapshotValue = message({
  key: 0,
  name: 'ShareSnapshotValue',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    snapshotEpoch: int32(),
    stateEpoch: int32(),
    leaderEpoch: int32(),
    startOffset: offset(),
    deliveryCompleteCount: int32({ tag: 0, default: -1 }),
    createTimestamp: offset(),
    writeTimestamp: offset(),
    stateBatches: array({
      firstOffset: offset(),
      lastOffset: offset(),
      deliveryState: int8(),
      deliveryCount: int16(),
    }),
  },
})
export type ShareSnapshotValue = Infer<typeof shareSnapshotValue>
