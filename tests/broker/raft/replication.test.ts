/** Replication and commit in the metadata quorum, rule by rule. Sources: Raft paper (Ongaro 2014), KIP-595 "Fetch", KIP-630, KIP-1166. */
import { describe, expect, it } from 'vitest'
import {
  beginRequest,
  fetchRequest,
  fetchResponse,
  fetchSnapshotRequest,
  records,
  Subject,
  type Given,
  voteRequest,
} from './machine-harness.ts'

const value = (text: string): Buffer => Buffer.from(text)

/** Leads epoch 1 of three voters; the LeaderChange record is at the end of `given.log`, durable on the leader. */
function leading(given: Given = {}): Subject {
  const subject = new Subject(given)
  subject.win()
  subject.persist()
  return subject
}

function following(given: Given = {}): Subject {
  const subject = new Subject(given)
  subject.ask(beginRequest({ leaderId: 2, epoch: Math.max(1, subject.machine.epoch) }))
  return subject
}

describe('what is committed', () => {
  it('is what a majority of the voters fetched past', () => {
    const subject = leading()
    subject.step({ kind: 'propose', epoch: 1, records: [value('a'), value('b')] })
    subject.persist()
    expect(subject.machine.highWatermark).toBe(0)
    subject.ask(fetchRequest({ replicaId: 2, fetchOffset: 2, lastFetchedEpoch: 1 }))
    expect(subject.machine.highWatermark).toBe(2)
    subject.ask(fetchRequest({ replicaId: 3, fetchOffset: 3, lastFetchedEpoch: 1 }))
    expect(subject.machine.highWatermark).toBe(3)
  })

  it('"only log entries from the leader’s current term are committed by counting replicas" (Raft 3.6.2)', () => {
    const subject = leading({ log: [0, 0, 0] })
    subject.ask(fetchRequest({ replicaId: 2, fetchOffset: 3, lastFetchedEpoch: 0 }))
    expect(subject.machine.highWatermark, 'all of it is on a majority, but of an older epoch').toBe(0)
    subject.ask(fetchRequest({ replicaId: 2, fetchOffset: 4, lastFetchedEpoch: 1 }))
    expect(subject.machine.highWatermark, 'with a record of its own, all before it too').toBe(4)
  })

  it('does not count the leader before its own disk has it', () => {
    const subject = new Subject()
    subject.win()
    subject.ask(fetchRequest({ replicaId: 2, fetchOffset: 1, lastFetchedEpoch: 1 }))
    expect(subject.machine.highWatermark).toBe(0)
    subject.step({ kind: 'persisted', durableOffset: 1, generation: 0 })
    expect(subject.machine.highWatermark).toBe(1)
  })

  it('may be on a majority without the leader’s own disk', () => {
    const subject = new Subject()
    subject.win()
    subject.ask(fetchRequest({ replicaId: 2, fetchOffset: 1, lastFetchedEpoch: 1 }))
    subject.ask(fetchRequest({ replicaId: 3, fetchOffset: 1, lastFetchedEpoch: 1 }))
    expect(subject.machine.highWatermark).toBe(1)
  })

  it('an observer does not count', () => {
    const subject = leading()
    subject.ask(fetchRequest({ replicaId: 9, fetchOffset: 1, lastFetchedEpoch: 1 }))
    expect(subject.machine.highWatermark).toBe(0)
  })

  it('with a single voter is what its disk has', () => {
    const subject = new Subject({ voters: [1] })
    subject.step({ kind: 'propose', epoch: 1, records: [value('a')] })
    expect(subject.machine.highWatermark).toBe(0)
    subject.persist()
    expect(subject.machine.highWatermark).toBe(2)
  })

  it('never goes back when a late fetch names a lower offset', () => {
    const subject = leading()
    subject.ask(fetchRequest({ replicaId: 2, fetchOffset: 1, lastFetchedEpoch: 1 }))
    subject.ask(fetchRequest({ replicaId: 2, fetchOffset: 0, lastFetchedEpoch: 0 }))
    expect(subject.machine.highWatermark).toBe(1)
  })

  it('a proposal is refused unless this node leads that epoch', () => {
    const subject = leading()
    expect(subject.step({ kind: 'propose', epoch: 0, records: [value('a')] }).proposed).toBeUndefined()
    expect(subject.step({ kind: 'propose', epoch: 1, records: [value('a'), value('b')] }).proposed).toEqual({
      baseOffset: 1,
      lastOffset: 2,
    })
    expect(following().step({ kind: 'propose', epoch: 1, records: [value('a')] }).proposed).toBeUndefined()
    subject.step({ kind: 'shutdown', timeoutMs: 1000 })
    expect(subject.step({ kind: 'propose', epoch: 1, records: [value('a')] }).proposed).toBeUndefined()
  })

  it('the leader is told of its leadership after everything before its epoch', () => {
    const subject = new Subject({ log: [0, 0] })
    subject.win()
    expect(subject.last.leader).toEqual({ leaderId: 1, epoch: 1, tellAfterOffset: 2 })
  })
})

