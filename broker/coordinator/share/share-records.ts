/**
 * State of share partitions as records of `__share_group_state`: snapshots (type 0) hold all of it, updates (type 1) what changed since.
 * A tombstone of a snapshot deletes the state. Source: KIP-932, "Records".
 */
import {
  coordinatorRecordType,
  decodeCoordinatorKey,
  decodeVersioned,
  encodeCoordinatorKey,
  encodeVersioned,
} from '../../protocol/records/prefixed.ts'
import {
  shareSnapshotKey,
  shareSnapshotValue,
  type ShareSnapshotValue,
} from '../../protocol/records/share/share-snapshot.ts'
import { shareUpdateKey, shareUpdateValue, type ShareUpdateValue } from '../../protocol/records/share/share-update.ts'
import type { CoordinatorRecord } from '../runtime/effects.ts'

/** Names a share partition. */
export interface ShareKey {
  readonly groupId: string
  /** Base64, as everywhere. */
  readonly topicId: string
  readonly partition: number
}

/** The key under which FindCoordinator (key type 2) finds the coordinator of a share partition. */
export const coordinatorKey = ({ groupId, topicId, partition }: ShareKey): string =>
  `${groupId}:${topicId}:${partition}`

export type DecodedShareRecord =
  | { readonly kind: 'snapshot'; readonly key: ShareKey; readonly value: ShareSnapshotValue | undefined }
  | { readonly kind: 'update'; readonly key: ShareKey; readonly value: ShareUpdateValue }

export const encodeSnapshot = (key: ShareKey, value: ShareSnapshotValue): CoordinatorRecord => ({
  key: encodeCoordinatorKey(shareSnapshotKey, key),
  value: encodeVersioned(shareSnapshotValue, 0, value),
})

export const encodeUpdate = (key: ShareKey, value: ShareUpdateValue): CoordinatorRecord => ({
  key: encodeCoordinatorKey(shareUpdateKey, key),
  value: encodeVersioned(shareUpdateValue, 0, value),
})

export const encodeTombstone = (key: ShareKey): CoordinatorRecord => ({
  key: encodeCoordinatorKey(shareSnapshotKey, key),
  value: null,
})

/** Undefined for a record of a kind that is not known. */
export function decodeShareRecord(key: Buffer, value: Buffer | null): DecodedShareRecord | undefined {
  const type = coordinatorRecordType(key)
  if (type === shareSnapshotKey.key)
    return {
      kind: 'snapshot',
      key: decodeCoordinatorKey(shareSnapshotKey, key),
      value: value === null ? undefined : decodeVersioned(shareSnapshotValue, value).value,
    }
  if (type !== shareUpdateKey.key || value === null) return undefined
  return {
    kind: 'update',
    key: decodeCoordinatorKey(shareUpdateKey, key),
    value: decodeVersioned(shareUpdateValue, value).value,
  }
}
