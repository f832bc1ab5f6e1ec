/** What a follower makes of its leader's answers; truncation as KIP-101, KIP-279 and KIP-595 describe it. */
import { describe, expect, test } from 'vitest'
import { FetcherMachine, truncationOffset, type FetchedPartition } from '#broker/replication/fetcher-machine.ts'

const topicId = 'AAAAAAAAAAAAAAAAAAAAZA'
const backoffMs = 1000

function position(partition: number, fetchOffset = 0) {
  return {
    topic: 'events',
    topicId,
    partition,
    currentLeaderEpoch: 3,
    fetchOffset,
    lastFetchedEpoch: -1,
    logStartOffset: 0,
  }
}

function machineWith(...partitions: number[]): FetcherMachine {
  const machine = new FetcherMachine({ backoffMs })
  for (const partition of partitions) machine.add(`p${partition}`, position(partition))
  return machine
}

function fetched(key: string, answer: Partial<FetchedPartition> = {}): FetchedPartition {
  const nothing = {
    error: 'NONE',
    records: Buffer.alloc(0),
    highWatermark: 0,
    logStartOffset: 0,
    divergingEpoch: undefined,
  }
  return { key, ...nothing, ...answer }
}

function send(machine: FetcherMachine, nowMs = 0) {
  const step = machine.next(nowMs)
  if (step.kind !== 'send') throw new Error(`expected a request, got ${step.kind}`)
  return step.request
}

describe('requests', () => {
  test('the first one is full, later ones name only what moved', () => {
    const machine = machineWith(0, 1)
    expect(send(machine)).toMatchObject({ sessionId: 0, sessionEpoch: 0 })
    machine.responded({ sessionId: 7, error: 'NONE', partitions: [fetched('p0'), fetched('p1')] }, 1)
    machine.moved('p0', { fetchOffset: 5, lastFetchedEpoch: 3, logStartOffset: 0 })
    const second = send(machine)
    expect(second).toMatchObject({ sessionId: 7, sessionEpoch: 1, forget: [] })
    expect(second.send.map(each => [each.partition, each.fetchOffset])).toEqual([[0, 5]])
  })

  test('a partition that was removed is forgotten in the session', () => {
    const machine = machineWith(0, 1)
    send(machine)
    machine.responded({ sessionId: 7, error: 'NONE', partitions: [] }, 1)
    machine.remove('p1')
    expect(send(machine).forget.map(each => each.partition)).toEqual([1])
  })

  test('after a session error the next one is full, at once', () => {
    const machine = machineWith(0)
    send(machine)
    machine.responded({ sessionId: 7, error: 'NONE', partitions: [] }, 1)
    send(machine)
    machine.responded({ sessionId: 0, error: 'FETCH_SESSION_ID_NOT_FOUND', partitions: [] }, 2)
    expect(send(machine, 2)).toMatchObject({ sessionId: 0, sessionEpoch: 0 })
  })

  test('after a lost request the next one is full, closes the old session, and waits ever longer up to the backoff', () => {
    const machine = machineWith(0)
    send(machine)
    machine.responded({ sessionId: 7, error: 'NONE', partitions: [] }, 0)
    const waits: number[] = []
    let nowMs = 0
    for (let attempt = 0; attempt < 7; attempt += 1) {
      expect(send(machine, nowMs)).toMatchObject(
        attempt === 0 ? { sessionEpoch: 1 } : { sessionId: 7, sessionEpoch: 0 },
      )
      machine.requestFailed(nowMs)
      const step = machine.next(nowMs)
      if (step.kind !== 'wait') throw new Error('expected a pause')
      waits.push(step.untilMs - nowMs)
      nowMs = step.untilMs
    }
    expect(waits).toEqual([50, 100, 200, 400, 800, 1000, 1000])
  })

  test('a leader without room for sessions gets full requests for ever', () => {
    const machine = machineWith(0)
    for (let round = 0; round < 3; round += 1) {
      expect(send(machine)).toMatchObject({ sessionId: 0, sessionEpoch: 0 })
      machine.responded({ sessionId: 0, error: 'NONE', partitions: [] }, 1)
    }
  })

  test('without partitions there is nothing to do', () => {
    expect(machineWith().next(0)).toEqual({ kind: 'idle' })
  })
})

