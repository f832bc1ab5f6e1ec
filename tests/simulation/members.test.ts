/** Members that a script plays, in virtual time: what they are given, what is refused, and what the history says of it. */
import { describe, expect, test } from 'vitest'
import { check, groupChecks } from '#scripts/checkers/check.ts'
import type { Cluster } from '#scripts/cluster/cluster.ts'
import { simulatedRuntime } from '#scripts/cluster/simulated/runtime.ts'
import { clusterSpec } from '#scripts/cluster/spec.ts'
import { isGroupOperation } from '#scripts/checkers/groups.ts'
import { HistoryRecorder } from '#scripts/history/recorder.ts'
import { HandWorkload } from '#scripts/workload/by-hand.ts'
import { Application, assignmentOf, whileRunning } from '#scripts/workload/members/application.ts'
import { GroupMember, type GroupProtocol, type MemberOptions } from '#scripts/workload/members/member.ts'

const partitions = 4
const spec = clusterSpec({ name: 'members', runtime: 'simulated', brokers: 1, seed: 5 })
const protocols: readonly GroupProtocol[] = ['eager', 'cooperative', 'consumer']

interface Scene {
  readonly cluster: Cluster
  readonly workload: HandWorkload
  readonly member: (name: string, options?: Partial<MemberOptions>) => GroupMember
  /** Lets the members poll until it holds. */
  readonly until: (what: string, members: readonly GroupMember[], holds: () => boolean) => Promise<void>
}

/** One record in each partition, and members of one group. @returns the history */
async function scene(protocol: GroupProtocol, play: (scene: Scene) => Promise<void>): Promise<HistoryRecorder> {
  const cluster = await simulatedRuntime.up(spec)
  const recorder = new HistoryRecorder(cluster.clock)
  const members: GroupMember[] = []
  try {
    const workload = new HandWorkload({ cluster, recorder, topic: 'letters' }, { partitions })
    await workload.prepare()
    for (let partition = 0; partition < partitions; partition++)
      await workload.write({ partition, records: [{ value: `record-${partition}` }] })
    await play({
      cluster,
      workload,
      member(name, options = {}) {
        const member = new GroupMember(workload, { name, group: 'readers', protocol, partitions, ...options })
        members.push(member)
        return member
      },
      async until(what, polling, holds) {
        const waiting = { isOver: false }
        // Each on its own: who joins waits in its poll until the others poll, too.
        const loop = async (member: GroupMember) => {
          while (!waiting.isOver) {
            await member.poll()
            await cluster.clock.sleep(50)
          }
        }
        const loops = Promise.all(polling.map(loop))
        const held = workload.until(what, () => Promise.resolve(), holds)
        try {
          await Promise.race([held, loops])
        } finally {
          waiting.isOver = true
        }
        await loops
      },
    })
    await workload.finish(10_000)
  } finally {
    for (const member of members) member.crash()
    await cluster.down()
  }
  return recorder
}

const owned = (...members: readonly GroupMember[]) => members.map(member => member.owned.length)
const sorted = (...members: readonly GroupMember[]) => members.flatMap(member => member.owned).toSorted((a, b) => a - b)

describe.each(protocols)('two members by the protocol %s', protocol => {
  test('share the partitions, go on where was committed, and leave what they have to the other', async () => {
    const { history } = await scene(protocol, async ({ member, until }) => {
      const [first, second] = [member('first'), member('second')]
      const read: string[] = []
      while (read.length < partitions) read.push(...(await first.poll()).map(({ value }) => value ?? ''))
      expect(read.toSorted()).toEqual(['record-0', 'record-1', 'record-2', 'record-3'])
      expect(await first.commit()).toBe('NONE')
      await until('both have two partitions', [first, second], () => owned(first, second).join() === '2,2')
      expect(sorted(first, second)).toEqual([0, 1, 2, 3])
      expect([...second.positions.values()]).toEqual([1, 1])
      await second.leave()
      await until('the first one has all again', [first], () => owned(first).join() === '4')
    })
    const judged = check(history, groupChecks)
    expect(judged.results.map(({ name, valid }) => `${name} ${valid}`)).toEqual(groupChecks.map(name => `${name} true`))
  })

  test('come out the same to the byte from the same seed', async () => {
    const play = async () => {
      const { history } = await scene(protocol, async ({ member, until }) => {
        const [first, second] = [member('first'), member('second')]
        await until('both have two partitions', [first, second], () => owned(first, second).join() === '2,2')
      })
      return JSON.stringify(history)
    }
    expect(await play()).toBe(await play())
  })
})

