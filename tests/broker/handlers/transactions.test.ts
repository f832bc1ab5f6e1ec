/** Transactional records from Produce to a read_committed Fetch: verification (KIP-890), markers, and what each version says. */
import { describe, expect, test } from 'vitest'
import { errorCode, errorName, type ErrorName } from '#broker/protocol/errors.ts'
import type { FetchResponse } from '#broker/protocol/messages/01-fetch.ts'
import type { ListOffsetsResponse } from '#broker/protocol/messages/02-list-offsets.ts'
import type { ProduceResponse } from '#broker/protocol/messages/00-produce.ts'
import type { WriteTxnMarkersResponse } from '#broker/protocol/messages/27-write-txn-markers.ts'
import type { DescribeProducersResponse } from '#broker/protocol/messages/61-describe-producers.ts'
import { buildBatch } from '#broker/protocol/records/batch-build.ts'
import { allRecords } from '#broker/protocol/records/batch-read.ts'
import { startWallMs, TestCluster } from '../replication/test-cluster.ts'

interface Send {
  readonly producerId?: bigint
  readonly epoch?: number
  readonly sequence?: number
  readonly transactional?: boolean
  readonly transactionalId?: string | null
  readonly version?: number
  readonly partition?: number
}

function batchOf(value: string, options: Send): Buffer {
  const { producerId = 7n, epoch = 0, sequence = 0, transactional = true } = options
  return buildBatch([{ key: value, value }], {
    timestamp: startWallMs,
    ...(producerId < 0n ? {} : { producerId, producerEpoch: epoch, baseSequence: sequence, transactional }),
  })
}

async function send(cluster: TestCluster, value: string, options: Send = {}) {
  const { transactionalId = 'pay', version = 11, partition = 0 } = options
  const body = {
    transactionalId,
    acks: -1,
    timeoutMs: 1000,
    topicData: [{ name: 'events', partitionData: [{ index: partition, records: batchOf(value, options) }] }],
  }
  const reply = await cluster.until(cluster.broker(1).request<ProduceResponse>(0, version, body))
  const answer = reply!.responses[0]!.partitionResponses[0]!
  return answer.errorCode === 0 ? answer.baseOffset : errorName(answer.errorCode)
}

interface End {
  readonly commit: boolean
  readonly producerId?: bigint
  readonly epoch?: number
  readonly coordinatorEpoch?: number
  readonly transactionVersion?: number
  readonly partition?: number
}

async function end(cluster: TestCluster, options: End): Promise<ErrorName> {
  const { commit, producerId = 7n, epoch = 0, coordinatorEpoch = 1, transactionVersion = 0, partition = 0 } = options
  const reply = await cluster.until(
    cluster.broker(1).request<WriteTxnMarkersResponse>(27, 2, {
      markers: [
        {
          producerId,
          producerEpoch: epoch,
          transactionResult: commit,
          topics: [{ name: 'events', partitionIndexes: [partition] }],
          coordinatorEpoch,
          transactionVersion,
        },
      ],
    }),
  )
  return errorName(reply!.markers[0]!.topics[0]!.partitions[0]!.errorCode)
}

async function fetched(cluster: TestCluster, options: { version?: number; broker?: number; isolation?: number } = {}) {
  const { version = 12, broker = 1, isolation = 1 } = options
  const reply = await cluster.until(
    cluster.broker(broker).request<FetchResponse>(1, version, {
      maxWaitMs: 0,
      minBytes: 1,
      maxBytes: 1 << 20,
      isolationLevel: isolation,
      sessionEpoch: -1,
      topics: [
        {
          ...(version >= 13 ? { topicId: cluster.image.topicsByName.get('events')!.id } : { topic: 'events' }),
          partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1 << 20 }],
        },
      ],
    }),
  )
  const answer = reply!.responses[0]!.partitions[0]!
  return {
    values: [...allRecords(answer.records ?? Buffer.alloc(0))].map(({ value }) => String(value)),
    lastStableOffset: answer.lastStableOffset,
    highWatermark: answer.highWatermark,
    aborted: answer.abortedTransactions,
  }
}

async function latest(cluster: TestCluster, isolationLevel: number): Promise<number> {
  const reply = await cluster.until(
    cluster.broker(1).request<ListOffsetsResponse>(2, 8, {
      replicaId: -1,
      isolationLevel,
      topics: [{ name: 'events', partitions: [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1 }] }],
    }),
  )
  return reply!.topics[0]!.partitions[0]!.offset
}

function one(settings: Record<string, string> = {}): TestCluster {
  const cluster = new TestCluster(1, settings)
  cluster.createTopic('events', [1])
  return cluster
}