describe('a fetch at the leader', () => {
  it('is refused by epoch and by role, with what this node knows of the leader', () => {
    const subject = leading({ hardState: { epoch: 3, leaderId: undefined, votedId: undefined } })
    expect(subject.ask(fetchRequest({ epoch: 3 }))).toMatchObject({
      error: 'FENCED_LEADER_EPOCH',
      epoch: 4,
      leaderId: 1,
    })
    expect(subject.ask(fetchRequest({ epoch: 5 }))).toMatchObject({
      error: 'UNKNOWN_LEADER_EPOCH',
      epoch: 4,
      leaderId: 1,
    })
    const follower = following()
    expect(follower.ask(fetchRequest({ epoch: 1, replicaId: 3 }))).toMatchObject({
      error: 'NOT_LEADER_OR_FOLLOWER',
      epoch: 1,
      leaderId: 2,
    })
  })

  it('is refused when it cannot be meant: INVALID_REQUEST, INCONSISTENT_CLUSTER_ID', () => {
    const subject = leading()
    const error = (fields: Parameters<typeof fetchRequest>[0]) => subject.ask(fetchRequest(fields))?.error
    expect(error({ fetchOffset: -1 })).toBe('INVALID_REQUEST')
    expect(error({ lastFetchedEpoch: -1 })).toBe('INVALID_REQUEST')
    expect(error({ lastFetchedEpoch: 2 })).toBe('INVALID_REQUEST')
    expect(error({ maxWaitMs: -1 })).toBe('INVALID_REQUEST')
    expect(error({ replicaId: 1 })).toBe('INVALID_REQUEST')
    expect(subject.ask(fetchRequest({ clusterId: 'another' }))?.topLevelError).toBe('INCONSISTENT_CLUSTER_ID')
    subject.step({ kind: 'shutdown', timeoutMs: 100 })
    expect(error({}), 'resigned').toBe('NOT_LEADER_OR_FOLLOWER')
  })

  it('waits for new records, and has them before the leader’s disk does', () => {
    const subject = leading()
    const token = subject.park(fetchRequest({ fetchOffset: 1, lastFetchedEpoch: 1, highWatermark: 1 }))
    expect(subject.last.replies).toEqual([])
    const { replies } = subject.step({ kind: 'propose', epoch: 1, records: [value('a')] })
    expect(replies).toMatchObject([{ token, response: { error: 'NONE', read: { offset: 1, maxBytes: 1000 } } }])
  })

  it('waits no longer than its maximum, then brings nothing', () => {
    const subject = leading()
    const token = subject.park(
      fetchRequest({ fetchOffset: 1, lastFetchedEpoch: 1, maxWaitMs: 300, highWatermark: Infinity }),
    )
    expect(subject.pass(299).replies).toEqual([])
    subject.nowMs += 1
    expect(subject.step({ kind: 'tick' }).replies).toMatchObject([
      { token, response: { error: 'NONE', read: undefined } },
    ])
    expect(
      subject.ask(fetchRequest({ fetchOffset: 1, lastFetchedEpoch: 1, maxWaitMs: 0, highWatermark: Infinity }))?.error,
    ).toBe('NONE')
  })

  it('is answered as soon as the high watermark is news to the replica (KIP-1166)', () => {
    const subject = leading()
    const token = subject.park(fetchRequest({ replicaId: 3, fetchOffset: 1, lastFetchedEpoch: 1, highWatermark: 1 }))
    subject.step({ kind: 'propose', epoch: 1, records: [value('a')] })
    const waiting = subject.park(fetchRequest({ replicaId: 3, fetchOffset: 2, lastFetchedEpoch: 1, highWatermark: 1 }))
    const older = subject.park(
      fetchRequest({ replicaId: 8, fetchOffset: 2, lastFetchedEpoch: 1, highWatermark: Infinity }),
    )
    expect(token).toBeLessThan(waiting)
    const { replies } = subject.persistAll()
    expect(
      replies.map(reply => reply.token),
      'who does not say what it knows waits on',
    ).toEqual([waiting])
    expect(replies[0]?.response).toMatchObject({ highWatermark: 2 })
    expect(older).toBeGreaterThan(waiting)
  })

  it('is answered NOT_LEADER_OR_FOLLOWER when the leader loses its office, and names the new one', () => {
    const subject = leading()
    const token = subject.park(fetchRequest({ fetchOffset: 1, lastFetchedEpoch: 1, highWatermark: 9 }))
    subject.park(beginRequest({ leaderId: 3, epoch: 8 }))
    const reply = subject.last.replies.find(each => each.token === token)
    expect(reply?.response).toMatchObject({ error: 'NOT_LEADER_OR_FOLLOWER', leaderId: 3, epoch: 8 })
  })

  it('is forgotten when its connection is gone', () => {
    const subject = leading()
    const token = subject.park(fetchRequest({ fetchOffset: 1, lastFetchedEpoch: 1, highWatermark: 9 }))
    subject.step({ kind: 'forget', token })
    expect(subject.step({ kind: 'propose', epoch: 1, records: [value('a')] }).replies).toEqual([])
  })

  it('says where the logs part when the replica’s last epoch ends elsewhere (KIP-595, truncation)', () => {
    const subject = leading({ log: [0, 1, 1, 3], hardState: { epoch: 3, leaderId: undefined, votedId: undefined } })
    const diverging = (fetchOffset: number, lastFetchedEpoch: number) =>
      subject.ask(fetchRequest({ epoch: 4, fetchOffset, lastFetchedEpoch, maxWaitMs: 0 }))?.divergingEpoch
    expect(diverging(3, 1)).toBeUndefined()
    expect(diverging(5, 1), 'its epoch 1 is longer').toEqual({ epoch: 1, endOffset: 3 })
    expect(diverging(4, 2), 'we have no epoch 2').toEqual({ epoch: 1, endOffset: 3 })
    expect(diverging(9, 4), 'beyond our end').toEqual({ epoch: 4, endOffset: 5 })
  })

  it('names the newest snapshot to a replica below the log start, and to one with an empty log', () => {
    const snapshots = [
      { endOffset: 10, epoch: 2, bytes: 100 },
      { endOffset: 20, epoch: 3, bytes: 100 },
    ]
    const subject = leading({ startOffset: 10, log: Array.from({ length: 15 }, () => 3), snapshots })
    const snapshotFor = (fetchOffset: number, lastFetchedEpoch: number) =>
      subject.ask(fetchRequest({ epoch: 4, fetchOffset, lastFetchedEpoch, maxWaitMs: 0 }))?.snapshotId
    expect(snapshotFor(0, 0)).toMatchObject({ endOffset: 20, epoch: 3 })
    expect(snapshotFor(9, 2)).toMatchObject({ endOffset: 20, epoch: 3 })
    expect(snapshotFor(12, 1)).toMatchObject({ endOffset: 20, epoch: 3 })
    expect(snapshotFor(10, 2), 'it continues just after the older snapshot').toBeUndefined()
    expect(snapshotFor(12, 3)).toBeUndefined()
  })
})