describe('answers', () => {
  function decide(answer: Partial<FetchedPartition>) {
    const machine = machineWith(0)
    send(machine)
    const actions = machine.responded({ sessionId: 0, error: 'NONE', partitions: [fetched('p0', answer)] }, 10)
    return { machine, actions }
  }

  test('records are appended', () => {
    expect(decide({ records: Buffer.from('x') }).actions[0]).toMatchObject({ kind: 'append', key: 'p0' })
  })

  test('a diverging epoch truncates, and nothing else of the answer counts', () => {
    const divergingEpoch = { leaderEpoch: 2, endOffset: 4 }
    expect(decide({ divergingEpoch, highWatermark: 9 }).actions).toEqual([
      { kind: 'truncate', key: 'p0', divergingEpoch },
    ])
  })

  test('an offset out of range asks for the leader’s offsets, and the partition rests meanwhile', () => {
    const { machine, actions } = decide({ error: 'OFFSET_OUT_OF_RANGE' })
    expect(actions[0]?.kind).toBe('reset')
    expect(machine.next(10)).toEqual({ kind: 'idle' })
    machine.moved('p0', { fetchOffset: 3, lastFetchedEpoch: -1, logStartOffset: 3 })
    expect(send(machine, 10).send[0]?.fetchOffset).toBe(3)
  })

  test('a leader with a newer epoch ends the following until the metadata comes', () => {
    const { machine, actions } = decide({ error: 'FENCED_LEADER_EPOCH' })
    expect(actions[0]?.kind).toBe('fenced')
    expect(machine.has('p0')).toBe(false)
  })

  test.each(['UNKNOWN_LEADER_EPOCH', 'NOT_LEADER_OR_FOLLOWER', 'UNKNOWN_TOPIC_ID', 'KAFKA_STORAGE_ERROR'])(
    '%s is tried again after a pause',
    error => {
      const { machine, actions } = decide({ error })
      expect(actions).toEqual([{ kind: 'delayed', key: 'p0', error }])
      expect(machine.next(10)).toEqual({ kind: 'wait', untilMs: 60 })
      expect(send(machine, 60).send).toHaveLength(1)
    },
  )

  test('an answer to a question from before a leader change is ignored', () => {
    const machine = machineWith(0)
    send(machine)
    machine.add('p0', { ...position(0), currentLeaderEpoch: 4 })
    const partitions = [fetched('p0', { records: Buffer.from('x') })]
    expect(machine.responded({ sessionId: 0, error: 'NONE', partitions }, 1)).toEqual([])
  })
})

describe('where a follower cuts its log', () => {
  /** A log as the start offsets of its epochs, and its end. */
  function log(epochs: readonly (readonly [epoch: number, start: number])[], logEndOffset: number) {
    return {
      logEndOffset,
      endOffsetForEpoch: (asked: number) => {
        const at = epochs.findLastIndex(([epoch]) => epoch <= asked)
        if (at < 0) return { leaderEpoch: -1, endOffset: -1 }
        return { leaderEpoch: epochs[at]![0], endOffset: epochs[at + 1]?.[1] ?? logEndOffset }
      },
    }
  }

  test('KIP-101: at the leader’s end of an epoch that both know', () => {
    expect(truncationOffset({ leaderEpoch: 1, endOffset: 5 }, log([[1, 0]], 8))).toBe(5)
  })

  test('at its own end of that epoch, when it is earlier', () => {
    expect(
      truncationOffset(
        { leaderEpoch: 1, endOffset: 9 },
        log(
          [
            [1, 0],
            [2, 6],
          ],
          8,
        ),
      ),
    ).toBe(6)
  })

  test('KIP-279: an epoch that the follower does not know sends it back to the end of the one before', () => {
    expect(
      truncationOffset(
        { leaderEpoch: 3, endOffset: 9 },
        log(
          [
            [1, 0],
            [2, 4],
            [4, 7],
          ],
          10,
        ),
      ),
    ).toBe(7)
  })

  test('when all its epochs are newer, at the leader’s offset', () => {
    expect(truncationOffset({ leaderEpoch: 1, endOffset: 2 }, log([[3, 0]], 8))).toBe(2)
  })

  test('never above its own end', () => {
    expect(truncationOffset({ leaderEpoch: 1, endOffset: 50 }, log([[1, 0]], 8))).toBe(8)
  })
})
