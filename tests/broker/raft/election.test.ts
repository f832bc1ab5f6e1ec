/** Elections, rule by rule; each test names the sentence it holds the machine to. Sources: Raft paper (Ongaro 2014), KIP-595, KIP-996. */
import { describe, expect, it } from 'vitest'
import {
  beginRequest,
  endRequest,
  fetchRequest,
  fetchResponse,
  Subject,
  voteRequest,
  voteResponse,
} from './machine-harness.ts'

describe('who gets a vote', () => {
  it('"each server will vote for at most one candidate in a given term, on a first-come-first-served basis" (Raft 3.4)', () => {
    const subject = new Subject()
    expect(subject.ask(voteRequest({ replicaId: 2 }))?.voteGranted).toBe(true)
    expect(subject.ask(voteRequest({ replicaId: 3 }))?.voteGranted).toBe(false)
    expect(subject.ask(voteRequest({ replicaId: 2 })), 'asked again, it says the same').toMatchObject({
      voteGranted: true,
    })
  })

  it('a vote is durable before it is answered (KIP-595, quorum state)', () => {
    const subject = new Subject()
    const reply = subject.ask(voteRequest({ replicaId: 2, epoch: 7 }))
    expect(reply?.voteGranted).toBe(true)
    expect(subject.last.hardState).toEqual({ epoch: 7, leaderId: undefined, votedId: 2 })
  })

  it('does not vote twice after a restart', () => {
    const subject = new Subject({ hardState: { epoch: 7, leaderId: undefined, votedId: 2 } })
    expect(subject.ask(voteRequest({ replicaId: 3, epoch: 7 }))?.voteGranted).toBe(false)
    expect(subject.ask(voteRequest({ replicaId: 2, epoch: 7 }))?.voteGranted).toBe(true)
  })

  it('"the voter denies its vote if its own log is more up-to-date than that of the candidate" (Raft 3.6.1)', () => {
    const given = { log: [1, 1, 2], hardState: { epoch: 2, leaderId: undefined, votedId: undefined } }
    const votes = (lastEpoch: number, lastOffset: number) =>
      new Subject(given).ask(voteRequest({ epoch: 3, lastEpoch, lastOffset }))?.voteGranted
    expect(votes(1, 10), 'an older last epoch, however long').toBe(false)
    expect(votes(2, 2), 'the same last epoch, shorter').toBe(false)
    expect(votes(2, 3), 'equal').toBe(true)
    expect(votes(2, 4), 'longer').toBe(true)
  })

  it('a follower that has a leader gives no vote in that epoch', () => {
    const subject = new Subject()
    subject.ask(beginRequest({ leaderId: 2, epoch: 5 }))
    expect(subject.ask(voteRequest({ replicaId: 3, epoch: 5 }))?.voteGranted).toBe(false)
  })

  it('fences a candidate of an older epoch and tells it the newer one', () => {
    const subject = new Subject({ hardState: { epoch: 5, leaderId: 3, votedId: undefined } })
    expect(subject.ask(voteRequest({ epoch: 4 }))).toMatchObject({
      error: 'FENCED_LEADER_EPOCH',
      epoch: 5,
      leaderId: 3,
    })
  })

  it('refuses what no candidate can send: INVALID_REQUEST, INVALID_VOTER_KEY, INCONSISTENT_CLUSTER_ID', () => {
    const refusal = (fields: Parameters<typeof voteRequest>[0]) => new Subject().ask(voteRequest(fields))
    expect(refusal({ lastEpoch: 1, epoch: 1 })?.error).toBe('INVALID_REQUEST')
    expect(refusal({ lastOffset: -1 })?.error).toBe('INVALID_REQUEST')
    expect(refusal({ replicaId: -1 })?.error).toBe('INVALID_REQUEST')
    expect(refusal({ voterId: 3 })?.error).toBe('INVALID_VOTER_KEY')
    expect(refusal({ voterDirectoryId: 'another' })?.error).toBe('INVALID_VOTER_KEY')
    expect(refusal({ clusterId: 'another' })?.topLevelError).toBe('INCONSISTENT_CLUSTER_ID')
    expect(refusal({ clusterId: null })?.error, 'no cluster id is taken on trust').toBe('NONE')
    expect(refusal({ voterId: -1 })?.error, 'version 0 names no voter').toBe('NONE')
  })
})