describe('a follower', () => {
  it('asks for more only when its disk has what it got: its fetch offset is a promise', () => {
    const subject = following()
    const ready = subject.answer(2, fetchResponse({ records: records(0, [1, 1]) }))
    expect(ready.appends).toMatchObject([{ kind: 'batches', fetched: { baseOffset: 0, endOffset: 2 } }])
    expect(ready.sends).toEqual([])
    expect(subject.requests('fetch', subject.persist())).toMatchObject([{ fetchOffset: 2, lastFetchedEpoch: 1 }])
  })

  it('holds no election while its own disk is busy, and gives the leader time afterwards', () => {
    const subject = following()
    subject.answer(2, fetchResponse({ records: records(0, [1]) }))
    const generation = subject.last.flush ?? -1
    subject.pass(60_000)
    expect(subject.machine.role).toBe('follower')
    subject.step({ kind: 'persisted', durableOffset: 1, generation })
    subject.pass(1999)
    expect(subject.machine.role).toBe('follower')
  })

  it('an observer does not wait for its disk', () => {
    const subject = new Subject({ id: 9 })
    const [first] = subject.sent
    subject.answer(first?.to ?? 0, fetchResponse({ error: 'NOT_LEADER_OR_FOLLOWER', leaderId: 2, epoch: 1 }))
    expect(subject.machine.leader).toEqual({ leaderId: 2, epoch: 1 })
    const ready = subject.answer(2, fetchResponse({ records: records(0, [1]), highWatermark: 1 }))
    expect(subject.requests('fetch', ready)).toMatchObject([{ fetchOffset: 1 }])
    expect(ready.highWatermark).toBe(1)
  })

  it('takes over the high watermark as far as its own log reaches', () => {
    const subject = following()
    expect(subject.answer(2, fetchResponse({ records: records(0, [1, 1]), highWatermark: 9 })).highWatermark).toBe(2)
  })

  it('keeps what both logs agree on when they part, and fetches from there', () => {
    const subject = following({ log: [1, 1, 2, 2], hardState: { epoch: 4, leaderId: undefined, votedId: undefined } })
    const ready = subject.answer(2, fetchResponse({ epoch: 4, divergingEpoch: { epoch: 1, endOffset: 3 } }))
    expect(ready.truncateTo).toBe(2)
    expect(subject.requests('fetch', ready)).toMatchObject([{ fetchOffset: 2, lastFetchedEpoch: 1 }])
  })

  it('a flush begun before a truncation proves nothing about the log after it', () => {
    const subject = following({ log: [1], hardState: { epoch: 2, leaderId: undefined, votedId: undefined } })
    const before = subject.answer(2, fetchResponse({ epoch: 2, records: records(1, [1, 1]) })).flush ?? -1
    subject.ask(beginRequest({ leaderId: 3, epoch: 3 }))
    subject.step({ kind: 'persisted', durableOffset: 3, generation: before })
    subject.answer(3, fetchResponse({ leaderId: 3, epoch: 3, divergingEpoch: { epoch: 1, endOffset: 1 } }))
    const after = subject.answer(3, fetchResponse({ leaderId: 3, epoch: 3, records: records(1, [3]) }))
    expect(after.flush).not.toBe(before)
    expect(subject.step({ kind: 'persisted', durableOffset: 3, generation: before }).sends).toEqual([])
    expect(
      subject.requests('fetch', subject.step({ kind: 'persisted', durableOffset: 2, generation: after.flush ?? -1 })),
    ).toHaveLength(1)
  })

  it('does not truncate what is committed: that would be a broken quorum', () => {
    const subject = following()
    subject.answer(2, fetchResponse({ records: records(0, [1, 1]), highWatermark: 2 }))
    subject.persist()
    expect(() => subject.answer(2, fetchResponse({ divergingEpoch: { epoch: 0, endOffset: 0 } }))).toThrow(
      /below the high watermark/,
    )
  })

  it('refuses records that do not continue its log, and asks again', () => {
    const subject = following()
    expect(subject.answer(2, fetchResponse({ records: records(5, [1]) })).appends).toEqual([])
    subject.sent.length = 0
    subject.pass(20)
    expect(subject.sent).toMatchObject([{ to: 2, request: { fetchOffset: 0 } }])
  })

  it('becomes Prospective when the leader is silent for the fetch timeout', () => {
    const subject = following()
    subject.pass(1999)
    expect(subject.machine.role).toBe('follower')
    subject.pass(1)
    expect(subject.machine.role).toBe('prospective')
  })

  it('votes for a candidate of a later epoch although it has a leader', () => {
    const subject = following()
    expect(subject.ask(voteRequest({ epoch: 2, replicaId: 3 }))?.voteGranted).toBe(true)
    expect(subject.machine.leader).toEqual({ leaderId: undefined, epoch: 2 })
  })
})

