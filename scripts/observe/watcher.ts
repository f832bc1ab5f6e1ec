/**
 * One look at a cluster after the other. Every broker is asked at the same time; whoever does not answer within the limit is unknown in this
 * look, and holds up no further one until it answers again.
 *
 * It remembers what can only grow (leader epochs, the epoch of the quorum), so that a broker that tells of older ones is not believed.
 */
import { Changes, type Wholeness } from './changes.ts'
import { askGroups, oneOfEach, type ToldGroup } from './groups.ts'
import { answered, Lines, type ObservableCluster, reasonsOf } from './lines.ts'
import {
  askCluster,
  askTopics,
  believed,
  type ClusterView,
  LeaderEpochs,
  mergeTopic,
  type TopicView,
} from './metadata.ts'
import {
  isUnknown,
  known,
  unknown,
  type Known,
  type Observation,
  type ObservedBroker,
  type ObservedGroup,
  type ObservedQuorum,
  type ObservedTopic,
  type ObservedTransaction,
  type Unknown,
  type Watch,
} from './model.ts'
import { askPartitions, type PartitionStates, type TrustedTopic } from './partitions.ts'
import { askQuorum, newestQuorum } from './quorum.ts'
import { askTransactions } from './transactions.ts'

/** How long a broker may take for one answer, ms. */
export const defaultAnswerMs = 1_000

type Found<T> = ReadonlyMap<string, Known<T | null>>
type Topics = Found<TopicView>
type Listed = keyof Wholeness

export class Watcher {
  readonly #cluster: ObservableCluster
  readonly #watch: Watch
  readonly #lines: Lines
  readonly #changes = new Changes()
  readonly #seen = { topics: new Set<string>(), groups: new Set<string>(), transactions: new Set<string>() }
  readonly #leaderEpochs = new LeaderEpochs()
  #quorumEpoch = -1
  #believedLast: number | undefined
  #sequence = 0
  readonly #whole = { topics: false, groups: false, transactions: false }
  /** Why it is not known which there are, where none are known and all were asked for. */
  readonly #unlisted: { [kind in Listed]?: Unknown } = {}

  constructor(cluster: ObservableCluster, watch: Watch, answerMs = defaultAnswerMs) {
    this.#cluster = cluster
    this.#watch = watch
    this.#lines = new Lines(cluster, answerMs)
    const { topics = [], groups = [], transactions = [] } = watch
    if (typeof topics !== 'string') for (const name of topics) this.#seen.topics.add(name)
    if (typeof groups !== 'string') for (const id of groups) this.#seen.groups.add(id)
    if (typeof transactions !== 'string') for (const id of transactions) this.#seen.transactions.add(id)
  }