describe('the last epochs there are', () => {
  const last = 2 ** 31 - 1
  const at = (epoch: number) => new Subject({ hardState: { epoch, leaderId: undefined, votedId: undefined } })

  it('are not reached in one leap, by no kind of message', () => {
    const subject = at(5)
    for (const epoch of [last, last - 1, last - 2 ** 20, 5 + 2 ** 20 + 1]) {
      expect(subject.ask(voteRequest({ epoch }))?.error).toBe('INVALID_REQUEST')
      expect(subject.ask(voteRequest({ epoch, preVote: true }))?.error).toBe('INVALID_REQUEST')
      expect(subject.ask(beginRequest({ epoch }))?.error).toBe('INVALID_REQUEST')
      expect(subject.ask(endRequest({ epoch }))?.error).toBe('INVALID_REQUEST')
    }
    expect(subject.machine.epoch).toBe(5)
    const furthest = voteRequest({ epoch: 5 + 2 ** 20 })
    expect(subject.ask(furthest)).toMatchObject({ error: 'NONE', voteGranted: true })
  })

  it('are not reached by a response either: it is ignored, and told of', () => {
    const subject = at(5)
    subject.pass(1000)
    for (const error of ['FENCED_LEADER_EPOCH', 'NONE'] as const) {
      const epoch = 5 + 2 ** 20 + 1
      const ready = subject.answer(error === 'NONE' ? 2 : 3, voteResponse({ epoch, error, leaderId: 2 }))
      expect(ready.leaps).toEqual([{ from: error === 'NONE' ? 2 : 3, epoch }])
      expect([subject.machine.role, subject.machine.epoch]).toEqual(['prospective', 5])
    }
    subject.pass(30)
    const ready = subject.answer(2, voteResponse({ epoch: 5 + 2 ** 20, error: 'FENCED_LEADER_EPOCH' }))
    expect([ready.leaps, subject.machine.epoch]).toEqual([[], 5 + 2 ** 20])
  })

  it('keep no timer running where nobody may stand any more', () => {
    const subject = at(last)
    expect(subject.last.deadlineMs).toBe(Infinity)
    subject.pass(5_000)
    expect([subject.last.deadlineMs, subject.machine.role, subject.last.sends]).toEqual([Infinity, 'unattached', []])
  })

  it('are not passed by a leader that gives the last one up, nor where nobody knows pre-votes', () => {
    const resigned = new Subject({ hardState: { epoch: last, leaderId: 1, votedId: 1 } })
    resigned.pass(5_000)
    expect([resigned.machine.role, resigned.machine.epoch]).toEqual(['resigned', last])
    const follower = new Subject({ hardState: { epoch: last, leaderId: 2, votedId: undefined } })
    follower.pass(2_000)
    expect(follower.machine.role).toBe('prospective')
    const asked = follower.sent.findLast(({ to, request }) => to === 3 && request.kind === 'vote')
    follower.step({ kind: 'failed', from: 3, requestId: asked?.requestId ?? -1, unsupported: true })
    expect([follower.machine.role, follower.machine.epoch]).toEqual(['prospective', last])
  })

  it('are reached step by step, and nobody stands after the last one', () => {
    const subject = at(last - 1)
    expect(subject.ask(voteRequest({ epoch: last }))).toMatchObject({ error: 'NONE', voteGranted: true })
    subject.pass(5_000)
    for (const id of [2, 3])
      if (subject.machine.role === 'prospective') subject.answer(id, voteResponse({ epoch: last, voteGranted: true }))
    expect(['unattached', 'prospective']).toContain(subject.machine.role)
    expect(subject.machine.epoch).toBe(last)
  })
})

