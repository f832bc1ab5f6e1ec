import { describe, expect, test } from 'vitest'
import { encodeAssignment, ownedIn } from '#scripts/workload/members/assignors.ts'
import { ClassicMembership } from '#scripts/workload/members/classic-membership.ts'
import { errorCode } from '#broker/protocol/errors.ts'
import { Heartbeats, optionsWith, PlayedCoordinator, settled, Told, type Answer } from './played-coordinator.ts'

const joined = (memberId: string, generationId: number): Answer => ({
  errorCode: 0,
  memberId,
  generationId,
  leader: 'somebody-else',
  skipAssignment: false,
  members: [],
})
const synced = (...partitions: number[]): Answer => ({
  errorCode: 0,
  assignment: encodeAssignment('orders', partitions),
})
const forgotten: Answer = { errorCode: errorCode('UNKNOWN_MEMBER_ID') }
const rebalances: Answer = { errorCode: errorCode('REBALANCE_IN_PROGRESS') }

/** A cooperative member that has the partitions 0 and 1 and is told of a rebalance, with what it is answered then. */
async function rebalancing(answers: readonly Answer[]) {
  const coordinator = new PlayedCoordinator([joined('first', 1), synced(0, 1), rebalances, ...answers])
  const [heartbeats, told] = [new Heartbeats(), new Told()]
  const membership = new ClassicMembership(optionsWith(heartbeats), coordinator, 'cooperative')
  await membership.attend(told)
  await heartbeats.beat()
  // Takes part, and reads meanwhile; then what it was answered has its effect.
  await membership.attend(told)
  await settled()
  await membership.attend(told)
  expect(coordinator.left).toBe(0)
  const offered = coordinator.asked
    .filter(({ api }) => api === 'JoinGroup')
    .map(({ body }) =>
      ownedIn((body as { protocols: { metadata: Buffer }[] }).protocols[0]?.metadata as Buffer, 'orders'),
    )
  return { told: told.lines, offered }
}

describe('a cooperative member', () => {
  test('goes on with what it has, and says so', async () => {
    const { told, offered } = await rebalancing([joined('first', 2), synced(0, 1)])
    expect(told).toEqual(['has 0,1, new 0,1', 'has 0,1, new '])
    expect(offered).toEqual([[], [0, 1]])
  })

  test.each([
    ['once', [forgotten, joined('again', 7), synced(0)]],
    ['twice in one rebalance', [forgotten, forgotten, joined('again', 7), synced(0)]],
    ['with SyncGroup', [joined('first', 2), forgotten, joined('again', 7), synced(0)]],
  ])('that is forgotten %s has lost all, and offers none of it', async (_when, answers) => {
    const { told, offered } = await rebalancing(answers)
    expect(told).toEqual(['has 0,1, new 0,1', 'lost 0,1', 'has 0, new 0'])
    expect(offered.at(-1)).toEqual([])
  })
})

test('an eager member that is forgotten in a rebalance keeps what it is given then', async () => {
  const answers = [joined('first', 1), synced(0, 1), rebalances, forgotten, joined('again', 7), synced(0)]
  const coordinator = new PlayedCoordinator(answers)
  const [heartbeats, told] = [new Heartbeats(), new Told()]
  const membership = new ClassicMembership(optionsWith(heartbeats), coordinator, 'eager')
  await membership.attend(told)
  await heartbeats.beat()
  // Takes part; polls after that have nothing to do.
  for (let poll = 0; poll < 3; poll++) await membership.attend(told)
  expect(coordinator.left).toBe(0)
  expect(told.lines).toEqual(['has 0,1, new 0,1', 'revoked 0,1', 'has 0, new 0'])
})
