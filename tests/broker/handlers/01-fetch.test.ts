/** Fetch over its wire format, against real logs: limits, waiting, sessions, epochs, and what each version says. */
import { describe, expect, test, vi } from 'vitest'
import { ServedRequest } from '#broker/handlers/request-context.ts'
import { errorCode } from '#broker/protocol/errors.ts'
import type { FetchResponse } from '#broker/protocol/messages/01-fetch.ts'
import { allRecords } from '#broker/protocol/records/batch-read.ts'
import { TestCluster } from '../replication/test-cluster.ts'

interface Ask {
  readonly version?: number
  readonly broker?: number
  readonly partitions?: readonly {
    partition?: number
    fetchOffset?: number
    partitionMaxBytes?: number
    currentLeaderEpoch?: number
    lastFetchedEpoch?: number
  }[]
  readonly topic?: string
  readonly topicId?: string
  readonly maxWaitMs?: number
  readonly minBytes?: number
  readonly maxBytes?: number
  readonly isolationLevel?: number
  readonly sessionId?: number
  readonly sessionEpoch?: number
  readonly replica?: { replicaId: number; replicaEpoch: number }
  readonly forgotten?: readonly number[]
  readonly rackId?: string
  readonly replyRoomBytes?: () => number
}

function ask(cluster: TestCluster, options: Ask = {}): Promise<FetchResponse | undefined> {
  const version = options.version ?? 12
  const named = version >= 13 ? { topicId: options.topicId } : { topic: options.topic ?? 'events' }
  const partitions = (options.partitions ?? [{}]).map(each => ({
    partition: 0,
    fetchOffset: 0,
    partitionMaxBytes: 1 << 20,
    ...each,
  }))
  const room = options.replyRoomBytes === undefined ? {} : { replyRoomBytes: options.replyRoomBytes }
  return cluster.broker(options.broker ?? 1).request<FetchResponse>(
    1,
    version,
    {
      ...(options.replica === undefined ? {} : { replicaState: options.replica }),
      maxWaitMs: options.maxWaitMs ?? 0,
      minBytes: options.minBytes ?? 1,
      maxBytes: options.maxBytes ?? 1 << 20,
      isolationLevel: options.isolationLevel ?? 0,
      sessionId: options.sessionId ?? 0,
      sessionEpoch: options.sessionEpoch ?? -1,
      topics: partitions.length === 0 ? [] : [{ ...named, partitions }],
      ...(options.rackId === undefined ? {} : { rackId: options.rackId }),
      forgottenTopicsData: options.forgotten === undefined ? [] : [{ ...named, partitions: options.forgotten }],
    },
    room,
  )
}

async function first(cluster: TestCluster, options: Ask = {}) {
  const reply = await cluster.until(ask(cluster, options))
  return reply!.responses[0]!.partitions[0]!
}

async function one(values: readonly string[] = [], partitions = 1): Promise<{ cluster: TestCluster; topicId: string }> {
  const cluster = new TestCluster(1)
  const topicId = cluster.createTopic('events', [1], {}, partitions)
  for (const value of values) await cluster.broker(1).produce('events', [value])
  return { cluster, topicId }
}

function valuesOf(records: Buffer | null): string[] {
  return [...allRecords(records ?? Buffer.alloc(0))].map(record => String(record.value))
}

test.each([4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18])('version %i reads', async version => {
  const { cluster, topicId } = await one(['a'])
  const reply = await ask(cluster, { version, topicId })
  const topic = reply!.responses[0]!
  expect(version >= 13 ? topic.topicId : topic.topic).toBe(version >= 13 ? topicId : 'events')
  expect(topic.partitions[0]).toMatchObject({
    errorCode: 0,
    highWatermark: 1,
    lastStableOffset: 1,
    preferredReadReplica: -1,
  })
  expect(valuesOf(topic.partitions[0]!.records)).toEqual(['a'])
})