describe.each(['eager', 'cooperative'] as const)('a member by the protocol %s', protocol => {
  test('that is killed keeps its partitions until its session is over', async () => {
    const sessionTimeoutMs = 8_000
    await scene(protocol, async ({ cluster, member, until }) => {
      const [first, second] = [member('first', { times: { sessionTimeoutMs } }), member('second')]
      await until('both have two partitions', [first, second], () => owned(first, second).join() === '2,2')
      first.crash()
      const killedMs = cluster.clock.nowMs()
      await until('the other has all', [second], () => owned(second).join() === '4')
      const tookMs = cluster.clock.nowMs() - killedMs
      expect(tookMs).toBeGreaterThan(sessionTimeoutMs - 1_000)
      expect(tookMs).toBeLessThan(sessionTimeoutMs + 2_000)
    })
  })

  test('that does not poll for max.poll.interval.ms leaves: its commit is refused, and it begins anew', async () => {
    const { history } = await scene(protocol, async ({ cluster, member, until }) => {
      const slow = member('slow', { times: { maxPollIntervalMs: 1_000 } })
      await until('it has all', [slow], () => owned(slow).join() === '4')
      const before = slow.generation
      await cluster.clock.sleep(900)
      expect(await slow.commit()).toBe('NONE')
      await cluster.clock.sleep(600)
      expect(await slow.commit()).toBe('UNKNOWN_MEMBER_ID')
      await until('it has all again', [slow], () => owned(slow).join() === '4' && slow.generation > before)
    })
    const changes = history.filter(isGroupOperation).map(({ f, type }) => `${f} ${type}`)
    expect(changes).toEqual(['joined ok', 'commit ok', 'commit fail', 'lost ok', 'joined ok'])
  })

  test('that is static and comes back in time gets the same generation; the one before is fenced', async () => {
    await scene(protocol, async ({ member, until }) => {
      const before = member('first', { instanceId: 'node-1' })
      const other = member('second', { instanceId: 'node-2' })
      await until('both have two partitions', [before, other], () => owned(before, other).join() === '2,2')
      const { generation, owned: partitionsBefore } = before
      const after = member('first', { instanceId: 'node-1' })
      await until('the new instance has two partitions', [after, other], () => owned(after, other).join() === '2,2')
      expect([after.generation, after.owned]).toEqual([generation, partitionsBefore])
      await expect(until('the old instance is told', [before], () => false)).rejects.toMatchObject({
        code: 'FENCED_INSTANCE_ID',
      })
    })
  })
})

describe('a static member of the consumer protocol', () => {
  test('leaves for a while and gets its partitions back, and nobody else has them meanwhile', async () => {
    const { history } = await scene('consumer', async ({ member, until }) => {
      const first = member('first', { instanceId: 'node-1' })
      const other = member('second', { instanceId: 'node-2' })
      await until('both have two partitions', [first, other], () => owned(first, other).join() === '2,2')
      const before = first.owned
      await first.leave()
      const again = member('first', { instanceId: 'node-1' })
      await until('it is back', [again, other], () => owned(again, other).join() === '2,2')
      expect(again.owned).toEqual(before)
    })
    expect(history.filter(({ f }) => f === 'lost')).toEqual([])
  })
})

describe('an application around a member', () => {
  const pace = { recordsMax: 10, workMs: 5 }

  test('works on every record once, commits it, and leaves when it is stopped', async () => {
    const { history } = await scene('eager', async ({ cluster, workload, member }) => {
      const applications = ['first', 'second'].map(
        name => new Application(member(name), { clock: cluster.clock, ...pace }),
      )
      await whileRunning(applications, async () => {
        const done = () => applications.reduce((sum, each) => sum + each.done.length, 0)
        await workload.until(
          'all is done and shared',
          () => Promise.resolve({ done: done(), owned: assignmentOf(applications).owned.join() }),
          seen => seen.done === partitions && seen.owned === '2,2',
        )
      })
      expect(applications.map(({ refused }) => refused)).toEqual([0, 0])
      expect(await workload.committed('readers', 3)).toBe(1)
    })
    const ended = history.filter(({ f }) => f === 'crash').length
    expect(ended).toBe(2)
  })

  test('tells of its failure to whoever asks what it has done, and to who stops it', async () => {
    await scene('eager', async ({ cluster, workload, member }) => {
      const [before, after] = ['first', 'second'].map(
        name => new Application(member(name, { instanceId: 'node-1' }), { clock: cluster.clock, ...pace }),
      ) as [Application, Application]
      before.start()
      await workload.until(
        'it has all',
        () => Promise.resolve(owned(before.member).join()),
        seen => seen === '4',
      )
      after.start()
      const waiting = workload.until(
        'it fails',
        () => Promise.resolve().then(() => before.done.length),
        () => false,
      )
      await expect(waiting).rejects.toMatchObject({ code: 'FENCED_INSTANCE_ID' })
      await expect(before.stop()).rejects.toMatchObject({ code: 'FENCED_INSTANCE_ID' })
      await after.stop()
    })
  })

  test('that is killed in the middle of a record has not done it, and says no more', async () => {
    const { history } = await scene('eager', async ({ cluster, workload, member }) => {
      const slow = new Application(member('slow'), { clock: cluster.clock, recordsMax: 10, workMs: 1_000 })
      slow.start()
      await workload.until(
        'one record is done',
        () => Promise.resolve(slow.done.length),
        count => count === 1,
      )
      slow.kill()
      await slow.stop()
      expect(slow.done).toHaveLength(1)
    })
    expect(history.filter(({ f }) => f === 'commit')).toEqual([])
  })
})