describe('pre-vote (KIP-996)', () => {
  it('"the server will not increase its epoch" while it is Prospective, and writes nothing down', () => {
    const subject = new Subject()
    const ready = subject.pass(1000)
    expect(subject.machine.role).toBe('prospective')
    expect(subject.machine.epoch).toBe(0)
    expect(ready.hardState).toBeUndefined()
    expect(subject.sent.map(({ to, request }) => [to, 'preVote' in request && request.preVote])).toEqual([
      [2, true],
      [3, true],
    ])
  })

  it('is counted also from who was told of another leader, so that three who follow each other find a way out', () => {
    for (const leaderId of [1, 2, 3]) {
      const subject = new Subject()
      subject.ask(beginRequest({ leaderId: 3, epoch: 5 }))
      subject.pass(2_000)
      expect(subject.machine.role).toBe('prospective')
      subject.answer(2, voteResponse({ epoch: 5, leaderId, voteGranted: true }))
      expect([subject.machine.role, subject.machine.epoch]).toEqual(['candidate', 6])
    }
  })

  it('stands in a new epoch once a majority would vote for it', () => {
    const subject = new Subject()
    subject.pass(1000)
    const ready = subject.answer(3, voteResponse({ voteGranted: true }))
    expect(subject.machine.role).toBe('candidate')
    expect(ready.hardState).toEqual({ epoch: 1, leaderId: undefined, votedId: 1 })
    expect(subject.requests('vote').every(request => !request.preVote && request.epoch === 1)).toBe(true)
  })

  it('is denied by a follower that has fetched from the leader, so that a node cut off cannot depose it', () => {
    const subject = new Subject()
    subject.ask(beginRequest({ leaderId: 3, epoch: 5 }))
    expect(subject.ask(voteRequest({ preVote: true, epoch: 5 }))?.voteGranted, 'not fetched yet').toBe(true)
    subject.answer(3, fetchResponse({ leaderId: 3, epoch: 5 }))
    expect(subject.ask(voteRequest({ preVote: true, epoch: 5 }))?.voteGranted).toBe(false)
  })

  it('is denied by a leader, and by who has a longer log', () => {
    const leader = new Subject()
    leader.win()
    expect(leader.ask(voteRequest({ preVote: true, epoch: 1, lastEpoch: 1, lastOffset: 9 }))?.voteGranted).toBe(false)
    expect(new Subject({ log: [0] }).ask(voteRequest({ preVote: true, epoch: 1 }))?.voteGranted).toBe(false)
  })

  it('gives no vote away: the same epoch may still be voted in', () => {
    const subject = new Subject()
    subject.ask(voteRequest({ preVote: true, replicaId: 2, epoch: 1 }))
    expect(subject.ask(voteRequest({ replicaId: 3, epoch: 1 }))?.voteGranted).toBe(true)
  })

  it('goes back to following when it could not win and knows a leader', () => {
    const subject = new Subject()
    subject.ask(beginRequest({ leaderId: 2, epoch: 5 }))
    subject.pass(2000)
    expect(subject.machine.role).toBe('prospective')
    subject.answer(2, voteResponse({ epoch: 5, leaderId: 2 }))
    subject.answer(3, voteResponse({ epoch: 5, leaderId: 2 }))
    expect(subject.machine.role).toBe('follower')
    expect(subject.machine.leader).toEqual({ leaderId: 2, epoch: 5 })
  })

  it('holds the election without it when a voter does not know it', () => {
    const subject = new Subject()
    subject.pass(1000)
    const { requestId } = subject.sent[0] ?? { requestId: -1 }
    subject.step({ kind: 'failed', from: 2, requestId, unsupported: true })
    expect(subject.machine.role).toBe('candidate')
  })
})