test('a request that names very many partitions lets others have their turn, and is answered as any other', async () => {
  const { cluster, topicId } = await one(['a'])
  for (const version of [12, 13]) {
    const count = 20_000
    const partitions = Array.from({ length: count }, (_, index) => ({ partition: (index + 5) % count }))
    const order: string[] = []
    const large = ask(cluster, { version, topicId, partitions, sessionEpoch: 0 }).then(reply => {
      order.push('large')
      return reply
    })
    const small = ask(cluster, { version, topicId }).then(() => order.push('small'))
    await cluster.until(Promise.all([large, small]))
    expect(order).toEqual(['small', 'large'])
    const reply = (await large)!
    const answered = reply.responses.flatMap(each => each.partitions)
    expect(answered.map(({ partitionIndex }) => partitionIndex)).toEqual(partitions.map(({ partition }) => partition))
    const unknown = errorCode('UNKNOWN_TOPIC_OR_PARTITION')
    expect(answered.filter(each => each.errorCode !== unknown)).toMatchObject([{ partitionIndex: 0, errorCode: 0 }])
    expect(valuesOf(answered.find(({ partitionIndex }) => partitionIndex === 0)!.records)).toEqual(['a'])
    // All of it is in the session: who asks again is told of what cannot be read, and of the record once more.
    const { sessionId } = reply
    const again = (await cluster.until(ask(cluster, { version, topicId, partitions: [], sessionId, sessionEpoch: 1 })))!
    expect(again.responses.flatMap(each => each.partitions)).toHaveLength(count)
  }
})

test('what a request that names very many partitions reads is time that it took', async () => {
  const { cluster } = await one(['a'])
  const { manager } = cluster.broker(1)
  const read = manager.fetch.bind(manager)
  vi.spyOn(manager, 'fetch').mockImplementation((...asked) => {
    cluster.time.nowMs += 50
    return read(...asked)
  })
  const worked = vi.spyOn(ServedRequest.prototype, 'worked')
  try {
    await cluster.until(ask(cluster, { partitions: Array.from({ length: 20_000 }, (_, partition) => ({ partition })) }))
    expect(worked.mock.calls.reduce((sumMs, [durationMs]) => sumMs + durationMs, 0)).toBe(50)
  } finally {
    worked.mockRestore()
  }
})

test('a request that forgets very many partitions of a session lets others have their turn', async () => {
  const { cluster } = await one(['a'])
  const count = 20_000
  const named = Array.from({ length: count }, (_, partition) => ({ partition }))
  const { sessionId } = (await cluster.until(ask(cluster, { partitions: named, sessionEpoch: 0 })))!
  const order: string[] = []
  const forgotten = named.map(({ partition }) => partition)
  const large = ask(cluster, { partitions: [], forgotten, sessionId, sessionEpoch: 1 }).then(reply => {
    order.push('large')
    return reply
  })
  const small = ask(cluster).then(() => order.push('small'))
  await cluster.until(Promise.all([large, small]))
  expect(order).toEqual(['small', 'large'])
  // Nothing is left in it, so that it is closed.
  expect(await large).toMatchObject({ errorCode: 0, sessionId: 0, responses: [] })
})

