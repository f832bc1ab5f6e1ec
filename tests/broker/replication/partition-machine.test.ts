/** Scenarios of one leader and its followers' requests. The sequences of several machines are in replica-scenarios.test.ts. */
import { describe, expect, test } from 'vitest'
import { PartitionMachine, type Assignment, type BrokerStatus } from '#broker/replication/partition-machine.ts'

const lagTimeMaxMs = 30_000

interface World {
  machine: PartitionMachine
  brokers: Map<number, BrokerStatus>
}

function leader(
  options: { isr?: number[]; replicas?: number[]; logEndOffset?: number; highWatermark?: number; minIsr?: number } = {},
): World {
  const brokers = new Map<number, BrokerStatus>()
  for (const id of [1, 2, 3]) brokers.set(id, { epoch: 100 + id, fenced: false, inControlledShutdown: false })
  const machine = new PartitionMachine(
    {
      brokerId: 1,
      brokerStatus: id => brokers.get(id),
      localBrokerEpoch: () => 101,
      replicaLagTimeMaxMs: lagTimeMaxMs,
    },
    {
      highWatermark: options.highWatermark ?? 0,
      logEndOffset: options.logEndOffset ?? 0,
      minInsyncReplicas: options.minIsr ?? 1,
    },
  )
  machine.lead(assignment({ isr: options.isr ?? [1, 2, 3], replicas: options.replicas ?? [1, 2, 3] }), 0)
  return { machine, brokers }
}

function assignment(state: Partial<Assignment> = {}): Assignment {
  return { replicas: [1, 2, 3], isr: [1, 2, 3], leader: 1, leaderEpoch: 5, partitionEpoch: 10, ...state }
}

function fetch(world: World, replicaId: number, fetchOffset: number, nowMs: number, brokerEpoch = 100 + replicaId) {
  return world.machine.followerFetched({ replicaId, brokerEpoch, fetchOffset, logStartOffset: 0 }, nowMs)
}

describe('high watermark', () => {
  test('advances to the least log end offset of the in-sync replicas', () => {
    const world = leader()
    world.machine.appended(10, 1)
    fetch(world, 2, 10, 2)
    expect(world.machine.highWatermark).toBe(0)
    expect(fetch(world, 3, 7, 3).highWatermarkAdvanced).toBe(true)
    expect(world.machine.highWatermark).toBe(7)
  })

  test('of a lone leader follows its log end offset', () => {
    const world = leader({ replicas: [1], isr: [1] })
    expect(world.machine.appended(4, 1).highWatermarkAdvanced).toBe(true)
    expect(world.machine.highWatermark).toBe(4)
  })

  test('never goes back, also when a follower restarts from an earlier offset', () => {
    const world = leader()
    world.machine.appended(10, 1)
    fetch(world, 2, 10, 2)
    fetch(world, 3, 10, 2)
    fetch(world, 3, 4, 3)
    expect(world.machine.highWatermark).toBe(10)
  })

  test('KIP-966: does not advance while the in-sync set is smaller than min.insync.replicas', () => {
    const world = leader({ isr: [1], minIsr: 2 })
    world.machine.appended(10, 1)
    expect(world.machine.highWatermark).toBe(0)
    expect(world.machine.hasEnoughReplicas()).toBe(false)
  })

  test('min.insync.replicas counts no more replicas than there are', () => {
    const world = leader({ replicas: [1], isr: [1], minIsr: 2 })
    expect(world.machine.hasEnoughReplicas()).toBe(true)
    expect(world.machine.appended(3, 1).highWatermarkAdvanced).toBe(true)
  })

  test('waits for a follower that is caught up and about to join, so that it can', () => {
    const world = leader({ isr: [1] })
    world.machine.appended(5, 1)
    expect(world.machine.highWatermark).toBe(5)
    fetch(world, 2, 5, 2)
    world.machine.appended(8, 3)
    expect(world.machine.highWatermark).toBe(5)
  })

  test('of a follower comes from fetch responses, bounded by its own log', () => {
    const world = leader()
    world.machine.follow(assignment({ leader: 2, leaderEpoch: 6, partitionEpoch: 11 }))
    world.machine.appended(5, 1)
    expect(world.machine.leaderHighWatermark(9).highWatermarkAdvanced).toBe(true)
    expect(world.machine.highWatermark).toBe(5)
    expect(world.machine.leaderHighWatermark(3).highWatermarkAdvanced).toBe(false)
    expect(world.machine.highWatermark).toBe(5)
  })

  test('goes back only when the log is cut below it', () => {
    const world = leader({ logEndOffset: 10, highWatermark: 8 })
    expect(world.machine.truncated(9)).toBe(false)
    expect(world.machine.highWatermark).toBe(8)
    expect(world.machine.truncated(3)).toBe(true)
    expect(world.machine.highWatermark).toBe(3)
  })
})

