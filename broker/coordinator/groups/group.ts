/** What the shard asks of a group of any kind. A new kind implements it, joins the union, and is routed to in group-shard.ts. */
import type { CoordinatorRecord } from '../runtime/effects.ts'
import type { ClassicGroup } from './classic-group.ts'
import type { ExpiryRule } from './group-offsets.ts'
import type { ConsumerGroup } from './modern/consumer-group.ts'
import type { ShareGroup } from './share/share-group.ts'
import type { StreamsGroup } from './streams/streams-group.ts'

export interface AnyGroup {
  readonly groupId: string
  readonly type: 'Classic' | 'Consumer' | 'Share' | 'Streams'
  readonly protocolType: string | null
  readonly state: string
  /** Without members. */
  readonly isEmpty: boolean
  /** Monotonic ms of the next thing that happens by itself; Infinity: none. */
  readonly deadlineMs: number
  /** Undefined: its offsets do not expire now. */
  expiryRule(): ExpiryRule | undefined
  /** The records that remove the group; its offsets are not among them. */
  tombstones(): CoordinatorRecord[]
}

export type Group = ClassicGroup | ConsumerGroup | ShareGroup | StreamsGroup

/** By name: no two groups have the same one, whatever their kinds. */
export type GroupTable = Map<string, Group>