describe('limits', () => {
  test('the first batch comes whatever its size, the second only if it fits', async () => {
    const { cluster } = await one(['a', 'b'])
    expect(valuesOf((await first(cluster, { maxBytes: 1 })).records)).toEqual(['a'])
    expect(valuesOf((await first(cluster, { partitions: [{ partitionMaxBytes: 1 }] })).records)).toEqual(['a'])
    expect(valuesOf((await first(cluster)).records)).toEqual(['a', 'b'])
  })

  test('while much is held for clients that do not read, one batch comes, and who wants to wait still waits', async () => {
    const { cluster } = await one(['a', 'b'])
    expect(valuesOf((await first(cluster, { replyRoomBytes: () => 1 })).records)).toEqual(['a'])
    let answered = false
    const atEnd = { partitions: [{ fetchOffset: 2 }], maxWaitMs: 500, replyRoomBytes: () => 1 }
    const waiting = ask(cluster, atEnd).then(reply => {
      answered = true
      return reply
    })
    await Promise.resolve()
    expect(answered).toBe(false)
    await cluster.broker(1).produce('events', ['c'])
    expect(valuesOf((await cluster.until(waiting))!.responses[0]!.partitions[0]!.records)).toEqual(['c'])
  })

  test.each([
    [1, ['a']],
    [0, []],
  ])('a fetch that waited has the room there is when it reads: %i bytes', async (room, values) => {
    const { cluster } = await one(['a'])
    let roomBytes = Infinity
    const options = { maxWaitMs: 300, minBytes: 100_000, replyRoomBytes: () => roomBytes }
    const waiting = ask(cluster, options)
    await cluster.broker(1).produce('events', ['b'])
    roomBytes = room
    await cluster.time.run(300)
    expect(valuesOf((await waiting)!.responses[0]!.partitions[0]!.records)).toEqual(values)
  })

  test('who wants more than there is room for does not wait for it', async () => {
    const { cluster } = await one(['a', 'b'])
    const options = { maxWaitMs: 10_000, minBytes: 100_000, replyRoomBytes: () => 1 }
    expect(valuesOf((await ask(cluster, options))!.responses[0]!.partitions[0]!.records)).toEqual(['a'])
  })

  test('followers are not held back by clients that do not read', async () => {
    const cluster = new TestCluster(2)
    const topicId = cluster.createTopic('events', [1, 2])
    for (const value of ['a', 'b']) await cluster.broker(1).produce('events', [value], { acks: 1 })
    const replica = { replicaId: 2, replicaEpoch: -1 }
    const read = (options: Ask) => first(cluster, { version: 15, topicId, replyRoomBytes: () => 0, ...options })
    expect(valuesOf((await read({ replica })).records)).toEqual(['a', 'b'])
    await cluster.time.run(1000)
    expect(valuesOf((await read({})).records)).toEqual([])
  })

  test.each([12, 13])(
    'version %i: a partition that is named often is read once, as it was named last',
    async version => {
      const { cluster, topicId } = await one(['a', 'b'], 2)
      const often = Array.from({ length: 1000 }, () => ({ fetchOffset: 0 }))
      const partitions = [...often, { partition: 1 }, { fetchOffset: 1 }]
      const reply = await cluster.until(ask(cluster, { version, topicId, partitions }))
      const answers = reply!.responses.flatMap(topic => topic.partitions)
      expect(answers.map(each => each.partitionIndex)).toEqual([0, 1])
      expect(valuesOf(answers[0]!.records)).toEqual(['b'])
    },
  )

  test('a full response leaves the later partitions empty', async () => {
    const { cluster } = await one([], 2)
    await cluster.broker(1).produce('events', ['a'], { partition: 0 })
    await cluster.broker(1).produce('events', ['b'], { partition: 1 })
    const reply = await ask(cluster, { maxBytes: 10, partitions: [{ partition: 1 }, { partition: 0 }] })
    expect(reply!.responses[0]!.partitions.map(each => valuesOf(each.records))).toEqual([['b'], []])
  })
})