describe('in-sync set', () => {
  test('a follower that lags for replica.lag.time.max.ms leaves it', () => {
    const world = leader()
    world.machine.appended(10, 1)
    fetch(world, 2, 10, 20_000)
    expect(world.machine.tick(lagTimeMaxMs).propose).toBeUndefined()
    const { propose } = world.machine.tick(lagTimeMaxMs + 1)
    expect(propose).toMatchObject({ kind: 'shrink', changed: [3], leaderEpoch: 5, partitionEpoch: 10 })
    expect(propose?.isr).toEqual([
      { brokerId: 1, brokerEpoch: 101 },
      { brokerId: 2, brokerEpoch: 102 },
    ])
  })

  test('a silent follower stays in it while it has all that the leader has', () => {
    const world = leader()
    fetch(world, 2, 0, 1)
    fetch(world, 3, 0, 1)
    expect(world.machine.tick(10 * lagTimeMaxMs).propose).toBeUndefined()
  })

  test('a follower that never reads up to the very end, but always to where the end was at its last fetch, stays in it', () => {
    const world = leader({ isr: [1, 2], replicas: [1, 2] })
    let endAtLastFetch = 0
    for (let nowMs = 1000; nowMs <= 100_000; nowMs += 1000) {
      world.machine.appended(world.machine.logEndOffset + 5, nowMs)
      const end = world.machine.logEndOffset
      fetch(world, 2, endAtLastFetch, nowMs)
      endAtLastFetch = end
      expect(world.machine.tick(nowMs + 999).propose).toBeUndefined()
    }
  })

  test('a shrink in flight does not let the high watermark advance, its success does', () => {
    const world = leader()
    world.machine.appended(10, 1)
    fetch(world, 2, 10, 20_000)
    const { propose } = world.machine.tick(lagTimeMaxMs + 1)
    expect(world.machine.highWatermark).toBe(0)
    const done = world.machine.alterPartitionDone(propose!, { leaderEpoch: 5, partitionEpoch: 11, isr: [1, 2] }, 30_002)
    expect(done.highWatermarkAdvanced).toBe(true)
    expect(world.machine).toMatchObject({ highWatermark: 10, isr: [1, 2], partitionEpoch: 11 })
  })

  test('KIP-497: an expansion in flight already counts for the high watermark', () => {
    const world = leader({ isr: [1, 2] })
    world.machine.appended(10, 1)
    fetch(world, 2, 10, 2)
    expect(fetch(world, 3, 10, 3).propose).toMatchObject({ kind: 'expand', changed: [3] })
    world.machine.appended(20, 4)
    fetch(world, 2, 20, 5)
    expect(world.machine.highWatermark).toBe(10)
    expect(world.machine.maximalIsr()).toEqual([1, 2, 3])
    expect(world.machine.commitStatus(20)).toBe('waiting')
  })

  test('a follower below the high watermark may not join', () => {
    const world = leader({ isr: [1, 2], logEndOffset: 10, highWatermark: 10 })
    expect(fetch(world, 3, 9, 1).propose).toBeUndefined()
    expect(fetch(world, 3, 10, 2).propose?.kind).toBe('expand')
  })

  test('a follower below the start of the leader epoch may not join: records below may be committed', () => {
    const world = leader({ isr: [1, 2], logEndOffset: 10, highWatermark: 3 })
    expect(fetch(world, 3, 9, 1).propose).toBeUndefined()
    expect(fetch(world, 3, 10, 2).propose?.kind).toBe('expand')
  })

  test.each([
    ['fenced', { fenced: true }],
    ['in controlled shutdown', { inControlledShutdown: true }],
  ])('a follower that is %s may not join', (_name, state) => {
    const world = leader({ isr: [1, 2] })
    world.brokers.set(3, { epoch: 103, fenced: false, inControlledShutdown: false, ...state })
    expect(fetch(world, 3, 0, 1).propose).toBeUndefined()
  })

  test('KIP-903: a follower that fetches with another broker epoch than the registered one may not join', () => {
    const world = leader({ isr: [1, 2] })
    expect(fetch(world, 3, 0, 1, 104).propose).toBeUndefined()
    expect(fetch(world, 3, 0, 2, -1).propose?.kind).toBe('expand')
  })

  test('KIP-903: a fetch of an older registration is turned away', () => {
    const world = leader()
    world.brokers.set(3, { epoch: 200, fenced: false, inControlledShutdown: false })
    expect(world.machine.followerRefusal({ replicaId: 3, brokerEpoch: 103 }, true)).toBe('NOT_LEADER_OR_FOLLOWER')
    expect(world.machine.followerRefusal({ replicaId: 3, brokerEpoch: 200 }, true)).toBeUndefined()
    expect(world.machine.followerRefusal({ replicaId: 3, brokerEpoch: -1 }, true)).toBeUndefined()
  })

  test('a broker that is no replica is told to come again when it knows the epoch, and that it is wrong here when not', () => {
    const world = leader({ replicas: [1, 2], isr: [1, 2] })
    expect(world.machine.followerRefusal({ replicaId: 3, brokerEpoch: 103 }, true)).toBe('UNKNOWN_LEADER_EPOCH')
    expect(world.machine.followerRefusal({ replicaId: 3, brokerEpoch: 103 }, false)).toBe('NOT_LEADER_OR_FOLLOWER')
  })

  test('there is one proposal at a time', () => {
    const world = leader({ isr: [1] })
    expect(fetch(world, 2, 0, 1).propose).toBeDefined()
    expect(fetch(world, 3, 0, 2).propose).toBeUndefined()
    expect(world.machine.tick(10 * lagTimeMaxMs).propose).toBeUndefined()
  })
})

