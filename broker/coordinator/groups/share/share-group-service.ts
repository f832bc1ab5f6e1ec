/**
 * Share groups between two coordinators: their members are in `__consumer_offsets`, the states of what they read in `__share_group_state`.
 * Makes, sets and deletes the states and tells the group how it went. Source: KIP-932; Kafka's GroupCoordinatorService.
 */
import type { ErrorName } from '../../../protocol/errors.ts'
import type { SharePersister } from '../../share/persister.ts'
import type { Refused } from '../../share/share-shard.ts'
import type { Groups } from '../groups.ts'
import { partitionsOf, type Assignment } from '../modern/assignment.ts'
import {
  refuseShareHeartbeat,
  type Initialization,
  type ShareHeartbeat,
  type ShareHeartbeatAnswer,
} from './share-heartbeat.ts'

export interface Place {
  readonly topicId: string
  readonly partition: number
}

/** Where nothing is known of the group yet. */
const unknownOffset = -1

export class ShareGroupService {
  readonly #groups: Groups
  readonly #persister: SharePersister

  constructor(groups: Groups, persister: SharePersister) {
    this.#groups = groups
    this.#persister = persister
  }

  async heartbeat(request: ShareHeartbeat): Promise<ShareHeartbeatAnswer> {
    const answer = await this.#groups.ask<ShareHeartbeatAnswer>(
      request.groupId,
      error => refuseShareHeartbeat(error),
      (shard, ticket, nowMs) => shard.shares.heartbeat(request, ticket, nowMs),
    )
    // The member is not kept waiting: its next heartbeat brings what is ready.
    if (answer.initialize !== undefined) void this.#initialize(request.groupId, answer.initialize, () => unknownOffset)
    return answer
  }

  /** The outcome per partition. */
  async #initialize(
    groupId: string,
    { stateEpoch, partitions }: Initialization,
    offsetOf: (place: Place) => number,
  ): Promise<Map<Place, Refused>> {
    const outcomes = new Map<Place, Refused>()
    await Promise.all(
      [...partitionsOf(partitions)].map(async ([topicId, partition]) => {
        const place = { topicId, partition }
        const state = { stateEpoch, startOffset: offsetOf(place) }
        outcomes.set(place, await this.#persister.initialize({ groupId, topicId, partition }, state))
      }),
    )
    const having = (isGood: boolean): Assignment =>
      placesToAssignment([...outcomes].filter(([, { error }]) => (error === 'NONE') === isGood).map(([place]) => place))
    await this.#groups.ask<ErrorName>(
      groupId,
      error => error,
      (shard, ticket, nowMs) => shard.shares.initialized(groupId, having(true), having(false), ticket, nowMs),
    )
    return outcomes
  }

  /** Undefined: no share group has that name. */
  async delete(groupId: string): Promise<ErrorName | undefined> {
    const found = this.#groups.read<Assignment | ErrorName>(
      groupId,
      error => error,
      shard => shard.shares.beginDelete(groupId),
    )
    if (found === 'GROUP_ID_NOT_FOUND') return undefined
    if (typeof found === 'string') return found
    const refused = await this.#removeStates(groupId, found)
    if (refused !== undefined) return refused.error
    return this.#groups.ask<ErrorName>(
      groupId,
      error => error,
      (shard, ticket) => shard.shares.delete(groupId, ticket),
    )
  }

  /** Undefined: all are gone. */
  async #removeStates(groupId: string, partitions: Assignment): Promise<Refused | undefined> {
    const outcomes = await Promise.all(
      [...partitionsOf(partitions)].map(([topicId, partition]) =>
        this.#persister.remove({ groupId, topicId, partition }),
      ),
    )
    // The state of a topic that is gone goes by itself.
    return outcomes.find(({ error }) => error !== 'NONE' && error !== 'UNKNOWN_TOPIC_OR_PARTITION')
  }

  /** Sets the start offsets of a group without members; an error for all, or an outcome per partition. */
  async alter(groupId: string, offsets: ReadonlyMap<Place, number>): Promise<ErrorName | ReadonlyMap<Place, Refused>> {
    const altered = placesToAssignment([...offsets.keys()])
    const begun = await this.#groups.ask<ErrorName | Initialization>(
      groupId,
      error => error,
      (shard, ticket, nowMs) => shard.shares.beginAlter(groupId, altered, ticket, nowMs),
    )
    if (typeof begun === 'string') return begun
    const wanted = new Map([...offsets].map(([place, offset]) => [`${place.topicId}:${place.partition}`, offset]))
    const offsetOf = ({ topicId, partition }: Place): number => wanted.get(`${topicId}:${partition}`) ?? unknownOffset
    return this.#initialize(groupId, begun, offsetOf)
  }

  /** Deletes what is known of topics; an error for all, or the outcome of each topic that the group knew. */
  async deleteOffsets(groupId: string, topicIds: readonly string[]): Promise<ErrorName | ReadonlyMap<string, Refused>> {
    const going = await this.#groups.ask<ErrorName | Assignment>(
      groupId,
      error => error,
      (shard, ticket, nowMs) => shard.shares.beginDeleteOffsets(groupId, topicIds, ticket, nowMs),
    )
    if (typeof going === 'string') return going
    const outcomes = new Map<string, Refused>()
    await Promise.all(
      [...going].map(async ([topicId, partitions]) => {
        const refused = await this.#removeStates(groupId, new Map([[topicId, partitions]]))
        outcomes.set(topicId, refused ?? { error: 'NONE' })
      }),
    )
    const done = [...outcomes].filter(([, { error }]) => error === 'NONE').map(([topicId]) => topicId)
    const error = await this.#groups.ask<ErrorName>(
      groupId,
      refused => refused,
      (shard, ticket, nowMs) => shard.shares.offsetsDeleted(groupId, done, ticket, nowMs),
    )
    return error === 'NONE' ? outcomes : error
  }
}

function placesToAssignment(places: readonly Place[]): Assignment {
  const topics = new Map<string, Set<number>>()
  for (const { topicId, partition } of places) {
    const partitions = topics.get(topicId) ?? new Set<number>()
    topics.set(topicId, partitions.add(partition))
  }
  return topics
}