describe('waiting', () => {
  test('ends after maxWaitMs with what there is', async () => {
    const { cluster } = await one(['a'])
    const waiting = ask(cluster, { maxWaitMs: 300, minBytes: 100_000 })
    await cluster.time.run(299)
    expect(cluster.broker(1).manager.parkedFetches).toBe(1)
    await cluster.time.run(1)
    expect(valuesOf((await waiting)!.responses[0]!.partitions[0]!.records)).toEqual(['a'])
  })

  test('ends when minBytes have come, counted over several appends', async () => {
    const { cluster } = await one()
    const waiting = ask(cluster, { maxWaitMs: 10_000, minBytes: 200 })
    for (const value of ['a', 'b']) {
      await cluster.broker(1).produce('events', [value])
      await cluster.time.run(10)
      expect(cluster.broker(1).manager.parkedFetches).toBe(1)
    }
    await cluster.broker(1).produce('events', ['c'])
    await cluster.time.settle()
    expect(valuesOf((await waiting)!.responses[0]!.partitions[0]!.records)).toEqual(['a', 'b', 'c'])
  })

  test('of a consumer is not ended by records that are not committed', async () => {
    const cluster = new TestCluster(2)
    cluster.createTopic('events', [1, 2])
    cluster.cut.add('2>1')
    const waiting = ask(cluster, { maxWaitMs: 5000 })
    await cluster.broker(1).produce('events', ['a'], { acks: 1 })
    await cluster.time.run(1000)
    expect(cluster.broker(1).manager.parkedFetches).toBe(1)
    cluster.cut.clear()
    expect(valuesOf((await cluster.until(waiting))!.responses[0]!.partitions[0]!.records)).toEqual(['a'])
  })

  test('is not ended by a topic that nobody knows', async () => {
    const { cluster } = await one()
    const waiting = cluster.broker(1).request<FetchResponse>(1, 12, {
      maxWaitMs: 300,
      minBytes: 1,
      topics: [
        { topic: 'nowhere', partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 100 }] },
        { topic: 'events', partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 100 }] },
      ],
    })
    await cluster.time.run(299)
    expect(cluster.broker(1).manager.parkedFetches).toBe(1)
    await cluster.time.run(1)
    const codes = (await waiting)!.responses.map(topic => topic.partitions[0]!.errorCode)
    expect(codes).toEqual([errorCode('UNKNOWN_TOPIC_OR_PARTITION'), 0])
  })

  test('does not begin for a reader whose log parts from ours', async () => {
    const { cluster } = await one(['a'])
    cluster.change('events', { leader: 1 })
    const answer = ask(cluster, { maxWaitMs: 60_000, partitions: [{ fetchOffset: 9, lastFetchedEpoch: 0 }] })
    await cluster.time.settle()
    expect(cluster.broker(1).manager.parkedFetches).toBe(0)
    expect((await answer)!.responses[0]!.partitions[0]!.divergingEpoch).toEqual({ epoch: 0, endOffset: 1 })
  })

  test('ends when the leadership goes', async () => {
    const cluster = new TestCluster(2)
    cluster.createTopic('events', [1, 2])
    const waiting = ask(cluster, { maxWaitMs: 60_000, version: 10 })
    cluster.change('events', { leader: 2 })
    await cluster.time.settle()
    expect((await waiting)!.responses[0]!.partitions[0]!.errorCode).toBe(errorCode('NOT_LEADER_OR_FOLLOWER'))
  })
})