describe('a transaction', () => {
  test('is seen by read_committed only when it was committed, and in order', async () => {
    const cluster = one()
    expect(await send(cluster, 'plain', { producerId: -1n })).toBe(0)
    expect(await send(cluster, 'a')).toBe(1)
    expect(await send(cluster, 'later', { producerId: -1n })).toBe(2)
    expect(await fetched(cluster)).toMatchObject({ values: ['plain'], lastStableOffset: 1, highWatermark: 3 })
    expect((await fetched(cluster, { isolation: 0 })).values).toEqual(['plain', 'a', 'later'])
    expect(await latest(cluster, 1)).toBe(1)
    expect(await latest(cluster, 0)).toBe(3)
    expect(await end(cluster, { commit: true })).toBe('NONE')
    expect(await fetched(cluster)).toMatchObject({ values: ['plain', 'a', 'later'], lastStableOffset: 4, aborted: [] })
    expect(await latest(cluster, 1)).toBe(4)
  })

  test.each([4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18])(
    'that was aborted is named to read_committed readers of version %i',
    async version => {
      const cluster = one()
      await send(cluster, 'a')
      await send(cluster, 'b', { producerId: 8n })
      expect(await end(cluster, { commit: false })).toBe('NONE')
      expect(await fetched(cluster, { version })).toMatchObject({ aborted: [{ producerId: 7n, firstOffset: 0 }] })
      expect(await fetched(cluster, { version, isolation: 0 })).toMatchObject({ aborted: null, values: ['a', 'b'] })
    },
  )

  test('that was aborted is the same on a follower that becomes the leader', async () => {
    const cluster = new TestCluster(2)
    cluster.createTopic('events', [1, 2])
    await send(cluster, 'a')
    await end(cluster, { commit: false })
    await send(cluster, 'b', { sequence: 1 })
    await cluster.until(Promise.resolve(), 2000)
    const leader = cluster.broker(1).replica('events').log
    const follower = cluster.broker(2).replica('events').log
    expect(follower.logEndOffset).toBe(leader.logEndOffset)
    expect(follower.producers()).toEqual(leader.producers())
    expect(follower.firstUnstableOffset()).toBe(2)
    expect(follower.abortedTransactions?.(0, 3)).toEqual(leader.abortedTransactions?.(0, 3))
    expect(follower.abortedTransactions?.(0, 3)).toHaveLength(1)
  })
})

