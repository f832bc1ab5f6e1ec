/** KIP-227, the broker's side: who gets a session, what its responses name, who loses it. */
import { describe, expect, test } from 'vitest'
import {
  FetchSessions,
  stepSize,
  type PartitionAnswer,
  type SessionQuery,
  type WantedPartition,
} from '#broker/replication/fetch-sessions.ts'
import { Prng } from '#simulator/world/prng.ts'

const zeroId = 'AAAAAAAAAAAAAAAAAAAAAA'

function sessions(slots = 10): FetchSessions {
  return new FetchSessions({ slots, random: new Prng(1) })
}

function wanted(partition: number, fetchOffset = 0, topic = 'events'): WantedPartition {
  return {
    topic,
    topicId: zeroId,
    partition,
    maxBytes: 100,
    fetchOffset,
    currentLeaderEpoch: -1,
    lastFetchedEpoch: -1,
    logStartOffset: -1,
  }
}

/** In one go. */
function toEnd<T>(steps: Generator<void, T, void>): T {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

function query(sessionId: number, sessionEpoch: number, parts: Partial<SessionQuery> = {}): SessionQuery {
  return { sessionId, sessionEpoch, usesTopicIds: false, isFollower: false, wanted: [], forgotten: [], ...parts }
}

function answer(state: Partial<PartitionAnswer> = {}): PartitionAnswer {
  return {
    errorCode: 0,
    highWatermark: 0,
    logStartOffset: 0,
    hasRecords: false,
    isDiverging: false,
    isElsewhere: false,
    ...state,
  }
}

function begin(cache: FetchSessions, asked: SessionQuery, nowMs = 0) {
  const context = toEnd(cache.begin(asked, nowMs))
  if ('error' in context) throw new Error(`refused with ${context.error}`)
  return context
}

/** A session of these partitions; returns its id, 0 when there was no room. */
function open(
  cache: FetchSessions,
  partitions: readonly WantedPartition[],
  options: { isFollower?: boolean; nowMs?: number } = {},
): number {
  const context = begin(
    cache,
    query(0, 0, { wanted: partitions, isFollower: options.isFollower ?? false }),
    options.nowMs,
  )
  return toEnd(
    context.finish(
      partitions.map(() => answer()),
      options.nowMs ?? 0,
    ),
  ).sessionId
}

describe('a session', () => {
  test('is given for a full request of epoch 0, and its response names everything', () => {
    const cache = sessions()
    const context = begin(cache, query(0, 0, { wanted: [wanted(0), wanted(1)] }))
    const end = toEnd(context.finish([answer(), answer()], 0))
    expect(end).toMatchObject({ error: 'NONE', isNamed: 'all' })
    expect(end.sessionId).toBeGreaterThan(0)
    expect(cache.size).toBe(1)
  })

  test('is not given for epoch -1, nor for no partitions', () => {
    const cache = sessions()
    expect(toEnd(begin(cache, query(0, -1, { wanted: [wanted(0)] })).finish([answer()], 0)).sessionId).toBe(0)
    expect(toEnd(begin(cache, query(0, 0)).finish([], 0)).sessionId).toBe(0)
    expect(cache.size).toBe(0)
  })

  test('remembers partitions that later requests do not name', () => {
    const cache = sessions()
    const id = open(cache, [wanted(0, 5), wanted(1, 6)])
    const context = begin(cache, query(id, 1, { wanted: [wanted(1, 9)] }))
    expect(context.wanted.map(each => [each.partition, each.fetchOffset])).toEqual([
      [0, 5],
      [1, 9],
    ])
  })

  test('names only partitions with news: records, a moved watermark or log start, an error, a divergence', () => {
    const cache = sessions()
    const all = [0, 1, 2, 3, 4, 5].map(partition => wanted(partition))
    const id = open(cache, all)
    const end = toEnd(
      begin(cache, query(id, 1)).finish(
        [
          answer(),
          answer({ hasRecords: true }),
          answer({ highWatermark: 1 }),
          answer({ logStartOffset: 1 }),
          answer({ errorCode: 6, highWatermark: -1, logStartOffset: -1 }),
          answer({ isDiverging: true }),
        ],
        0,
      ),
    )
    expect(end.isNamed).toEqual([false, true, true, true, true, true])
  })

  test('names a partition again when its error goes away', () => {
    const cache = sessions()
    const id = open(cache, [wanted(0)])
    toEnd(begin(cache, query(id, 1)).finish([answer({ errorCode: 6, highWatermark: -1, logStartOffset: -1 })], 0))
    expect(toEnd(begin(cache, query(id, 2)).finish([answer()], 0)).isNamed).toEqual([true])
    expect(toEnd(begin(cache, query(id, 3)).finish([answer()], 0)).isNamed).toEqual([false])
  })

  test('puts a partition that had records at the end, so that it does not starve the others', () => {
    const cache = sessions()
    const id = open(cache, [wanted(0), wanted(1), wanted(2)])
    toEnd(begin(cache, query(id, 1)).finish([answer({ hasRecords: true }), answer(), answer()], 0))
    expect(begin(cache, query(id, 2)).wanted.map(each => each.partition)).toEqual([1, 2, 0])
  })

  test('forgets partitions on request, and ends with the last one', () => {
    const cache = sessions()
    const id = open(cache, [wanted(0), wanted(1)])
    const forget = (partition: number) => [{ topic: 'events', topicId: zeroId, partition }]
    expect(begin(cache, query(id, 1, { forgotten: forget(0) })).wanted.map(each => each.partition)).toEqual([1])
    const last = begin(cache, query(id, 2, { forgotten: forget(1) }))
    expect(toEnd(last.finish([], 0))).toMatchObject({ sessionId: 0, error: 'NONE' })
    expect(cache.size).toBe(0)
  })

  test('is closed by a full request that names it', () => {
    const cache = sessions()
    const id = open(cache, [wanted(0)])
    begin(cache, query(id, -1, { wanted: [wanted(0)] }))
    expect(toEnd(cache.begin(query(id, 1), 0))).toEqual({ error: 'FETCH_SESSION_ID_NOT_FOUND' })
  })
})

describe('refusals', () => {
  test('an unknown session', () => {
    expect(toEnd(sessions().begin(query(77, 1), 0))).toEqual({ error: 'FETCH_SESSION_ID_NOT_FOUND' })
  })

  test('an epoch that is not the next one', () => {
    const cache = sessions()
    const id = open(cache, [wanted(0)])
    expect(toEnd(cache.begin(query(id, 2), 0))).toEqual({ error: 'INVALID_FETCH_SESSION_EPOCH' })
    expect('error' in toEnd(cache.begin(query(id, 1), 0))).toBe(false)
    expect(toEnd(cache.begin(query(id, 1), 0))).toEqual({ error: 'INVALID_FETCH_SESSION_EPOCH' })
  })

  test('take what a request names and forgets in steps, and another request that comes between them is one too many', () => {
    const cache = sessions()
    const id = open(cache, [wanted(0)])
    const many = Array.from({ length: 3 * stepSize }, (_, partition) => wanted(partition))
    const steps = cache.begin(query(id, 1, { wanted: many, forgotten: many }), 0)
    expect(steps.next().done).toBe(false)
    expect(toEnd(cache.begin(query(id, 1), 0))).toEqual({ error: 'INVALID_FETCH_SESSION_EPOCH' })
    let taken = 1
    while (steps.next().done !== true) taken++
    expect(taken).toBe(6)
  })

  test('topic ids in a session of names', () => {
    const cache = sessions()
    const id = open(cache, [wanted(0)])
    expect(toEnd(cache.begin(query(id, 1, { usesTopicIds: true }), 0))).toEqual({
      error: 'FETCH_SESSION_TOPIC_ID_ERROR',
    })
  })

  test('an answer that comes after the client asked again', () => {
    const cache = sessions()
    const id = open(cache, [wanted(0)])
    const slow = begin(cache, query(id, 1))
    begin(cache, query(id, 2))
    expect(toEnd(slow.finish([answer({ hasRecords: true })], 0))).toMatchObject({
      error: 'INVALID_FETCH_SESSION_EPOCH',
      isNamed: [],
    })
  })
})

describe('a full cache', () => {
  test('has no room for one more of the same worth', () => {
    const cache = sessions(1)
    open(cache, [wanted(0)])
    expect(open(cache, [wanted(0)])).toBe(0)
  })

  test('gives the slot of a session unused for two minutes', () => {
    const cache = sessions(1)
    open(cache, [wanted(0)])
    expect(open(cache, [wanted(0)], { nowMs: 120_001 })).toBeGreaterThan(0)
    expect(cache).toMatchObject({ size: 1, evictions: 1 })
  })

  test('lets a follower take a consumer’s slot, but not the other way round', () => {
    const cache = sessions(1)
    open(cache, [wanted(0), wanted(1)])
    expect(open(cache, [wanted(0)], { isFollower: true })).toBeGreaterThan(0)
    expect(open(cache, [wanted(0), wanted(1), wanted(2)])).toBe(0)
  })

  test('prefers the larger session, once the smaller one is old', () => {
    const cache = sessions(1)
    const id = open(cache, [wanted(0)])
    expect(open(cache, [wanted(0), wanted(1)], { nowMs: 60_000 })).toBe(0)
    begin(cache, query(id, 1), 119_000)
    expect(open(cache, [wanted(0), wanted(1)], { nowMs: 121_000 })).toBeGreaterThan(0)
  })
})
