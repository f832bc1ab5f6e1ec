/** Streams groups under test: heartbeats by hand, and members that behave as Kafka Streams' threads do. */
import type { Assignment } from '#broker/coordinator/groups/modern/assignment.ts'
import type { StreamsAnswer, StreamsHeartbeat } from '#broker/coordinator/groups/streams/streams-heartbeat.ts'
import { tasksOf, type TaskKind } from '#broker/coordinator/groups/streams/tasks.ts'
import type { Subtopology, Topology } from '#broker/coordinator/groups/streams/topology.ts'
import { ConsumerHarness } from '../modern/consumer-harness.ts'

export const info = (name: string, partitions = 0) => ({ name, partitions, replicationFactor: 0, topicConfigs: [] })

export const subtopology = (over: Partial<Subtopology> & { subtopologyId: string }): Subtopology => ({
  sourceTopics: [],
  sourceTopicRegex: [],
  stateChangelogTopics: [],
  repartitionSinkTopics: [],
  repartitionSourceTopics: [],
  copartitionGroups: [],
  ...over,
})

/** `in` is read and written to `again`, from which words are counted. */
export const counting: Topology = {
  epoch: 0,
  subtopologies: [
    subtopology({ subtopologyId: '0', sourceTopics: ['in'], repartitionSinkTopics: ['again'] }),
    subtopology({
      subtopologyId: '1',
      repartitionSourceTopics: [info('again')],
      stateChangelogTopics: [info('store-changelog')],
    }),
  ],
}

export const topicsOfCounting = (partitions: number) => ({
  in: partitions,
  again: partitions,
  'store-changelog': partitions,
})

/** `0_0 1_2` */
export function names(tasks: Assignment | undefined, kind: TaskKind = 'active'): string {
  const lists = tasksOf(tasks ?? new Map())[kind]
  return lists.flatMap(({ subtopologyId, partitions }) => partitions.map(each => `${subtopologyId}_${each}`)).join(' ')
}

export class StreamsHarness extends ConsumerHarness {
  beatStreams(over: Partial<StreamsHeartbeat> & { memberId: string }): StreamsAnswer {
    const box: { answer: StreamsAnswer | undefined } = { answer: undefined }
    const joins = (over.memberEpoch ?? 0) === 0
    const request: StreamsHeartbeat = {
      groupId: 'g',
      memberEpoch: 0,
      endpointEpoch: 0,
      rackId: null,
      rebalanceTimeoutMs: joins ? 30_000 : -1,
      clientId: 'client',
      clientHost: '/127.0.0.1',
      topology: joins ? counting : null,
      owned: joins ? new Map() : null,
      processId: joins ? over.memberId : null,
      userEndpoint: null,
      clientTags: null,
      shutdownApplication: false,
      ...over,
    }
    const ticket = { resolve: (answer: StreamsAnswer) => void (box.answer = answer) }
    this.step(shard => shard.streamsHeartbeat(request, ticket, this.nowMs))
    if (box.answer === undefined) throw new Error('an answer was expected')
    return box.answer
  }

  get streams() {
    return this.shard.streamsGroup('g')
  }
}

/** A thread that does what it is told: gives up first, says so with its next heartbeat, takes what it is given. */
export class StreamsThread {
  readonly #harness: StreamsHarness
  readonly memberId: string
  readonly processId: string
  epoch = 0
  tasks: Assignment = new Map()
  last: StreamsAnswer | undefined

  constructor(harness: StreamsHarness, memberId: string, processId = memberId) {
    this.#harness = harness
    this.memberId = memberId
    this.processId = processId
  }

  get isIn(): boolean {
    return this.epoch > 0
  }

  /** @param lost  the answer does not arrive: the thread knows and has what it did before */
  beat(over: Partial<StreamsHeartbeat> = {}, lost = false): StreamsAnswer {
    const { memberId, processId, epoch, tasks } = this
    const joins = epoch === 0
    const said = joins ? { processId } : { owned: tasks }
    const answer = this.#harness.beatStreams({ memberId, memberEpoch: epoch, ...said, ...over })
    if (lost) return answer
    this.last = answer
    if (answer.error !== 'NONE') this.lose()
    else {
      this.epoch = answer.memberEpoch
      this.tasks = answer.tasks ?? tasks
    }
    return answer
  }

  leave(): void {
    this.#harness.beatStreams({ memberId: this.memberId, memberEpoch: -1 })
    this.lose()
  }

  /** It died, or was fenced: it has nothing any more, and begins anew. */
  lose(): void {
    this.epoch = 0
    this.tasks = new Map()
  }
}