describe('answers to a proposal', () => {
  function proposed() {
    const world = leader({ isr: [1, 2] })
    const { propose } = fetch(world, 3, 0, 1)
    return { ...world, proposal: propose! }
  }

  test.each(['OPERATION_NOT_ATTEMPTED', 'INELIGIBLE_REPLICA'] as const)('%s goes back to the committed set', error => {
    const { machine, proposal } = proposed()
    expect(machine.alterPartitionDone(proposal, { error }, 2).propose).toBeUndefined()
    expect(machine.isProposalPending).toBe(false)
    expect(machine.maximalIsr()).toEqual([1, 2])
  })

  test.each([
    'UNKNOWN_TOPIC_OR_PARTITION',
    'UNKNOWN_TOPIC_ID',
    'FENCED_LEADER_EPOCH',
    'INVALID_UPDATE_VERSION',
    'INVALID_REQUEST',
    'NEW_LEADER_ELECTED',
  ] as const)('%s leaves it pending until newer metadata comes', error => {
    const { machine, proposal } = proposed()
    expect(machine.alterPartitionDone(proposal, { error }, 2).propose).toBeUndefined()
    expect(machine.maximalIsr()).toEqual([1, 2, 3])
    machine.lead(assignment({ isr: [1, 2], partitionEpoch: 11 }), 3)
    expect(machine.isProposalPending).toBe(false)
    expect(machine.maximalIsr()).toEqual([1, 2])
  })

  test('any other error sends it again', () => {
    const { machine, proposal } = proposed()
    expect(machine.alterPartitionDone(proposal, { error: 'UNKNOWN_SERVER_ERROR' }, 2).propose).toBe(proposal)
    expect(machine.isStillProposed(proposal)).toBe(true)
  })

  test('an answer that comes after newer metadata is ignored', () => {
    const { machine, proposal } = proposed()
    machine.lead(assignment({ isr: [1, 2], partitionEpoch: 12 }), 2)
    machine.alterPartitionDone(proposal, { leaderEpoch: 5, partitionEpoch: 11, isr: [1, 2, 3] }, 3)
    expect(machine).toMatchObject({ isr: [1, 2], partitionEpoch: 12 })
  })

  test('an answer for another leader epoch changes nothing', () => {
    const { machine, proposal } = proposed()
    machine.alterPartitionDone(proposal, { leaderEpoch: 6, partitionEpoch: 11, isr: [1, 2, 3] }, 3)
    expect(machine.isr).toEqual([1, 2])
  })

  test('the same partition epoch means that nothing had to change: the set is committed', () => {
    const { machine, proposal } = proposed()
    machine.alterPartitionDone(proposal, { leaderEpoch: 5, partitionEpoch: 10, isr: [1, 2, 3] }, 3)
    expect(machine.isr).toEqual([1, 2, 3])
    expect(machine.isProposalPending).toBe(false)
  })
})

