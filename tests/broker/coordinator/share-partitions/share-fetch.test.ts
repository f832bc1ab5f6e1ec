/** How much a share fetch reads, and when: over share partitions that let everything be acquired. */
import { beforeEach, expect, test } from 'vitest'
import { shareFetch, type ShareFetch } from '#broker/coordinator/share-partitions/share-fetch.ts'
import type { SharePartitions } from '#broker/coordinator/share-partitions/share-partitions.ts'
import { buildBatch } from '#broker/protocol/records/batch-build.ts'
import type { ParkedOperation } from '#broker/replication/purgatory.ts'
import type { LocalReplica } from '#broker/replication/local-replica.ts'

const batchBytes = 10_000
const batch = (baseOffset: number): Buffer =>
  buildBatch([{ value: Buffer.alloc(batchBytes) }], { baseOffset, timestamp: 0 })

interface Opened {
  readonly key: { readonly topicId: string; readonly partition: number }
  readonly replica: { endOffset: () => number; read: (options: { maxBytes: number }) => unknown }
  readonly machine: { canAcquire: () => boolean; nextFetchOffset: () => number; acquire: (request: Asked) => unknown }
}
interface Asked {
  readonly batches: readonly { readonly baseOffset: number; readonly lastOffset: number }[]
}

/** Batches of one record. */
let batches: number
let roomBytes: number
let nowMs: number
let parked: ParkedOperation<LocalReplica>[]
let opened: Opened[]

function open(partition: number): Opened {
  return {
    key: { topicId: 'topic', partition },
    replica: {
      endOffset: () => batches,
      read: ({ maxBytes }) => {
        const all = Array.from({ length: batches }, (_, index) => batch(index))
        const count = Math.max(1, Math.floor(maxBytes / batch(0).length))
        return { error: 'NONE', records: Buffer.concat(all.slice(0, count)), abortedTransactions: [] }
      },
    },
    machine: {
      canAcquire: () => true,
      nextFetchOffset: () => 0,
      acquire: asked => asked.batches.map(each => ({ firstOffset: each.baseOffset, lastOffset: each.lastOffset })),
    },
  }
}

beforeEach(() => {
  batches = 3
  roomBytes = Infinity
  nowMs = 0
  parked = []
  opened = [open(0), open(1)]
})

function ask(fields: Partial<ShareFetch> = {}) {
  const partitions = {
    options: {
      environment: { clock: { monotonicMs: () => nowMs } },
      replicas: { park: (operation: ParkedOperation<LocalReplica>) => parked.push(operation) },
    },
    settings: () => ({ isReadCommitted: false }),
    open: (_: string, place: { partition: number }) => opened[place.partition],
    isGood: () => true,
    step: (on: Opened, work: (machine: Opened['machine'], nowMs: number) => unknown) => work(on.machine, 0),
  } as unknown as SharePartitions
  return shareFetch(
    {
      groupId: 'group',
      memberId: 'member',
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: 1 << 20,
      room: () => roomBytes,
      maxRecords: 100,
      batchSize: 100,
      mode: 0,
      places: [0, 1].map(partition => ({ topicId: 'topic', partition })),
      connection: { onClose: () => () => undefined },
      ...fields,
    },
    partitions,
  )
}

const countsOf = (fetched: Awaited<ReturnType<typeof ask>>): number[] => fetched.map(each => each.acquired.length)

test('brings what there is of every partition', async () => {
  expect(countsOf(await ask())).toEqual([3, 3])
})

test('brings one batch while much is held for clients that do not read', async () => {
  roomBytes = 1
  expect(countsOf(await ask({ minBytes: 100_000 }))).toEqual([1])
})

test.each([
  [1, [1]],
  [0, []],
])('has after a wait the room that there is then: %i bytes', async (room, counts) => {
  batches = 0
  const waiting = ask()
  expect(parked).toHaveLength(1)
  batches = 3
  roomBytes = room
  const [waits] = parked
  expect(waits?.isReady(opened[0]?.replica as unknown as LocalReplica)).toBe(true)
  nowMs = 500
  waits?.complete()
  expect(countsOf(await waiting)).toEqual(counts)
})