describe('refusals', () => {
  test('an offset outside the log', async () => {
    const { cluster } = await one(['a'])
    const answer = await first(cluster, { partitions: [{ fetchOffset: 2 }] })
    expect(answer).toMatchObject({ errorCode: errorCode('OFFSET_OUT_OF_RANGE'), highWatermark: -1, logStartOffset: -1 })
  })

  test('an older and a newer leader epoch', async () => {
    const cluster = new TestCluster(1)
    cluster.createTopic('events', [1])
    cluster.change('events', { leader: 1 })
    const codeFor = async (currentLeaderEpoch: number) =>
      (await first(cluster, { partitions: [{ currentLeaderEpoch }] })).errorCode
    expect(await codeFor(0)).toBe(errorCode('FENCED_LEADER_EPOCH'))
    expect(await codeFor(1)).toBe(0)
    expect(await codeFor(2)).toBe(errorCode('UNKNOWN_LEADER_EPOCH'))
  })

  test('a follower gets UNKNOWN_LEADER_EPOCH while this leader does not know it as a replica', async () => {
    const { cluster, topicId } = await one(['a'])
    const answer = await first(cluster, {
      version: 17,
      topicId,
      replica: { replicaId: 2, replicaEpoch: 9 },
      partitions: [{ currentLeaderEpoch: 0 }],
    })
    expect(answer.errorCode).toBe(errorCode('UNKNOWN_LEADER_EPOCH'))
  })

  test('an unknown topic id', async () => {
    const { cluster } = await one()
    expect((await first(cluster, { version: 13, topicId: 'AAAAAAAAAAAAAAAAAAAAZA' })).errorCode).toBe(
      errorCode('UNKNOWN_TOPIC_ID'),
    )
  })

  test('the wrong broker says where the leader is since v16', async () => {
    const cluster = new TestCluster(2)
    const topicId = cluster.createTopic('events', [2, 1])
    cluster.change('events', { leader: 2 })
    await cluster.time.run(100)
    const ofEpoch = { version: 16, topicId, partitions: [{ currentLeaderEpoch: 0 }] }
    const reply = await ask(cluster, ofEpoch)
    expect(reply!.responses[0]!.partitions[0]).toMatchObject({
      errorCode: errorCode('FENCED_LEADER_EPOCH'),
      currentLeader: { leaderId: 2, leaderEpoch: 1 },
    })
    expect(reply!.nodeEndpoints).toEqual([{ nodeId: 2, host: 'broker-2', port: 9092, rack: null }])
  })
})

describe('followers and epochs', () => {
  test('since v11 a follower serves consumers, up to its high watermark', async () => {
    const cluster = new TestCluster(2)
    cluster.createTopic('events', [1, 2])
    await cluster.until(cluster.broker(1).produce('events', ['a']))
    await cluster.time.run(1000)
    expect((await first(cluster, { broker: 2, version: 10 })).errorCode).toBe(errorCode('NOT_LEADER_OR_FOLLOWER'))
    expect(valuesOf((await first(cluster, { broker: 2, version: 11 })).records)).toEqual(['a'])
  })

  test('KIP-595: a reader whose epoch ends earlier here is told where', async () => {
    const cluster = new TestCluster(1)
    cluster.createTopic('events', [1])
    await cluster.broker(1).produce('events', ['a', 'b'])
    cluster.change('events', { leader: 1 })
    await cluster.broker(1).produce('events', ['c'])
    const answer = await first(cluster, { partitions: [{ fetchOffset: 3, lastFetchedEpoch: 0 }] })
    expect(answer.divergingEpoch).toEqual({ epoch: 0, endOffset: 2 })
    expect(answer.records).toHaveLength(0)
    const matching = await first(cluster, { partitions: [{ fetchOffset: 2, lastFetchedEpoch: 0 }] })
    expect(matching.divergingEpoch.epoch).toBe(-1)
    expect(valuesOf(matching.records)).toEqual(['c'])
  })

  test('isolation 1 comes with a list of aborted transactions, isolation 0 with none', async () => {
    const { cluster } = await one(['a'])
    expect((await first(cluster, { isolationLevel: 1 })).abortedTransactions).toEqual([])
    expect((await first(cluster)).abortedTransactions).toBeNull()
  })
})

