/**
 * The share groups of one shard: routes records, heartbeats and time to them, and sees to it that an answer leaves only when its records are
 * committed. States at the share coordinator are made and deleted by others (share-group-service.ts), who tell here how it went.
 */
import type { MetadataImage } from '../../../controller/image.ts'
import type { ErrorName } from '../../../protocol/errors.ts'
import type { Ticket } from '../../runtime/effects.ts'
import type { GroupTable } from '../group.ts'
import { noGroupOfMember } from '../group-not-found.ts'
import type { AppliedWrites } from '../modern/applied-writes.ts'
import { partitionsOf, type Assignment } from '../modern/assignment.ts'
import { ShareGroup } from './share-group.ts'
import type { ShareGroupRecord } from './share-group-records.ts'
import {
  difference,
  fenceShareMembers,
  leaveShareGroup,
  refuseShareHeartbeat,
  setPartitions,
  shareHeartbeat,
  shareHeartbeatError,
  union,
  type Initialization,
  type ShareHeartbeat,
  type ShareHeartbeatAnswer,
  type ShareSettings,
  type ShareStep,
} from './share-heartbeat.ts'

export interface ShareGroupsParts {
  readonly groups: GroupTable
  readonly writes: AppliedWrites
  readonly image: () => MetadataImage
  readonly wallMs: () => number
  readonly settings: (groupId: string) => ShareSettings
}

export interface ShareGroupView {
  readonly groupId: string
  readonly state: string
  readonly groupEpoch: number
  readonly assignmentEpoch: number
  readonly members: readonly {
    readonly memberId: string
    readonly rackId: string | null
    readonly memberEpoch: number
    readonly clientId: string
    readonly clientHost: string
    readonly subscribedTopicNames: readonly string[]
    readonly assigned: Assignment
  }[]
}

export class ShareGroups {
  readonly #parts: ShareGroupsParts
  readonly #writes: AppliedWrites

  constructor(parts: ShareGroupsParts) {
    this.#parts = parts
    this.#writes = parts.writes
  }

  replay(record: ShareGroupRecord): void {
    const { groups } = this.#parts
    const known = this.get(record.groupId)
    if (record.kind === 'epoch' && record.value === undefined) {
      if (known !== undefined) groups.delete(record.groupId)
    } else if (known !== undefined) known.replay(record)
    else if (record.value !== undefined) {
      const group = new ShareGroup(record.groupId)
      groups.set(record.groupId, group)
      group.replay(record)
    }
  }

  /** Everybody gets a full session to report. */
  loaded(group: ShareGroup, nowMs: number): void {
    const { sessionTimeoutMs } = this.#parts.settings(group.groupId)
    for (const memberId of group.members.keys()) group.heard(memberId, nowMs, sessionTimeoutMs)
  }

  /** Members whose session ended are out. */
  tick(group: ShareGroup, nowMs: number): void {
    const late = group.due(nowMs).map(({ memberId }) => memberId)
    if (late.length === 0) return
    fenceShareMembers(group, late, this.#step(group.groupId, nowMs))
    this.#writes.flush()
  }

  #step(groupId: string, nowMs: number): ShareStep {
    return {
      image: this.#parts.image(),
      nowMs,
      nowWallMs: this.#parts.wallMs(),
      settings: this.#parts.settings(groupId),
      write: record => this.#writes.write(record),
    }
  }

  get(groupId: string): ShareGroup | undefined {
    const group = this.#parts.groups.get(groupId)
    return group?.type === 'Share' ? group : undefined
  }

  view(groupId: string): ShareGroupView | undefined {
    const group = this.get(groupId)
    if (group === undefined) return undefined
    const members = [...group.members.values()].map(member => ({
      ...member,
      subscribedTopicNames: [...member.subscribedTopicNames].sort(),
    }))
    return {
      groupId,
      state: group.state,
      groupEpoch: group.groupEpoch,
      assignmentEpoch: group.assignmentEpoch,
      members,
    }
  }

  // -------------------------------------------------------------------------------------------------- heartbeats

  heartbeat(request: ShareHeartbeat, ticket: Ticket<ShareHeartbeatAnswer>, nowMs: number): void {
    this.#writes.answer(ticket, this.#heartbeat(request, nowMs), error => refuseShareHeartbeat(error))
  }

