import { describe, expect, test } from 'vitest'
import { errorCode } from '#broker/protocol/errors.ts'
import { ModernMembership } from '#scripts/workload/members/modern-membership.ts'
import { Heartbeats, optionsWith, PlayedCoordinator, Told, type Answer } from './played-coordinator.ts'

const topicId = 'DcmhurIfTxGdSzyKKg9-VQ'

/** @param partitions  left out: the assignment has not changed */
function answer(memberEpoch: number, partitions?: readonly number[]): Answer {
  const assignment = partitions === undefined ? null : { topicPartitions: [{ topicId, partitions }] }
  return { errorCode: 0, memberId: null, memberEpoch, assignment }
}

function scene(answers: readonly Answer[]) {
  const coordinator = new PlayedCoordinator(answers)
  const [heartbeats, told] = [new Heartbeats(), new Told()]
  const membership = new ModernMembership(optionsWith(heartbeats), coordinator)
  const owned = () =>
    coordinator.asked.map(({ body }) =>
      (body as { topicPartitions?: { partitions: number[] }[] }).topicPartitions?.flatMap(each => each.partitions),
    )
  return { coordinator, heartbeats, told, membership, owned }
}

describe('a member by the protocol of KIP-848', () => {
  test('gives up what the answer to its giving up takes, before it takes what that gives', async () => {
    const later = [answer(2, [0, 1]), answer(3, [0, 3]), answer(3), answer(3)]
    const { coordinator, heartbeats, told, membership, owned } = scene([answer(1, [0, 1, 2]), answer(1), ...later])
    await membership.attend(told)
    await heartbeats.beat()
    await membership.attend(told)
    expect(told.lines).toEqual(['has 0,1,2, new 0,1,2', 'revoked 2', 'revoked 1', 'has 0,3, new 3'])
    // Joins, tells what it has, beats, and then tells each time what is left.
    expect(owned()).toEqual([[], [0, 1, 2], undefined, [0, 1], [0], [0, 3]])
    expect(coordinator.left).toBe(0)
  })

  test('that is fenced while it gives up takes nothing more, and has lost the rest when it polls next', async () => {
    const fenced = { errorCode: errorCode('FENCED_MEMBER_EPOCH'), memberId: null, memberEpoch: 0, assignment: null }
    const later = [answer(2, [0, 3]), fenced, answer(5, [1]), answer(5)]
    const { heartbeats, told, membership } = scene([answer(1, [0, 1]), answer(1), ...later])
    await membership.attend(told)
    await heartbeats.beat()
    await membership.attend(told)
    expect(told.lines).toEqual(['has 0,1, new 0,1', 'revoked 1'])
    await membership.attend(told)
    expect(told.lines.slice(2)).toEqual(['lost 0', 'has 1, new 1'])
  })

  test('is told its epoch when it asks for it', async () => {
    const { told, membership } = scene([answer(1, [0]), answer(1), answer(2), answer(2)])
    await membership.attend(told)
    expect(await membership.renew()).toBe(true)
    expect(membership.identity.generation).toBe(2)
    expect(await membership.renew()).toBe(false)
  })
})