describe('a leader at whose address nobody listens any more', () => {
  const followed = (): Subject => {
    const subject = new Subject()
    subject.ask(beginRequest({ leaderId: 2, epoch: 5 }))
    subject.answer(2, fetchResponse({ leaderId: 2, epoch: 5 }))
    return subject
  }
  const fail = (subject: Subject, refused: boolean): void => {
    const { requestId } = subject.sent.findLast(({ to }) => to === 2) ?? { requestId: -1 }
    subject.step({ kind: 'failed', from: 2, requestId, refused })
  }

  it('is not waited for until the fetch timeout, and others may stand at once', () => {
    const subject = followed()
    fail(subject, true)
    expect(subject.ask(voteRequest({ preVote: true, epoch: 5 }))?.voteGranted).toBe(true)
    expect(subject.machine.role).toBe('follower')
    subject.pass(150)
    expect([subject.machine.role, subject.machine.epoch]).toEqual(['prospective', 5])
  })

  it('is waited for when the connection was merely lost', () => {
    const subject = followed()
    fail(subject, false)
    expect(subject.ask(voteRequest({ preVote: true, epoch: 5 }))?.voteGranted).toBe(false)
    subject.pass(1_900)
    expect(subject.machine.role).toBe('follower')
  })

  it('is followed again when others still hear from it, and then the fetch timeout decides', () => {
    const subject = followed()
    fail(subject, true)
    subject.pass(150)
    for (const id of [2, 3]) subject.answer(id, voteResponse({ epoch: 5, leaderId: 2 }))
    expect(subject.machine.role).toBe('follower')
    fail(subject, true)
    subject.pass(1_900)
    expect(subject.machine.role).toBe('follower')
    subject.pass(100)
    expect(subject.machine.role).toBe('prospective')
  })
})

describe('winning and losing', () => {
  it('the only voter leads at once', () => {
    const subject = new Subject({ voters: [1] })
    expect(subject.machine.role).toBe('leader')
    expect(subject.last.hardState).toEqual({ epoch: 1, leaderId: 1, votedId: 1 })
  })

  it('writes a LeaderChange record first, which names voters and who voted for it (KIP-595)', () => {
    const subject = new Subject({ log: [0] })
    subject.pass(1000)
    subject.answer(3, voteResponse({ voteGranted: true }))
    const ready = subject.answer(3, voteResponse({ epoch: 1, voteGranted: true }))
    expect(subject.machine.role).toBe('leader')
    expect(ready.appends).toEqual([
      { kind: 'leaderChange', epoch: 1, baseOffset: 1, leaderId: 1, voters: [1, 2, 3], grantingVoters: [1, 3] },
    ])
    expect(ready.startEpoch).toEqual({ epoch: 1, startOffset: 1 })
    expect(subject.requests('beginQuorumEpoch').map(request => request.voterId)).toEqual([2, 3])
  })

  it('a vote of an earlier state of the machine does not count', () => {
    const subject = new Subject()
    subject.pass(1000)
    const stale = subject.sent.find(send => send.to === 3)
    subject.answer(2, voteResponse({ voteGranted: true }))
    expect(subject.machine.role).toBe('candidate')
    subject.step({
      kind: 'response',
      from: 3,
      requestId: stale?.requestId ?? 0,
      response: voteResponse({ epoch: 1, voteGranted: true }),
    })
    expect(subject.machine.role).toBe('candidate')
  })

  it('"randomized election timeouts" (Raft 3.4): between one and two election timeouts', () => {
    expect(new Subject({ random: [0] }).last.deadlineMs).toBe(1000)
    expect(new Subject({ random: [999] }).last.deadlineMs).toBe(1999)
  })

  it('waits longer after each election lost, up to the maximum', () => {
    const waits: number[] = []
    const subject = new Subject({ random: Array.from({ length: 60 }, () => 10 ** 9) })
    for (let round = 0; round < 5; round += 1) {
      while (subject.machine.role !== 'prospective') subject.pass(50)
      subject.answer(2, voteResponse({ epoch: subject.machine.epoch, voteGranted: true }))
      expect(subject.machine.role).toBe('candidate')
      const { epoch } = subject.machine
      subject.answer(2, voteResponse({ epoch }))
      subject.answer(3, voteResponse({ epoch }))
      waits.push(subject.last.deadlineMs - subject.nowMs)
    }
    expect(waits).toEqual([100, 300, 700, 1000, 1000])
  })

  it('follows whom a voter names as the leader of the epoch', () => {
    const subject = new Subject()
    subject.pass(1000)
    subject.answer(2, voteResponse({ epoch: 4, leaderId: 3 }))
    expect(subject.machine.leader).toEqual({ leaderId: 3, epoch: 4 })
    expect(subject.last.hardState).toEqual({ epoch: 4, leaderId: 3, votedId: undefined })
    expect(subject.last.sends.map(send => [send.to, send.request.kind])).toEqual([[3, 'fetch']])
  })

  it('an observer never stands for election', () => {
    const subject = new Subject({ id: 9 })
    subject.pass(60_000)
    expect(subject.machine.role).toBe('unattached')
    expect(subject.machine.epoch).toBe(0)
    expect(new Set(subject.sent.map(send => send.request.kind))).toEqual(new Set(['fetch']))
  })
})

