/**
 * All record types of __share_group_state, the log of the share coordinator, by name. The type number is `key.key`.
 */
import { shareSnapshotKey, shareSnapshotValue } from './share-snapshot.ts'
import { shareUpdateKey, shareUpdateValue } from './share-update.ts'

export const shareRecords = {
  ShareSnapshot: { key: shareSnapshotKey, value: shareSnapshotValue },
  ShareUpdate: { key: shareUpdateKey, value: shareUpdateValue },
} as const

export type ShareRecordName = keyof typeof shareRecords