describe('before a transaction begins in a partition', () => {
  test('its coordinator is asked once, and not for the batches that follow', async () => {
    const cluster = one()
    const asked: string[] = []
    cluster.verifyTransaction = (transaction, partitions, support) => {
      asked.push(`${transaction.transactionalId} ${support} ${partitions.map(each => each.partition).join()}`)
      return Promise.resolve(['NONE'])
    }
    expect(await send(cluster, 'a')).toBe(0)
    expect(await send(cluster, 'b', { sequence: 1 })).toBe(1)
    expect(asked).toEqual(['pay generic-error 0'])
    await end(cluster, { commit: true })
    expect(await send(cluster, 'c', { sequence: 2 })).toBe(3)
    expect(asked).toHaveLength(2)
  })

  test.each([
    ['INVALID_TXN_STATE', 11, 'INVALID_TXN_STATE'],
    ['TRANSACTION_ABORTABLE', 11, 'TRANSACTION_ABORTABLE'],
    ['INVALID_PRODUCER_EPOCH', 11, 'INVALID_PRODUCER_EPOCH'],
    ['COORDINATOR_NOT_AVAILABLE', 11, 'NOT_ENOUGH_REPLICAS'],
    ['NOT_COORDINATOR', 12, 'NOT_ENOUGH_REPLICAS'],
    ['NETWORK_EXCEPTION', 9, 'NOT_ENOUGH_REPLICAS'],
    ['COORDINATOR_LOAD_IN_PROGRESS', 12, 'NOT_ENOUGH_REPLICAS'],
    ['CONCURRENT_TRANSACTIONS', 11, 'NOT_ENOUGH_REPLICAS'],
    ['CONCURRENT_TRANSACTIONS', 12, 'CONCURRENT_TRANSACTIONS'],
  ] as const)('its answer %s reaches a producer of version %i as %s', async (answer, version, told) => {
    const cluster = one()
    cluster.verifyTransaction = () => Promise.resolve([answer])
    expect(await send(cluster, 'a', { version })).toBe(told)
    expect(cluster.broker(1).replica('events').log.logEndOffset).toBe(0)
  })

  test('a coordinator that is completing the one before is asked again for a moment, since Produce v12', async () => {
    const cluster = one()
    let asked = 0
    cluster.verifyTransaction = () => Promise.resolve([++asked < 3 ? 'CONCURRENT_TRANSACTIONS' : 'NONE'])
    expect(await send(cluster, 'a', { version: 12 })).toBe(0)
    expect(asked).toBe(3)
  })

  test('what the producer sends meanwhile waits behind it, whoever is answered first', async () => {
    const cluster = one()
    const answers: (() => void)[] = []
    cluster.verifyTransaction = () => new Promise(resolve => answers.push(() => resolve(['NONE'])))
    const first = send(cluster, 'a', { version: 12 })
    const second = send(cluster, 'b', { version: 12, sequence: 1 })
    const third = send(cluster, 'c', { version: 12, sequence: 2 })
    for (const answer of answers.splice(0).reverse()) answer()
    expect(await Promise.all([first, second, third])).toEqual([0, 1, 2])
    expect(answers).toEqual([])
  })

  test('an answer is worth nothing once a marker was written', async () => {
    const cluster = one()
    let answer: (() => void) | undefined
    cluster.verifyTransaction = () =>
      new Promise(resolve => {
        answer = () => resolve(['NONE'])
      })
    const late = send(cluster, 'a')
    expect(await end(cluster, { commit: false })).toBe('NONE')
    answer?.()
    expect(await late).toBe('INVALID_TXN_STATE')
  })

  test('since Produce v12 the coordinator is asked again when a marker came between', async () => {
    const cluster = one()
    const answers: (() => void)[] = []
    cluster.verifyTransaction = () => new Promise(resolve => answers.push(() => resolve(['NONE'])))
    const late = send(cluster, 'a', { version: 12 })
    // The end of the producer's transaction before this one, which it need not wait for.
    expect(await end(cluster, { commit: true })).toBe('NONE')
    answers.shift()?.()
    await cluster.until(Promise.resolve())
    answers.shift()?.()
    expect(await late).toBe(1)
  })

  test('a marker that came between is never held against the producer, also when the coordinator took long', async () => {
    const cluster = one({ 'add.partitions.to.txn.retry.backoff.max.ms': '100' })
    const answers: (() => void)[] = []
    cluster.verifyTransaction = () => new Promise(resolve => answers.push(() => resolve(['NONE'])))
    const late = send(cluster, 'a', { version: 12 })
    expect(await end(cluster, { commit: true })).toBe('NONE')
    await cluster.time.run(200)
    answers.shift()?.()
    expect(await late).toBe('CONCURRENT_TRANSACTIONS')
    const again = send(cluster, 'a', { version: 12 })
    answers.shift()?.()
    expect(await again).toBe(1)
  })

  test('a higher sequence waits until the lowest one seen was written', async () => {
    const cluster = one()
    let answers: (ErrorName | 'NONE')[] = ['NETWORK_EXCEPTION']
    cluster.verifyTransaction = () => Promise.resolve([answers.shift() ?? 'NONE'])
    expect(await send(cluster, 'first', { sequence: 3 })).toBe('NOT_ENOUGH_REPLICAS')
    expect(await send(cluster, 'second', { sequence: 4 })).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
    answers = []
    expect(await send(cluster, 'first', { sequence: 3 })).toBe(0)
    expect(await send(cluster, 'second', { sequence: 4 })).toBe(1)
  })

  test('an unknown producer begins at sequence 0 since Produce v12', async () => {
    expect(await send(one(), 'a', { version: 12, sequence: 5 })).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
    expect(await send(one(), 'a', { version: 12, sequence: 0 })).toBe(0)
  })

  test('nobody is asked when transaction.partition.verification.enable is false', async () => {
    const cluster = one({ 'transaction.partition.verification.enable': 'false' })
    cluster.verifyTransaction = () => Promise.reject(new Error('asked'))
    expect(await send(cluster, 'a')).toBe(0)
  })

  test('the records wait in memory of their own', async () => {
    const cluster = one()
    const records = batchOf('a', {})
    let answer: (() => void) | undefined
    cluster.verifyTransaction = () =>
      new Promise(resolve => {
        answer = () => resolve(['NONE'])
      })
    const replicas = cluster.broker(1).manager
    const target = replicas.find('events', 0)
    const transaction = { transactionalId: 'pay', producerId: 7n, producerEpoch: 0 }
    const appended = replicas.append(
      [{ target, records }],
      { requiredAcks: 1, timeoutMs: 1000, connection: { onClose: () => () => {} } },
      { transaction, support: 'generic-error', baseSequences: [0] },
    )
    records.fill(0)
    answer?.()
    expect((await appended)[0]).toMatchObject({ error: 'NONE', baseOffset: 0 })
  })
})