describe('after a restart', () => {
  it('a leader begins as Resigned and never leads that epoch again', () => {
    const subject = new Subject({ log: [3, 3], hardState: { epoch: 3, leaderId: 1, votedId: 1 } })
    expect(subject.machine.role).toBe('resigned')
    expect(subject.machine.leader).toEqual({ leaderId: undefined, epoch: 3 })
    expect(subject.ask(voteRequest({ epoch: 3, lastEpoch: 2, lastOffset: 9 }))?.voteGranted).toBe(false)
    subject.pass(1000)
    expect(subject.machine.epoch).toBe(4)
  })

  it('a candidate does not count votes of the epoch it stood in: its log may be shorter now', () => {
    const subject = new Subject({ hardState: { epoch: 3, leaderId: undefined, votedId: 1 } })
    expect(subject.machine.role).toBe('unattached')
    subject.win()
    expect(subject.machine.epoch).toBe(4)
  })

  it('believes the log when quorum-state is older than its last record', () => {
    const subject = new Subject({ log: [1, 5], hardState: { epoch: 2, leaderId: 3, votedId: undefined } })
    expect(subject.machine.epoch).toBe(5)
    expect(subject.machine.role).toBe('unattached')
    expect(subject.last.hardState).toEqual({ epoch: 5, leaderId: undefined, votedId: undefined })
  })

  it('a follower goes on following', () => {
    const subject = new Subject({ hardState: { epoch: 3, leaderId: 2, votedId: 2 } })
    expect(subject.machine.leader).toEqual({ leaderId: 2, epoch: 3 })
    expect(subject.last.sends.map(send => [send.to, send.request.kind])).toEqual([[2, 'fetch']])
  })
})

