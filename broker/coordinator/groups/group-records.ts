/**
 * Group state as records of `__consumer_offsets`, in the schemas and versions Kafka writes: offsets as OffsetCommitValue v3 (v1 when the
 * commit has a retention of its own), groups as GroupMetadataValue v3. Keys carry their record type as an int16 in front, values their version.
 */
import { codec } from '../../protocol/codec.ts'
import {
  groupMetadataKey,
  groupMetadataValue,
  type GroupMetadataValue,
} from '../../protocol/records/group/group-metadata.ts'
import { offsetCommitKey, offsetCommitValue } from '../../protocol/records/group/offset-commit.ts'
import type { Fields, Input, Message } from '../../protocol/schema.ts'
import type { ClassicGroup } from './classic-group.ts'
import { metadataFor } from './classic-member.ts'
import type { CoordinatorRecord } from '../runtime/effects.ts'
import type { CommittedOffset } from './offset-store.ts'

/** Record types 0 and 1 are offsets (0: before Kafka 0.9.1, same key), 2 is a group. */
const oldOffsetType = 0
const offsetType = 1
const groupType = 2

const offsetVersion = 3
const expiringOffsetVersion = 1
const groupVersion = 3
const stable = 'Stable'

export type Decoded =
  | {
      readonly kind: 'offset'
      readonly groupId: string
      readonly topic: string
      readonly partition: number
      /** Undefined: a tombstone. */
      readonly committed: CommittedOffset | undefined
    }
  | { readonly kind: 'group'; readonly groupId: string; readonly group: GroupMetadataValue | undefined }

function versioned<F extends Fields>(
  message: Message<F>,
  prefix: number,
  version: number,
  value: Input<Message<F>>,
): Buffer {
  const head = Buffer.allocUnsafe(2)
  head.writeInt16BE(prefix, 0)
  return Buffer.concat([head, codec(message, version).encodeToBuffer(value)])
}

const offsetKey = (group: string, topic: string, partition: number): Buffer =>
  versioned(offsetCommitKey, offsetType, 0, { group, topic, partition })

export function encodeOffset(
  group: string,
  topic: string,
  partition: number,
  committed: CommittedOffset,
): CoordinatorRecord {
  const version = committed.expireWallMs === undefined ? offsetVersion : expiringOffsetVersion
  const value = {
    offset: committed.offset,
    leaderEpoch: committed.leaderEpoch,
    metadata: committed.metadata,
    commitTimestamp: committed.commitWallMs,
    expireTimestamp: committed.expireWallMs ?? -1,
  }
  return { key: offsetKey(group, topic, partition), value: versioned(offsetCommitValue, version, version, value) }
}

export const offsetTombstone = (group: string, topic: string, partition: number): CoordinatorRecord => ({
  key: offsetKey(group, topic, partition),
  value: null,
})

export const groupTombstone = (group: string): CoordinatorRecord => ({
  key: versioned(groupMetadataKey, groupType, 0, { group }),
  value: null,
})

/** The group as it is now; members carry the metadata of the protocol that was chosen. */
export function encodeGroup(group: ClassicGroup, nowWallMs: number): CoordinatorRecord {
  const { protocolName } = group
  const members = [...group.members.values()].map(member => ({
    memberId: member.memberId,
    groupInstanceId: member.groupInstanceId,
    clientId: member.clientId,
    clientHost: member.clientHost,
    rebalanceTimeout: member.rebalanceTimeoutMs,
    sessionTimeout: member.sessionTimeoutMs,
    subscription: protocolName === null ? Buffer.alloc(0) : metadataFor(member, protocolName),
    assignment: member.assignment,
  }))
  return {
    key: versioned(groupMetadataKey, groupType, 0, { group: group.groupId }),
    value: versioned(groupMetadataValue, groupVersion, groupVersion, {
      protocolType: group.protocolType ?? '',
      generation: group.generationId,
      protocol: protocolName,
      leader: group.leaderId,
      currentStateTimestamp: nowWallMs,
      members,
    }),
  }
}

/** Undefined for a record of another kind of group, which this coordinator leaves alone. */
export function decode(key: Buffer, value: Buffer | null): Decoded | undefined {
  const type = key.readInt16BE(0)
  if (type === oldOffsetType || type === offsetType) {
    const { group: groupId, topic, partition } = codec(offsetCommitKey, 0).decode(key.subarray(2))
    return { kind: 'offset', groupId, topic, partition, committed: value === null ? undefined : decodeOffset(value) }
  }
  if (type !== groupType) return undefined
  const { group: groupId } = codec(groupMetadataKey, 0).decode(key.subarray(2))
  const group = value === null ? undefined : codec(groupMetadataValue, value.readInt16BE(0)).decode(value.subarray(2))
  return { kind: 'group', groupId, group }
}

function decodeOffset(value: Buffer): CommittedOffset {
  const { offset, leaderEpoch, metadata, commitTimestamp, expireTimestamp } = codec(
    offsetCommitValue,
    value.readInt16BE(0),
  ).decode(value.subarray(2))
  return {
    offset,
    leaderEpoch,
    metadata,
    commitWallMs: commitTimestamp,
    expireWallMs: expireTimestamp === -1 ? undefined : expireTimestamp,
  }
}

/** Fills a new group from its record. The buffers are copied: they are views of a log read. */
export function restore(group: ClassicGroup, value: GroupMetadataValue): void {
  group.protocolType = value.protocolType === '' ? null : value.protocolType
  group.generationId = value.generation
  group.protocolName = value.protocol
  group.leaderId = value.leader
  for (const member of value.members) {
    const metadata = Buffer.from(member.subscription)
    group.restoreMember({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      rebalanceTimeoutMs: member.rebalanceTimeout === -1 ? member.sessionTimeout : member.rebalanceTimeout,
      sessionTimeoutMs: member.sessionTimeout,
      protocols: value.protocol === null ? [] : [{ name: value.protocol, metadata }],
      assignment: Buffer.from(member.assignment),
      joinTicket: undefined,
      syncTicket: undefined,
      sessionDeadlineMs: Infinity,
    })
  }
  if (value.members.length > 0) group.state = stable
  if (value.currentStateTimestamp !== -1) group.stateChangedWallMs = value.currentStateTimestamp
}