  /** Never takes longer than a few times the limit for one answer; afterwards nobody who was silent is waited for. */
  async look(): Promise<Observation> {
    const { topics: wanted, groups: wantedGroups } = this.#watch
    const atMs = this.#cluster.clock.nowMs()
    const [quorum, views, groups, transactions] = await Promise.all([
      this.#lookAtQuorum(),
      this.#lines.each('state', askCluster),
      this.#lookAtGroups(),
      this.#lookAtTransactions(),
    ])
    const answering = [...answered(views).keys()]
    const trusted = answering.length === 0 ? [] : believed(answering, quorum, this.#believedLast)
    this.#believedLast = trusted[0] ?? this.#believedLast
    for (const { id, host, port } of trusted.flatMap(broker => answered(views).get(broker)?.brokers ?? []))
      this.#lines.learn(id, { host, port })
    const topics = await this.#lookAtTopics(trusted, topicsOf(groups))
    const outdated = this.#leaderEpochs.outdated(topics)
    const current = trustedOf(topics, outdated)
    const states = await askPartitions(this.#lines, views, current, this.#watch.producers === true)
    const seen = {
      sequence: ++this.#sequence,
      atMs,
      brokers: this.#brokers(views, trusted),
      ...(this.#watch.quorum === true ? { quorum } : {}),
      ...(wanted === undefined
        ? {}
        : { topics: this.#unlisted.topics ?? this.#observedTopics(topics, states, outdated) }),
      ...(wantedGroups === undefined ? {} : { groups: this.#unlisted.groups ?? observedGroups(groups, states) }),
      ...(this.#watch.transactions === undefined
        ? {}
        : { transactions: this.#unlisted.transactions ?? Object.fromEntries(transactions) }),
    }
    return {
      ...seen,
      tookMs: this.#cluster.clock.nowMs() - atMs,
      changes: this.#changes.since(seen, { ...this.#whole }),
    }
  }

  close(): void {
    this.#lines.close()
  }

  /** Always asked: it says who has read furthest in the metadata log. */
  async #lookAtQuorum(): Promise<Known<ObservedQuorum>> {
    const quorum = newestQuorum(await this.#lines.each('quorum', askQuorum), this.#quorumEpoch)
    if (!isUnknown(quorum)) this.#quorumEpoch = quorum.epoch
    return quorum
  }

  async #lookAtGroups(): Promise<Found<ToldGroup>> {
    const { groups: wanted } = this.#watch
    if (wanted === undefined) return new Map()
    const told = await this.#lines.each('groups', async line => await askGroups(line, wanted))
    const reason = reasonsOf(told)
    this.#whole.groups = reason === ''
    const found = oneOfEach('group', told, this.#seen.groups)
    return this.#remember('groups', found, { isNamed: wanted !== 'all', reason })
  }

  async #lookAtTransactions(): Promise<Found<ObservedTransaction>> {
    const { transactions: wanted } = this.#watch
    if (wanted === undefined) return new Map()
    const told = await this.#lines.each('transactions', async line => await askTransactions(line, wanted))
    const reason = reasonsOf(told)
    this.#whole.transactions = reason === ''
    const found = oneOfEach('transactional id', told, this.#seen.transactions)
    return this.#remember('transactions', found, { isNamed: typeof wanted !== 'string', reason })
  }

  async #lookAtTopics(trusted: readonly number[], ofGroups: readonly string[]): Promise<Topics> {
    const { topics = [] } = this.#watch
    const names = topics === 'all' ? topics : [...new Set([...topics, ...ofGroups])]
    if (names !== 'all' && names.length === 0) return new Map()
    const told = await this.#lines.each('state', async line => await askTopics(line, names))
    const views = answered(told)
    const who = trusted.filter(broker => views.has(broker))
    this.#whole.topics = who.length > 0
    const all = new Set([...this.#seen.topics, ...ofGroups, ...[...views.values()].flatMap(view => [...view.keys()])])
    const reason = reasonsOf(told)
    const nobody = unknown(reason === '' ? 'no broker answers' : reason)
    const found = new Map(
      [...all].sort().map(name => {
        if (who.length === 0) return [name, nobody] as const
        return [name, mergeTopic(name, namedBy(views, name), who)] as const
      }),
    )
    return this.#remember('topics', found, {
      isNamed: topics !== 'all',
      reason: who.length === 0 ? nobody.unknown : '',
    })
  }

  /**
   * What is gone was told once; what is named goes on being told, and so does what is unknown.
   *
   * @param how  reason: why there may be more than what was found; empty when there is not
   */
  #remember<T>(
    kind: Listed,
    found: Found<T>,
    { isNamed, reason }: { readonly isNamed: boolean; readonly reason: string },
  ): Found<T> {
    if (isNamed) return found
    delete this.#unlisted[kind]
    if (found.size === 0 && reason !== '') this.#unlisted[kind] = unknown(reason)
    for (const [id, answer] of found) {
      if (answer === null) this.#seen[kind].delete(id)
      else this.#seen[kind].add(id)
    }
    return found
  }

  #brokers(views: ReadonlyMap<number, Known<ClusterView>>, trusted: readonly number[]): ObservedBroker[] {
    const view = trusted[0] === undefined ? undefined : known(views.get(trusted[0]))
    const nobody = unknown(reasonsOf(views))
    return this.#lines.brokers.map(id => {
      const found = view?.brokers.find(broker => broker.id === id)
      const { host, port } = found ?? this.#lines.endpointOf(id) ?? { host: '', port: 0 }
      const answer = views.get(id) ?? unknown(`broker ${id} was just heard of`)
      const absent = view?.tellsFenced === true ? 'not registered' : unknown('fenced or not registered')
      return {
        id,
        answers: isUnknown(answer) ? answer : true,
        registration: view === undefined ? nobody : (found?.registration ?? absent),
        host,
        port,
        rack: found?.rack ?? null,
      }
    })
  }

  #observedTopics(
    topics: Topics,
    states: PartitionStates,
    outdated: ReadonlyMap<string, Unknown>,
  ): Record<string, Known<ObservedTopic | null>> {
    const { topics: wanted } = this.#watch
    const named = [...topics].filter(([name]) => wanted === 'all' || wanted?.includes(name) === true)
    return Object.fromEntries(
      named.map(([name, view]) => [
        name,
        view === null || isUnknown(view) ? view : observedTopic(name, view, states, outdated),
      ]),
    )
  }
}

function observedTopic(
  name: string,
  { topicId, partitions }: TopicView,
  states: PartitionStates,
  outdated: ReadonlyMap<string, Unknown>,
): ObservedTopic {
  const ordered = [...partitions.values()].sort((a, b) => a.index - b.index)
  const observed = ordered.map(({ index, ...view }) => {
    const partition = `${name}-${index}`
    return [String(index), outdated.get(partition) ?? { name: partition, ...view, ...states.of(partition) }] as const
  })
  return { topicId, partitions: Object.fromEntries(observed) }
}

/** What every broker that listed the topic says of it; a broker that lists all and leaves it out says that there is none. */
function namedBy(views: ReadonlyMap<number, Topics>, name: string): Map<number, Topics> {
  return new Map([...views].map(([broker, view]) => [broker, view.has(name) ? view : new Map([[name, null]])]))
}

/** The topics of which committed offsets are compared with the high watermark. */
function topicsOf(groups: Found<ToldGroup>): string[] {
  return [...groups.values()].flatMap(group => {
    const offsets = known(known(group)?.offsets) ?? []
    return offsets.filter(({ lag }) => lag === undefined).map(({ topic }) => topic)
  })
}

/** Nobody is asked about what is outdated: an old leader would answer. */
function trustedOf(topics: Topics, outdated: ReadonlyMap<string, Unknown>): TrustedTopic[] {
  return [...topics].flatMap(([topic, view]) => {
    if (view === null || isUnknown(view)) return []
    return [
      { topic, partitions: [...view.partitions.values()].filter(({ index }) => !outdated.has(`${topic}-${index}`)) },
    ]
  })
}

function observedGroups(
  groups: Found<ToldGroup>,
  states: PartitionStates,
): Record<string, Known<ObservedGroup | null>> {
  return Object.fromEntries(
    [...groups].map(([id, group]) => {
      if (group === null || isUnknown(group)) return [id, group]
      return [id, { ...group, offsets: isUnknown(group.offsets) ? group.offsets : withLag(group.offsets, states) }]
    }),
  )
}

function withLag(offsets: Extract<ToldGroup['offsets'], readonly unknown[]>, states: PartitionStates) {
  const sorted = [...offsets].sort((a, b) => (a.topic === b.topic ? a.index - b.index : a.topic < b.topic ? -1 : 1))
  return Object.fromEntries(
    sorted.map(({ topic, index, committed, lag }) => {
      const name = `${topic}-${index}`
      const { highWatermark } = states.of(name)
      const behind = isUnknown(highWatermark) ? highWatermark : Math.max(0, highWatermark - committed)
      return [name, { committed, lag: lag ?? behind }]
    }),
  )
}