describe('snapshots (KIP-630)', () => {
  const id = { endOffset: 10, epoch: 1 }

  function piece(position: number, length: number, sizeBytes = 5) {
    const bytes = Buffer.alloc(length, 'x')
    const head = { topLevelError: 'NONE', error: 'NONE', leaderId: 2, epoch: 1 } as const
    return { kind: 'fetchSnapshot', ...head, snapshotId: id, sizeBytes, position, readBytes: 0, bytes } as const
  }

  it('are downloaded piece by piece, made durable, and replace the log', () => {
    const subject = following()
    expect(subject.answer(2, fetchResponse({ snapshotId: id })).snapshotWork).toEqual([{ kind: 'begin', id }])
    expect(subject.requests('fetchSnapshot')).toMatchObject([{ snapshotId: id, position: 0 }])
    subject.answer(2, piece(0, 3))
    expect(subject.requests('fetchSnapshot')).toMatchObject([{ position: 3 }])
    expect(subject.answer(2, piece(3, 2)).snapshotWork.map(work => work.kind)).toEqual(['write', 'finish'])
    expect(subject.last.sends, 'nothing before the disk has it').toEqual([])
    const ready = subject.step({ kind: 'snapshotReceived', snapshot: { ...id, bytes: 5 } })
    expect(ready.snapshotWork).toEqual([{ kind: 'install', id }])
    expect(ready.highWatermark).toBe(10)
    expect(subject.requests('fetch')).toMatchObject([{ fetchOffset: 10, lastFetchedEpoch: 1 }])
  })

  it('of a later epoch than the leader’s, or without all that is committed, are not begun', () => {
    const subject = following()
    expect(subject.answer(2, fetchResponse({ snapshotId: { endOffset: 10, epoch: 2 } })).snapshotWork).toEqual([])
    expect(subject.requests('fetchSnapshot')).toEqual([])
    subject.pass(20)
    subject.answer(2, fetchResponse({ records: records(0, [1, 1]), highWatermark: 2 }))
    subject.persist()
    expect(subject.answer(2, fetchResponse({ snapshotId: { endOffset: 1, epoch: 1 } })).snapshotWork).toEqual([])
  })

  it('are begun anew when the leader no longer has them', () => {
    const subject = following()
    subject.answer(2, fetchResponse({ snapshotId: id }))
    const gone = { ...piece(0, 0), error: 'SNAPSHOT_NOT_FOUND', snapshotId: undefined } as const
    expect(subject.answer(2, gone).snapshotWork).toEqual([{ kind: 'discard', id }])
    expect(subject.requests('fetch')).toHaveLength(1)
  })

  it('half downloaded are dropped when another leader is elected', () => {
    const subject = following()
    subject.answer(2, fetchResponse({ snapshotId: id }))
    subject.ask(beginRequest({ leaderId: 3, epoch: 2 }))
    expect(subject.last.snapshotWork).toEqual([{ kind: 'discard', id }])
    expect(subject.step({ kind: 'snapshotReceived', snapshot: { ...id, bytes: 5 } }).snapshotWork).toEqual([])
  })

  it('are served by the leader within their bounds', () => {
    const snapshots = [{ endOffset: 2, epoch: 0, bytes: 1500 }]
    const subject = leading({ log: [0, 0], snapshots })
    const ask = (fields: Parameters<typeof fetchSnapshotRequest>[0]) =>
      subject.ask(fetchSnapshotRequest({ snapshotId: { endOffset: 2, epoch: 0 }, ...fields }))
    expect(ask({ position: 600, maxBytes: 5000 })).toMatchObject({
      error: 'NONE',
      position: 600,
      sizeBytes: 1500,
      readBytes: 900,
    })
    expect(ask({ position: 0, maxBytes: 5000 })?.readBytes, 'at most what one fetch brings').toBe(1000)
    expect(ask({ position: 1500 })?.error).toBe('POSITION_OUT_OF_RANGE')
    expect(ask({ position: -1 })?.error).toBe('POSITION_OUT_OF_RANGE')
    expect(ask({ snapshotId: { endOffset: 3, epoch: 0 } })?.error).toBe('SNAPSHOT_NOT_FOUND')
    expect(ask({ snapshotId: { endOffset: 0, epoch: 0 } })?.error, 'the bootstrap checkpoint is not replicated').toBe(
      'SNAPSHOT_NOT_FOUND',
    )
    expect(ask({ epoch: 0 })?.error).toBe('FENCED_LEADER_EPOCH')
    expect(ask({ epoch: 9 })?.error).toBe('UNKNOWN_LEADER_EPOCH')
    expect(ask({ clusterId: 'another' })?.topLevelError).toBe('INCONSISTENT_CLUSTER_ID')
    expect(following().ask(fetchSnapshotRequest({ replicaId: 3 }))?.error).toBe('NOT_LEADER_OR_FOLLOWER')
  })

  it('of this node: two are kept, and the log reaches back to the older', () => {
    const subject = following()
    subject.answer(
      2,
      fetchResponse({
        records: records(
          0,
          Array.from({ length: 30 }, () => 1),
        ),
        highWatermark: 30,
      }),
    )
    expect(
      subject.step({ kind: 'snapshotCreated', snapshot: { endOffset: 10, epoch: 1, bytes: 1 } }).retention,
    ).toBeUndefined()
    expect(
      subject.step({ kind: 'snapshotCreated', snapshot: { endOffset: 20, epoch: 1, bytes: 1 } }).retention,
    ).toBeUndefined()
    expect(
      subject.step({ kind: 'snapshotCreated', snapshot: { endOffset: 30, epoch: 1, bytes: 1 } }).retention,
    ).toEqual({
      remove: [{ endOffset: 10, epoch: 1, bytes: 1 }],
      logStartOffset: 20,
    })
    expect(subject.machine.logStartOffset).toBe(20)
  })

  it('of this node that come too late are thrown away', () => {
    const snapshots = [{ endOffset: 20, epoch: 1, bytes: 1 }]
    const subject = following({ startOffset: 20, snapshots })
    const late = { endOffset: 10, epoch: 1, bytes: 1 }
    expect(subject.step({ kind: 'snapshotCreated', snapshot: late }).retention).toEqual({
      remove: [late],
      logStartOffset: 20,
    })
  })
})