  #heartbeat(request: ShareHeartbeat, nowMs: number): ShareHeartbeatAnswer {
    const { groupId, memberEpoch } = request
    const step = this.#step(groupId, nowMs)
    const known = this.get(groupId)
    if (known === undefined && (memberEpoch !== 0 || this.#parts.groups.has(groupId)))
      return refuseShareHeartbeat(
        'GROUP_ID_NOT_FOUND',
        noGroupOfMember('share', groupId, this.#parts.groups.has(groupId)),
      )
    const group = known ?? new ShareGroup(groupId)
    if (memberEpoch < 0) return leaveShareGroup(group, request, step)
    const refusal = shareHeartbeatError(group, request, step)
    if (refusal !== undefined) return refusal
    this.#parts.groups.set(groupId, group)
    return shareHeartbeat(group, request, step)
  }

  /** States were made at the share coordinator, or could not be. */
  initialized(groupId: string, made: Assignment, failed: Assignment, ticket: Ticket<ErrorName>, nowMs: number): void {
    const group = this.get(groupId)
    if (group !== undefined) {
      const { image, write } = this.#step(groupId, nowMs)
      const { partitions } = group
      const initializing = difference(difference(partitions.initializing, made), failed)
      const initialized = union(partitions.initialized, made)
      setPartitions(group, { ...partitions, initializing, initialized }, image, write)
    }
    this.#writes.answer<ErrorName>(ticket, 'NONE', error => error)
  }

  // ----------------------------------------------------------------------------------------------- administration

  /** The partitions whose states go with the group, or why it cannot go. */
  beginDelete(groupId: string): Assignment | ErrorName {
    const group = this.get(groupId)
    if (group === undefined) return 'GROUP_ID_NOT_FOUND'
    if (!group.isEmpty) return 'NON_EMPTY_GROUP'
    return union(group.partitions.initialized, group.partitions.initializing)
  }

  delete(groupId: string, ticket: Ticket<ErrorName>): void {
    const group = this.get(groupId)
    const refusal = group === undefined ? 'GROUP_ID_NOT_FOUND' : group.isEmpty ? undefined : 'NON_EMPTY_GROUP'
    if (group !== undefined && refusal === undefined)
      for (const record of group.tombstones()) this.#writes.write(record)
    this.#writes.answer<ErrorName>(ticket, refusal ?? 'NONE', error => error)
  }

  /**
   * A group without members gets other start offsets: a new state epoch keeps leaders from writing what they knew. A group that is not there
   * is made, so that offsets can be set before its first member comes.
   */
  beginAlter(groupId: string, altered: Assignment, ticket: Ticket<ErrorName | Initialization>, nowMs: number): void {
    const known = this.get(groupId)
    const isRefused = known === undefined ? this.#parts.groups.has(groupId) : !known.isEmpty
    if (isRefused) {
      const error = known === undefined ? 'GROUP_ID_NOT_FOUND' : 'NON_EMPTY_GROUP'
      this.#writes.answer<ErrorName | Initialization>(ticket, error, failed => failed)
      return
    }
    const group = known ?? new ShareGroup(groupId)
    this.#parts.groups.set(groupId, group)
    const { image, write } = this.#step(groupId, nowMs)
    group.refreshMetadata(image, true, write)
    const initializing = union(group.partitions.initializing, altered)
    setPartitions(group, { ...group.partitions, initializing }, image, write)
    const answer = { stateEpoch: group.groupEpoch, partitions: altered }
    this.#writes.answer<ErrorName | Initialization>(ticket, answer, failed => failed)
  }

  /** Topics of a group without members whose states are deleted: what of them there is. */
  beginDeleteOffsets(
    groupId: string,
    topicIds: readonly string[],
    ticket: Ticket<ErrorName | Assignment>,
    nowMs: number,
  ): void {
    const group = this.get(groupId)
    if (group === undefined || !group.isEmpty) {
      const error = group === undefined ? 'GROUP_ID_NOT_FOUND' : 'NON_EMPTY_GROUP'
      this.#writes.answer<ErrorName | Assignment>(ticket, error, failed => failed)
      return
    }
    const { image, write } = this.#step(groupId, nowMs)
    const all = union(group.partitions.initialized, group.partitions.initializing)
    const isWanted = (topicId: string): boolean => topicIds.includes(topicId) || group.partitions.deleting.has(topicId)
    const going = new Map([...all].filter(([topicId]) => isWanted(topicId)))
    const deleting = new Set([...group.partitions.deleting, ...going.keys()])
    const kept = {
      initializing: difference(group.partitions.initializing, going),
      initialized: difference(group.partitions.initialized, going),
      deleting,
    }
    if (going.size > 0) setPartitions(group, kept, image, write)
    this.#writes.answer<ErrorName | Assignment>(ticket, going, failed => failed)
  }

  offsetsDeleted(groupId: string, topicIds: readonly string[], ticket: Ticket<ErrorName>, nowMs: number): void {
    const group = this.get(groupId)
    if (group !== undefined && topicIds.length > 0) {
      const { image, write } = this.#step(groupId, nowMs)
      const deleting = new Set([...group.partitions.deleting].filter(topicId => !topicIds.includes(topicId)))
      setPartitions(group, { ...group.partitions, deleting }, image, write)
    }
    this.#writes.answer<ErrorName>(ticket, 'NONE', error => error)
  }

  /** Topics are gone, and their states with them. */
  topicsDeleted(topicIds: ReadonlySet<string>, nowMs: number): void {
    for (const group of this.#parts.groups.values()) {
      if (group.type !== 'Share') continue
      const { initializing, initialized, deleting } = group.partitions
      const isGone = (topicId: string): boolean => topicIds.has(topicId)
      if (![...initializing.keys(), ...initialized.keys(), ...deleting].some(isGone)) continue
      const without = (assignment: Assignment): Assignment =>
        new Map([...assignment].filter(([topicId]) => !isGone(topicId)))
      const { image, write } = this.#step(group.groupId, nowMs)
      const left = new Set([...deleting].filter(topicId => !isGone(topicId)))
      setPartitions(
        group,
        { initializing: without(initializing), initialized: without(initialized), deleting: left },
        image,
        write,
      )
      this.#writes.flush()
    }
  }

  /** Where the group has a state. */
  initializedPartitions(groupId: string): { readonly topicId: string; readonly partition: number }[] | undefined {
    const group = this.get(groupId)
    if (group === undefined) return undefined
    return [...partitionsOf(group.partitions.initialized)].map(([topicId, partition]) => ({ topicId, partition }))
  }
}
