/** Observations for tests: a healthy cluster of three brokers with one partition, of which a test changes what it is about. */
import type {
  Known,
  Observation,
  ObservedGroup,
  ObservedLog,
  ObservedPartition,
  ObservedQuorum,
  ObservedTransaction,
} from '#scripts/observe/model.ts'

export function log(logEndOffset: number, highWatermark: Known<number> = logEndOffset): ObservedLog {
  return { logEndOffset, leaderEpoch: 3, highWatermark, lastStableOffset: highWatermark, logStartOffset: 0 }
}

export function partition(changed: Partial<ObservedPartition> = {}): ObservedPartition {
  return {
    name: 'orders-0',
    leader: 1,
    leaderEpoch: 3,
    replicas: [1, 2, 3],
    isr: [1, 2, 3],
    elr: [],
    lastKnownElr: [],
    offline: [],
    highWatermark: 10,
    lastStableOffset: 10,
    logStartOffset: 0,
    logs: { '1': log(10), '2': log(10), '3': log(10) },
    ...changed,
  }
}

export function group(changed: Partial<ObservedGroup> = {}): ObservedGroup {
  return {
    type: 'consumer',
    state: 'Stable',
    coordinator: 2,
    epoch: 4,
    assignmentEpoch: 4,
    assignor: 'uniform',
    members: [member('m-1', ['orders-0'])],
    offsets: { 'orders-0': { committed: 7, lag: 3 } },
    ...changed,
  }
}

export function member(id: string, assignment: readonly string[]): ObservedGroup['members'][number] {
  return { id, instanceId: null, clientId: `client of ${id}`, clientHost: '/127.0.0.1', epoch: 4, assignment }
}

export function quorum(changed: Partial<ObservedQuorum> = {}): ObservedQuorum {
  const replica = (id: number, logEndOffset: Known<number>) => ({
    id,
    logEndOffset,
    lag: 0,
    lastFetchTimestamp: null,
    lastCaughtUpTimestamp: null,
  })
  return {
    leader: 1,
    epoch: 5,
    highWatermark: 100,
    voters: [replica(1, 100), replica(2, 100), replica(3, 100)],
    observers: [],
    ...changed,
  }
}

export function transaction(changed: Partial<ObservedTransaction> = {}): ObservedTransaction {
  return {
    state: 'Ongoing',
    coordinator: 1,
    producerId: '4000',
    producerEpoch: 2,
    timeoutMs: 60_000,
    startedAt: 1,
    partitions: ['orders-0'],
    ...changed,
  }
}

export interface Scene {
  readonly partition?: Known<ObservedPartition>
  readonly topicId?: string
  readonly topic?: 'absent'
  readonly group?: Known<ObservedGroup | null>
  readonly transaction?: Known<ObservedTransaction | null>
  readonly quorum?: Known<ObservedQuorum>
  readonly silent?: readonly number[]
  readonly fenced?: readonly number[]
}

/** Of everything, with the partition `orders-0`, the group `readers` and the transactional id `payer`. */
export function observation(scene: Scene = {}): Omit<Observation, 'changes'> {
  const { silent = [], fenced = [], topicId = 'T' } = scene
  return {
    sequence: 1,
    atMs: 0,
    tookMs: 5,
    brokers: [1, 2, 3].map(id => ({
      id,
      answers: silent.includes(id) ? { unknown: `broker ${id} gave no answer within 1000 ms` } : true,
      registration: fenced.includes(id) ? 'fenced' : 'alive',
      host: '127.0.0.1',
      port: 9091 + id,
      rack: null,
    })),
    quorum: scene.quorum ?? quorum(),
    topics: {
      orders: scene.topic === 'absent' ? null : { topicId, partitions: { '0': scene.partition ?? partition() } },
    },
    groups: { readers: scene.group === undefined ? group() : scene.group },
    transactions: { payer: scene.transaction === undefined ? transaction() : scene.transaction },
  }
}