describe('sessions', () => {
  test('name only partitions with news', async () => {
    const { cluster } = await one(['a'], 2)
    const opening = await ask(cluster, {
      sessionEpoch: 0,
      partitions: [{ partition: 0, fetchOffset: 1 }, { partition: 1 }],
    })
    const { sessionId } = opening!
    expect(sessionId).toBeGreaterThan(0)
    expect(opening!.responses[0]!.partitions).toHaveLength(2)
    const quiet = await ask(cluster, { sessionId, sessionEpoch: 1, partitions: [] })
    expect(quiet).toMatchObject({ errorCode: 0, sessionId, responses: [] })
    await cluster.broker(1).produce('events', ['b'], { partition: 1 })
    const news = await ask(cluster, { sessionId, sessionEpoch: 2, partitions: [] })
    expect(news!.responses[0]!.partitions.map(each => each.partitionIndex)).toEqual([1])
  })

  test('errors are those of the whole response', async () => {
    const { cluster } = await one()
    const reply = await ask(cluster, { sessionId: 5, sessionEpoch: 3 })
    expect(reply).toMatchObject({ errorCode: errorCode('FETCH_SESSION_ID_NOT_FOUND'), sessionId: 0, responses: [] })
  })

  test('find a topic that became known after they began', async () => {
    const cluster = new TestCluster(1)
    const topicId = Buffer.from('1'.padStart(16, '0')).toString('base64url')
    const opening = await ask(cluster, { version: 13, topicId, sessionEpoch: 0 })
    expect(opening!.responses[0]!.partitions[0]!.errorCode).toBe(errorCode('UNKNOWN_TOPIC_ID'))
    expect(cluster.createTopic('events', [1])).toBe(topicId)
    const next = await ask(cluster, {
      version: 13,
      topicId,
      sessionId: opening!.sessionId,
      sessionEpoch: 1,
      partitions: [],
    })
    expect(next!.responses[0]!.partitions[0]!.errorCode).toBe(0)
  })
})

describe('a consumer that tells its rack', () => {
  const selector = { 'replica.selector.class': 'org.apache.kafka.common.replica.RackAwareReplicaSelector' }

  async function inRacks(settings: Record<string, string> = selector) {
    const cluster = new TestCluster(3, settings)
    cluster.rackOf = id => `rack-${id}`
    for (const id of [1, 2, 3]) cluster.register(cluster.broker(id))
    const topicId = cluster.createTopic('events', [1, 2, 3])
    await cluster.until(cluster.broker(1).produce('events', ['a']))
    await cluster.until(cluster.broker(1).produce('events', ['b']))
    return { cluster, topicId }
  }

  test.each([11, 13, 18])('is sent to the replica in its rack, with version %i', async version => {
    const { cluster, topicId } = await inRacks()
    const sent = await first(cluster, { version, topicId, rackId: 'rack-3' })
    expect(sent).toMatchObject({ errorCode: 0, preferredReadReplica: 3, highWatermark: 2 })
    expect(valuesOf(sent.records)).toEqual([])
    const there = await first(cluster, { version, topicId, rackId: 'rack-3', broker: 3 })
    expect([there.preferredReadReplica, valuesOf(there.records)[0]]).toEqual([-1, 'a'])
  })

  test('stays with a leader in its rack, and where no replica is in its rack', async () => {
    const { cluster } = await inRacks()
    for (const rackId of ['rack-1', 'rack-9', '']) {
      const read = await first(cluster, { rackId })
      expect([read.preferredReadReplica, valuesOf(read.records)]).toEqual([-1, ['a', 'b']])
    }
  })

  test('is not sent to a replica that is out of sync, fenced, or behind its offset', async () => {
    const { cluster } = await inRacks()
    cluster.kill(3)
    expect((await first(cluster, { rackId: 'rack-3' })).preferredReadReplica).toBe(-1)
    cluster.cut.add('2>1')
    await cluster.broker(1).produce('events', ['c'], { acks: 1 })
    expect((await first(cluster, { rackId: 'rack-2', partitions: [{ fetchOffset: 3 }] })).preferredReadReplica).toBe(-1)
  })

  test('is answered at once although it would wait for records', async () => {
    const { cluster } = await inRacks()
    const read = await ask(cluster, { rackId: 'rack-2', maxWaitMs: 60_000, partitions: [{ fetchOffset: 2 }] })
    expect(read!.responses[0]!.partitions[0]!.preferredReadReplica).toBe(2)
  })

  test('is not sent anywhere without the selector', async () => {
    const { cluster } = await inRacks({})
    expect((await first(cluster, { rackId: 'rack-3' })).preferredReadReplica).toBe(-1)
  })
})