describe('giving leadership up', () => {
  it('"a leader steps down if an election timeout elapses without a successful round of heartbeats to a majority" (Raft 6.2)', () => {
    const subject = new Subject()
    subject.win()
    subject.persist()
    for (let round = 0; round < 5; round += 1) {
      subject.pass(2000)
      subject.ask(fetchRequest({ replicaId: 2, fetchOffset: 1, lastFetchedEpoch: 1, maxWaitMs: 0 }))
    }
    expect(subject.machine.role, 'one of two followers is a majority with the leader').toBe('leader')
    subject.pass(2999)
    expect(subject.machine.role).toBe('leader')
    subject.pass(1)
    expect(subject.machine.role).toBe('resigned')
    const ended = subject.sent.filter(send => send.request.kind === 'endQuorumEpoch').map(send => send.to)
    expect(ended).toEqual([2, 3])
  })

  it('an observer that fetches does not keep a leader in office', () => {
    const subject = new Subject()
    subject.win()
    for (let round = 0; round < 3; round += 1) {
      subject.ask(fetchRequest({ replicaId: 9, maxWaitMs: 0 }))
      subject.pass(1000)
    }
    expect(subject.machine.role).toBe('resigned')
  })

  it('names the voter that is furthest as the first successor', () => {
    const subject = new Subject()
    subject.win()
    subject.persist()
    subject.ask(fetchRequest({ replicaId: 3, fetchOffset: 1, lastFetchedEpoch: 1 }))
    subject.step({ kind: 'shutdown', timeoutMs: 5000 })
    expect(subject.requests('endQuorumEpoch')[0]?.preferredSuccessors).toEqual([3, 2])
  })

  it('is done shutting down when the other voters know, or after the timeout', () => {
    const subject = new Subject()
    subject.win()
    expect(subject.step({ kind: 'shutdown', timeoutMs: 5000 }).stopped).toBe(false)
    const ended = { kind: 'endQuorumEpoch', topLevelError: 'NONE', error: 'NONE', leaderId: 1, epoch: 1 } as const
    expect(subject.answer(2, ended).stopped).toBe(false)
    expect(subject.answer(3, ended).stopped).toBe(true)
    const lonely = new Subject()
    lonely.win()
    lonely.step({ kind: 'shutdown', timeoutMs: 5000 })
    expect(lonely.pass(4999).stopped).toBe(false)
    expect(lonely.pass(1).stopped).toBe(true)
  })

  it('does not wait to shut down for voters it cannot reach', () => {
    const subject = new Subject()
    subject.win()
    subject.step({ kind: 'shutdown', timeoutMs: 5000 })
    for (let attempt = 0; attempt < 3; attempt += 1) {
      expect(subject.last.stopped).toBe(false)
      for (const to of [2, 3]) {
        const requestId = subject.sent.findLast(send => send.to === to)?.requestId ?? 0
        subject.step({ kind: 'failed', from: to, requestId })
      }
      if (attempt < 2) subject.pass(20)
    }
    expect(subject.last.stopped).toBe(true)
  })

  it('a follower stands at once when it is the first successor, the next ones later (KIP-595, EndQuorumEpoch)', () => {
    const delayOf = (preferredSuccessors: readonly number[]): number => {
      const subject = new Subject()
      subject.ask(beginRequest())
      subject.ask(endRequest({ preferredSuccessors }))
      return subject.machine.role === 'prospective' ? 0 : subject.last.deadlineMs - subject.nowMs
    }
    expect(delayOf([1, 3, 4])).toBe(0)
    expect(delayOf([3, 1, 4])).toBe(250)
    expect(delayOf([3, 4, 1])).toBe(500)
    expect(delayOf([3, 4])).toBe(1000)
  })

  it('a follower told of the end grants the pre-vote of the successor', () => {
    const subject = new Subject()
    subject.ask(beginRequest({ epoch: 5 }))
    subject.answer(2, fetchResponse({ epoch: 5 }))
    subject.ask(endRequest({ epoch: 5, preferredSuccessors: [3, 1] }))
    expect(subject.ask(voteRequest({ preVote: true, replicaId: 3, epoch: 5 }))?.voteGranted).toBe(true)
  })

  it('refuses Begin and EndQuorumEpoch of an older epoch, a stranger, another leader of the epoch, or for another node', () => {
    const subject = new Subject()
    subject.ask(beginRequest({ leaderId: 2, epoch: 5 }))
    expect(subject.ask(beginRequest({ epoch: 4 }))?.error).toBe('FENCED_LEADER_EPOCH')
    expect(subject.ask(endRequest({ epoch: 4 }))?.error).toBe('FENCED_LEADER_EPOCH')
    expect(subject.ask(beginRequest({ leaderId: 9, epoch: 6 }))?.error).toBe('INCONSISTENT_VOTER_SET')
    expect(subject.ask(beginRequest({ leaderId: 3, epoch: 5 }))?.error).toBe('INVALID_REQUEST')
    expect(subject.ask(endRequest({ leaderId: -1, epoch: 5 }))?.error).toBe('INVALID_REQUEST')
    expect(subject.ask(beginRequest({ leaderId: 2, epoch: 5, voterId: 3 }))?.error).toBe('INVALID_VOTER_KEY')
    expect(subject.ask(beginRequest({ clusterId: 'another' }))?.topLevelError).toBe('INCONSISTENT_CLUSTER_ID')
    expect(subject.machine.leader).toEqual({ leaderId: 2, epoch: 5 })
  })

  it('makes itself known again to voters that do not fetch', () => {
    const subject = new Subject()
    subject.win()
    subject.persist()
    const begun = { kind: 'beginQuorumEpoch', topLevelError: 'NONE', error: 'NONE', leaderId: 1, epoch: 1 } as const
    subject.answer(2, begun)
    subject.answer(3, begun)
    subject.pass(500)
    subject.ask(fetchRequest({ replicaId: 2, fetchOffset: 1, lastFetchedEpoch: 1 }))
    subject.sent.length = 0
    subject.pass(500)
    expect(subject.sent.map(send => send.to)).toEqual([3])
  })
})