describe('a request is refused as a whole', () => {
  test('without a transactional id', async () => {
    expect(await send(one(), 'a', { transactionalId: null })).toBe('TRANSACTIONAL_ID_AUTHORIZATION_FAILED')
  })

  test('with records of two producers', async () => {
    const cluster = new TestCluster(1)
    cluster.createTopic('events', [1], {}, 2)
    const reply = await cluster.broker(1).request<ProduceResponse>(0, 12, {
      transactionalId: 'pay',
      acks: -1,
      timeoutMs: 1000,
      topicData: [
        {
          name: 'events',
          partitionData: [
            { index: 0, records: batchOf('a', { producerId: 1n }) },
            { index: 1, records: batchOf('b', { producerId: 2n }) },
          ],
        },
      ],
    })
    const errors = reply!.responses[0]!.partitionResponses.map(each => errorName(each.errorCode))
    expect(errors).toEqual(['INVALID_PRODUCER_ID_MAPPING', 'INVALID_PRODUCER_ID_MAPPING'])
  })
})

describe('markers', () => {
  test('of an older epoch or coordinator are refused', async () => {
    const cluster = one()
    await send(cluster, 'a', { epoch: 3 })
    expect(await end(cluster, { commit: true, epoch: 2 })).toBe('INVALID_PRODUCER_EPOCH')
    expect(await end(cluster, { commit: true, epoch: 3, coordinatorEpoch: 5 })).toBe('NONE')
    expect(await end(cluster, { commit: true, epoch: 3, coordinatorEpoch: 4 })).toBe('TRANSACTION_COORDINATOR_FENCED')
  })

  test('need a raised epoch since transactions version 2, except when they are written again', async () => {
    const cluster = one()
    await send(cluster, 'a', { version: 12 })
    expect(await end(cluster, { commit: true, epoch: 0, transactionVersion: 2 })).toBe('INVALID_PRODUCER_EPOCH')
    expect(await end(cluster, { commit: true, epoch: 1, transactionVersion: 2 })).toBe('NONE')
    expect(await end(cluster, { commit: true, epoch: 1, transactionVersion: 2 })).toBe('NONE')
    expect(await send(cluster, 'b', { version: 12, epoch: 1 })).toBe(3)
    expect(await end(cluster, { commit: true, epoch: 1, transactionVersion: 2 })).toBe('INVALID_PRODUCER_EPOCH')
    expect(await send(cluster, 'late', { version: 12, epoch: 0, sequence: 1 })).toBe('INVALID_PRODUCER_EPOCH')
  })

  test('at the largest epoch cannot raise it', async () => {
    const cluster = one()
    await send(cluster, 'a', { version: 12, epoch: 32767 })
    expect(await end(cluster, { commit: true, epoch: 32767, transactionVersion: 2 })).toBe('NONE')
  })

  test('for partitions that are not here', async () => {
    expect(await end(one(), { commit: true, partition: 9 })).toBe('UNKNOWN_TOPIC_OR_PARTITION')
  })

  test('are answered when all in-sync replicas have them', async () => {
    const cluster = new TestCluster(2)
    cluster.createTopic('events', [1, 2])
    await send(cluster, 'a')
    cluster.cut.add('2>1')
    let answered: ErrorName | undefined
    const ended = end(cluster, { commit: true }).then(error => (answered = error))
    await Promise.resolve()
    expect(answered).toBeUndefined()
    cluster.cut.clear()
    expect(await ended).toBe('NONE')
    expect(cluster.broker(1).replica('events').highWatermark).toBe(2)
  })
})

test('DescribeProducers tells the producers of a partition, open transactions with their start', async () => {
  const cluster = one()
  await send(cluster, 'a', { sequence: 4 })
  await send(cluster, 'b', { producerId: 9n, transactional: false })
  const reply = await cluster.broker(1).request<DescribeProducersResponse>(61, 0, {
    topics: [
      { name: 'events', partitionIndexes: [0, 1] },
      { name: 'no such', partitionIndexes: [0] },
    ],
  })
  const [known, unknown] = reply!.topics[0]!.partitions
  expect(known!.activeProducers).toMatchObject([
    { producerId: 7n, producerEpoch: 0, lastSequence: 4, coordinatorEpoch: -1, currentTxnStartOffset: 0 },
    { producerId: 9n, producerEpoch: 0, lastSequence: 0, coordinatorEpoch: -1, currentTxnStartOffset: -1 },
  ])
  expect(unknown!.errorCode).toBe(errorCode('UNKNOWN_TOPIC_OR_PARTITION'))
  expect(reply!.topics[1]!.partitions[0]!.errorCode).toBe(errorCode('INVALID_TOPIC_EXCEPTION'))
})