describe('what the leader tells of its replicas (KIP-836)', () => {
  it('is how far each is, when it fetched and when it was caught up', () => {
    const subject = leading()
    subject.nowMs += 100
    subject.ask(fetchRequest({ replicaId: 2, fetchOffset: 1, lastFetchedEpoch: 1, maxWaitMs: 0 }))
    subject.nowMs += 100
    subject.step({ kind: 'propose', epoch: 1, records: [value('a')] })
    subject.ask(fetchRequest({ replicaId: 2, fetchOffset: 1, lastFetchedEpoch: 1, maxWaitMs: 0 }))
    subject.ask(fetchRequest({ replicaId: 9, replicaDirectoryId: 'directory-9', maxWaitMs: 0 }))
    const description = subject.machine.describe(subject.nowMs)
    expect(description?.voters).toMatchObject([
      { id: 1, endOffset: 1 },
      { id: 2, endOffset: 1, lastFetchMs: subject.nowMs, lastCaughtUpMs: subject.nowMs - 100 },
      { id: 3, endOffset: undefined, lastFetchMs: -1 },
    ])
    expect(description?.observers).toMatchObject([{ id: 9, directoryId: 'directory-9', endOffset: 0 }])
    expect(subject.machine.describe(subject.nowMs + 300_000)?.observers, 'forgotten after five minutes').toEqual([])
    expect(following().machine.describe(0)).toBeUndefined()
  })

  it('remembers a thousand observers, those it heard from last', () => {
    const subject = leading()
    const asks = (replicaId: number) => subject.ask(fetchRequest({ replicaId, maxWaitMs: 0 }))
    for (let id = 10; id < 2_010; id++) {
      asks(id)
      asks(9)
    }
    const observers = subject.machine.describe(subject.nowMs)?.observers ?? []
    expect(observers).toHaveLength(1_000)
    expect(observers.at(-1)?.id).toBe(9)
    expect(observers.at(-2)?.id).toBe(2_009)
  })
})