describe('acknowledgement', () => {
  test('an append is committed when the high watermark reached its end', () => {
    const world = leader({ minIsr: 2 })
    world.machine.appended(3, 1)
    expect(world.machine.commitStatus(3)).toBe('waiting')
    fetch(world, 2, 3, 2)
    fetch(world, 3, 3, 2)
    expect(world.machine.commitStatus(3)).toBe('committed')
  })

  test('when the set shrank below min.insync.replicas after the append, that is said', () => {
    const world = leader({ isr: [1, 2], minIsr: 2 })
    world.machine.appended(3, 1)
    fetch(world, 2, 3, 2)
    world.machine.lead(assignment({ isr: [1], partitionEpoch: 11 }), 3)
    expect(world.machine.commitStatus(3)).toBe('NOT_ENOUGH_REPLICAS_AFTER_APPEND')
  })

  test('a leader that became a follower says so', () => {
    const world = leader()
    world.machine.appended(3, 1)
    world.machine.follow(assignment({ leader: 2, leaderEpoch: 6, partitionEpoch: 11 }))
    expect(world.machine.commitStatus(3)).toBe('NOT_LEADER_OR_FOLLOWER')
  })
})

describe('epochs', () => {
  test('KIP-320: requests with another leader epoch are refused, older and newer ones differently', () => {
    const { machine } = leader()
    expect(machine.refusal(4, true)).toBe('FENCED_LEADER_EPOCH')
    expect(machine.refusal(6, true)).toBe('UNKNOWN_LEADER_EPOCH')
    expect(machine.refusal(5, true)).toBeUndefined()
    expect(machine.refusal(-1, true)).toBeUndefined()
  })

  test('a follower serves only those who take any replica', () => {
    const { machine } = leader()
    machine.follow(assignment({ leader: 2, leaderEpoch: 6, partitionEpoch: 11 }))
    expect(machine.refusal(6, true)).toBe('NOT_LEADER_OR_FOLLOWER')
    expect(machine.refusal(6, false)).toBeUndefined()
  })

  test('metadata with an older partition epoch than the controller told directly is ignored', () => {
    const world = leader({ isr: [1, 2] })
    const { propose } = fetch(world, 3, 0, 1)
    world.machine.alterPartitionDone(propose!, { leaderEpoch: 5, partitionEpoch: 12, isr: [1, 2, 3] }, 2)
    expect(world.machine.lead(assignment({ isr: [1, 2], partitionEpoch: 11 }), 3).ignored).toBe(true)
    expect(world.machine.isr).toEqual([1, 2, 3])
  })

  test('metadata that only repeats what the controller told directly does not make an open proposal forgotten', () => {
    const world = leader({ isr: [1], logEndOffset: 10 })
    const first = fetch(world, 2, 10, 1)
    const committed = { leaderEpoch: 5, partitionEpoch: 11, isr: [1, 2] }
    world.machine.alterPartitionDone(first.propose!, committed, 2)
    const second = fetch(world, 3, 10, 3)
    expect(second.propose).toMatchObject({ kind: 'expand', changed: [3], partitionEpoch: 11 })
    world.machine.lead(assignment({ isr: [1, 2], partitionEpoch: 11 }), 4)
    // The controller may have accepted broker 3 by now: what it lacks is not committed, however long it has been silent.
    world.machine.appended(20, 4)
    fetch(world, 2, 20, 100_000)
    expect(world.machine.highWatermark).toBe(10)
    world.machine.alterPartitionDone(second.propose!, { leaderEpoch: 5, partitionEpoch: 12, isr: [1, 2, 3] }, 100_001)
    expect(world.machine.isr).toEqual([1, 2, 3])
  })

  test('a re-elected leader measures its followers anew, and gives in-sync ones time to show up', () => {
    const world = leader()
    world.machine.appended(10, 1)
    world.machine.lead(assignment({ isr: [1, 2], leaderEpoch: 6, partitionEpoch: 11 }), 100_000)
    expect(world.machine.leaderEpochStartOffset).toBe(10)
    expect(world.machine.tick(100_000 + lagTimeMaxMs).propose).toBeUndefined()
    expect(world.machine.tick(100_001 + lagTimeMaxMs).propose?.changed).toEqual([2])
  })

  test('a follower that was removed from the replicas no longer holds the high watermark back', () => {
    const world = leader()
    world.machine.appended(10, 1)
    fetch(world, 2, 10, 2)
    const effects = world.machine.lead(assignment({ replicas: [1, 2], isr: [1, 2], partitionEpoch: 11 }), 3)
    expect(effects.highWatermarkAdvanced).toBe(true)
    expect(world.machine.highWatermark).toBe(10)
  })
})
