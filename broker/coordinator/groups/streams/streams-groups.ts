/** The streams groups of one shard: routes records, heartbeats and time to them; answers leave when their records are committed. */
import type { MetadataImage } from '../../../controller/image.ts'
import type { Ticket } from '../../runtime/effects.ts'
import type { GroupTable } from '../group.ts'
import { noGroupOfMember } from '../group-not-found.ts'
import type { AppliedWrites } from '../modern/applied-writes.ts'
import { StreamsGroup } from './streams-group.ts'
import { refusalOf } from './admission.ts'
import { assign, remove } from './rebalance.ts'
import {
  refuseStreams,
  streamsHeartbeat,
  streamsLeave,
  type StreamsAnswer,
  type StreamsHeartbeat,
  type StreamsSettings,
  type StreamsStep,
} from './streams-heartbeat.ts'
import type { StreamsRecord } from './streams-records.ts'

export interface StreamsGroupsParts {
  readonly groups: GroupTable
  readonly writes: AppliedWrites
  readonly image: () => MetadataImage
  readonly wallMs: () => number
  readonly settings: (groupId: string) => StreamsSettings
}

export class StreamsGroups {
  readonly #parts: StreamsGroupsParts

  constructor(parts: StreamsGroupsParts) {
    this.#parts = parts
  }

  replay(record: StreamsRecord): void {
    const { groups } = this.#parts
    const known = groups.get(record.groupId)
    if (record.kind === 'epoch' && record.value === undefined) {
      if (known?.type === 'Streams') groups.delete(record.groupId)
      return
    }
    if (known?.type === 'Streams') {
      known.replay(record)
      return
    }
    // A tombstone of a group that is not there says nothing new.
    if (record.value === undefined) return
    const group = new StreamsGroup(record.groupId)
    groups.set(record.groupId, group)
    group.replay(record)
  }

  loaded(group: StreamsGroup, nowMs: number): void {
    const { sessionTimeoutMs } = this.#parts.settings(group.groupId)
    for (const member of group.members.values()) {
      group.heard(member.memberId, nowMs, sessionTimeoutMs)
      if (member.state === 'unrevoked') group.awaitRevocation(member.memberId, nowMs, member.rebalanceTimeoutMs)
    }
  }

  /** A group of another kind makes way when it is empty. */
  heartbeat(request: StreamsHeartbeat, ticket: Ticket<StreamsAnswer>, nowMs: number): void {
    const { writes } = this.#parts
    const step = this.#step(request.groupId, nowMs)
    writes.answer(ticket, this.#answer(request, step), error => refuseStreams(error))
  }

  #answer(request: StreamsHeartbeat, step: StreamsStep): StreamsAnswer {
    const { groups } = this.#parts
    const { groupId, memberEpoch } = request
    const known = groups.get(groupId)
    // Only who joins may find nothing there, or an empty group of the classic protocol.
    const mayBegin = memberEpoch === 0 && (known === undefined || (known.type === 'Classic' && known.isEmpty))
    if (known?.type !== 'Streams' && !mayBegin)
      return refuseStreams('GROUP_ID_NOT_FOUND', noGroupOfMember('streams', groupId, known !== undefined))
    const group = known?.type === 'Streams' ? known : new StreamsGroup(groupId)
    if (memberEpoch < 0) return streamsLeave(group, request, step)
    const refusal = refusalOf(group, request, { image: step.image, maxSize: step.settings.maxSize })
    if (refusal !== undefined) return refuseStreams(refusal.error, refusal.message)
    if (known?.type === 'Classic') {
      known.die('GROUP_ID_NOT_FOUND')
      for (const record of known.tombstones()) step.write(record)
    }
    groups.set(groupId, group)
    return streamsHeartbeat(group, request, step)
  }

  /** Members whose time ran out are out; a first assignment that waited for members is made. */
  tick(group: StreamsGroup, nowMs: number): void {
    const step = this.#step(group.groupId, nowMs)
    const late = new Set(group.due(nowMs).map(({ memberId }) => memberId))
    const known = [...late].filter(memberId => group.members.has(memberId))
    if (known.length > 0) remove(group, known, step)
    if (group.delayUntilMs > 0 && group.delayUntilMs <= nowMs) {
      group.delayUntilMs = 0
      if (!group.isEmpty && group.topology !== undefined) assign(group, step)
    }
    this.#parts.writes.flush()
  }

  #step(groupId: string, nowMs: number): StreamsStep {
    const { writes, image, wallMs, settings } = this.#parts
    return {
      image: image(),
      nowMs,
      nowWallMs: wallMs(),
      settings: settings(groupId),
      write: record => writes.write(record),
    }
  }
}
