/**
 * Lab 19: who stops reading when a third member joins a group of two?
 * Setup: 1 broker, 6 partitions, and records for all of them on and on. The members are played by the script, as kafkajs knows only the eager
 *   protocol. One of the two takes 3 s between two polls, the other a few milliseconds.
 * Fault: a third member joins, just when the slow one has begun to work.
 * Expect: by the cooperative protocol only partitions that change hands stop, but the new member has none before all others have joined again; by the
 *   consumer protocol (KIP-848, Kafka 4.0) it has one of the fast member before the slow one has heard of it.
 * Control: by the eager protocol, a partition that the fast member keeps must be caught unread for at least half as long as the
 *   slow one works.
 */
import { factCheck, type Facts, type Unclear } from '#scripts/checkers/facts.ts'
import { isGroupOperation } from '#scripts/checkers/groups.ts'
import { longestUnreadMs, readings } from '#scripts/checkers/readings.ts'
import type { LabClock } from '#scripts/cluster/cluster.ts'
import type { Operation } from '#scripts/history/operation.ts'
import { driving, lab, quickFailover, type Expectation, type Variant } from '#scripts/labs/lab.ts'
import type { LabRun } from '#scripts/labs/script.ts'
import { HandWorkload } from '#scripts/workload/by-hand.ts'
import { Application, evenlyAssigned, whileRunning } from '#scripts/workload/members/application.ts'
import { GroupMember, type GroupProtocol } from '#scripts/workload/members/member.ts'
import { MemberRefusedError } from '#scripts/workload/members/membership.ts'

const partitions = 6
const writeEveryMs = 50
const heartbeatMs = 100
/** All that there is, of every partition. */
const fast = { recordsMax: 500, workMs: 1 }
/** One record with each poll. Kafka's coordinator may take a second to assign anything (group.consumer.assignment.interval.ms). */
const slow = { recordsMax: 1, workMs: 3_000 }

function newMember(
  workload: HandWorkload,
  name: string,
  protocol: GroupProtocol,
  pace: { readonly recordsMax: number; readonly workMs: number },
): Application {
  const group = `${workload.topic}-readers`
  const beforeRevoked = async (member: GroupMember) => void (await member.commit())
  const member = new GroupMember(workload, { name, group, protocol, partitions, times: { heartbeatMs }, beforeRevoked })
  return new Application(member, { clock: workload.cluster.clock, ...pace })
}

function joining(protocol: GroupProtocol): Pick<Variant, 'workload' | 'script'> {
  return driving(
    parts => new HandWorkload(parts, { partitions }),
    async (run, workload) => {
      run.step('two members join: a fast one and a slow one')
      const members = [newMember(workload, 'fast', protocol, fast), newMember(workload, 'slow', protocol, slow)]
      try {
        await whileRunning(members, async () => await thirdJoins(run, workload, members, protocol))
        run.fact('answer to the members', 'NONE')
      } catch (error) {
        if (!(error instanceof MemberRefusedError)) throw error
        run.fact('answer to the members', error.code)
      }
    },
  )
}

async function thirdJoins(
  run: LabRun,
  workload: HandWorkload,
  members: Application[],
  protocol: GroupProtocol,
): Promise<void> {
  const { recorder } = workload
  await evenlyAssigned(workload, members, partitions)
  run.step('records are written to all partitions, on and on')
  await whileWriting(workload, async pace => {
    await workload.until(
      'the slow member has begun to work on a record, and the fast one reads all that it has',
      () => Promise.resolve(readSince(recorder.history, 0)),
      read => read.has('slow') && (read.get('fast')?.size ?? 0) === partitions / members.length,
    )
    const before = members.map(({ member }) => member.owned)
    const entries = recorder.history.length
    const { nowMs } = recorder
    pace.begin()
    run.step('a third member joins')
    const third = newMember(workload, 'third', protocol, fast)
    members.push(third)
    third.start()
    await evenlyAssigned(workload, members, partitions)
    run.fact('ms until the new member had all that it was to have', Math.round(recorder.nowMs - nowMs))
    const { nowMs: evenMs } = recorder
    const nameOf = (partition: number) => `${workload.topic}-${partition}`
    const [ofFast, kept, taken] = [before[0], members[0]?.member.owned, third.member.owned].map(
      owned => new Set(owned?.map(nameOf)),
    ) as [Set<string>, Set<string>, Set<string>]
    const [stayed, moved] = [[...ofFast.intersection(kept)], [...ofFast.intersection(taken)]]
    if (stayed.length === 0) throw new Error('the fast member kept no partition: there is nothing to measure')
    await workload.until(
      'the fast member reads what it kept again, and the new one what it got from it',
      () => Promise.resolve(readSince(recorder.history, evenMs)),
      read => kept.isSubsetOf(read.get('fast') ?? new Set()) && moved.every(each => read.get('third')?.has(each)),
    )
    const longestMs = (names: readonly string[]) =>
      Math.round(Math.max(...names.map(name => longestUnreadMs(recorder.history, name, nowMs))))
    run.fact(longestGap, Math.round(pace.longestGapMs))
    run.fact('partitions of the fast member that it kept', stayed.length)
    run.fact('longest time without reading one of them, ms', longestMs(stayed))
    if (moved.length > 0)
      run.fact('longest time without reading one that the new member got from it, ms', longestMs(moved))
    const changes = recorder.history
      .slice(entries)
      .filter(isGroupOperation)
      .filter(({ f }) => f !== 'commit')
    const bySlow = changes.findIndex(({ client }) => client === 'slow')
    const early = changes.slice(0, bySlow).filter(({ client, f }) => client === 'third' && f === 'joined')
    run.fact(
      'partitions of the new member before the slow one polled again',
      early.at(-1)?.value.partitions.length ?? 0,
    )
  })
}

/** How long it took at most from one round of writes to the next: longer than the pause, where the machine is slow. */
class Pace {
  readonly #clock
  #lastMs: number
  #longestMs = 0

  constructor(clock: LabClock) {
    this.#clock = clock
    this.#lastMs = clock.nowMs()
  }

  /** What was before does not count. */
  begin(): void {
    this.#longestMs = 0
  }

  round(): void {
    this.#longestMs = this.longestGapMs
    this.#lastMs = this.#clock.nowMs()
  }

  get longestGapMs(): number {
    return Math.max(this.#longestMs, this.#clock.nowMs() - this.#lastMs)
  }
}

/** One record to each partition, again and again, so that what is not read was not asked for. */
async function whileWriting(workload: HandWorkload, work: (pace: Pace) => Promise<void>): Promise<void> {
  const state = { isOver: false }
  const pace = new Pace(workload.cluster.clock)
  const write = async () => {
    for (let index = 0; !state.isOver; index++) {
      pace.round()
      for (let partition = 0; partition < partitions; partition++)
        await workload.write({ partition, records: [{ value: `record-${partition}-${index}` }] })
      await workload.cluster.clock.sleep(writeEveryMs)
    }
  }
  const writing = write()
  const working = work(pace)
  try {
    await Promise.race([working, writing])
  } finally {
    state.isOver = true
  }
  await Promise.all([working, writing])
}

/** Which partitions gave records to whom since then. */
function readSince(history: readonly Operation[], fromMs: number): ReadonlyMap<string, ReadonlySet<string>> {
  const read = new Map<string, Set<string>>()
  for (const { client, timeMs, names } of readings(history)) {
    if (timeMs < fromMs) continue
    const before = read.get(client) ?? new Set()
    read.set(client, new Set([...before, ...names]))
  }
  return read
}

const longestGap = 'longest time from one round of writes to the next, ms'

/** What holds the writer up for so long may have held up the members. */
function tooSlow({ [longestGap]: gap }: Facts): Unclear | undefined {
  const isSlow = Number(gap) >= slow.workMs / 4
  return isSlow ? { unclear: `The machine is too slow: no record was written for up to ${gap} ms.` } : undefined
}

const onlyWhatMoves = factCheck({
  name: 'only-what-moves-stops',
  promise: `What the fast member kept it went on reading: nothing of it waited for ${slow.workMs / 2} ms, half of what the slow one takes.`,
  about: ['partitions of the fast member that it kept', 'longest time without reading one of them, ms', longestGap],
  broken: facts =>
    Number(facts['longest time without reading one of them, ms']) < slow.workMs / 2
      ? undefined
      : (tooSlow(facts) ??
        `Of ${facts['partitions of the fast member that it kept']} partitions that the fast member kept, one was not read for ${facts['longest time without reading one of them, ms']} ms.`),
})

const noBarrier = factCheck({
  name: 'nobody-waits-for-the-slowest',
  promise: 'The new member had a partition before the slow one had polled again.',
  about: [
    'partitions of the new member before the slow one polled again',
    'ms until the new member had all that it was to have',
    longestGap,
  ],
  broken: facts =>
    Number(facts['partitions of the new member before the slow one polled again']) > 0
      ? undefined
      : (tooSlow(facts) ?? 'The new member had no partition before the slow one had polled again.'),
})

const barrier = factCheck({
  name: 'new-member-waits-for-everybody',
  promise: 'The new member had no partition before the slow one had polled again: a rebalance waits for every member.',
  about: [
    'partitions of the new member before the slow one polled again',
    'ms until the new member had all that it was to have',
  ],
  broken: facts =>
    facts['partitions of the new member before the slow one polled again'] === 0
      ? undefined
      : `It had ${facts['partitions of the new member before the slow one polled again']} already.`,
})

const known = factCheck({
  name: 'protocol-is-known',
  promise: 'The broker knows the protocol.',
  about: ['answer to the members'],
  broken: ({ 'answer to the members': answer }) =>
    answer === 'NONE' ? undefined : `The broker refuses members of this protocol: ${answer}.`,
})

const figures = ['group-ownership', 'committed-offsets', 'rebalance-pause'] as const
/** KIP-848 is generally available since Kafka 4.0; before, clusters refuse it unless it is switched on as a preview. */
const notBefore4: Readonly<Record<string, Expectation>> = Object.fromEntries(
  ['3.7', '3.8', '3.9'].map(version => [`apache-kafka@${version}`, ['protocol-is-known']]),
)

export default lab({
  name: '19-rebalance-protocols',
  summary: 'Let a third member join by three protocols: all stop, only what moves stops, or nobody waits for anybody.',
  question:
    'A group of two reads six partitions; one of the two takes 3 s between two polls. A third member joins by the eager protocol. For how long does the fast one not read what it keeps?',
  prediction: {
    choices: [
      'Not at all: only partitions that move have to stop',
      'For a few milliseconds, until the leader has computed the assignment',
      'For up to 3 s: until the slow one has polled, and so joined as well',
      'For the session timeout of the slow member',
    ],
    answer: 2,
  },
  difficulty: 3,
  lesson:
    'In the classic protocol the members agree on a generation: each joins again, one of them computes who gets what, and all are told. A member joins only when it polls. Eager members give up everything before they join. Cooperative ones (KIP-429, since 2.4) say what they own and go on with it; a partition that is to move is given to nobody first, and to its new owner in a second generation. In the consumer protocol (KIP-848) the coordinator computes the assignment and tells each member with its heartbeats.',
  exercises: [
    'Let the slow member take 8 s (workMs). Which of the three protocols does the fast one notice it in?',
    'Raise heartbeatMs to 1000. Which of the times grow, and why?',
    'Let `third` leave again and measure that. Does the cooperative protocol need two generations for it?',
  ],
  topology: { brokers: 1, controllers: 0, settings: quickFailover },
  needs: [],
  variants: [
    {
      name: 'cooperative',
      summary: 'classic protocol, cooperative (KIP-429)',
      role: 'main',
      ...joining('cooperative'),
      checks: [known, onlyWhatMoves, barrier, ...figures],
      expect: 'valid',
    },
    {
      name: 'consumer-protocol',
      summary: 'group.protocol=consumer (KIP-848)',
      role: 'main',
      ...joining('consumer'),
      checks: [known, onlyWhatMoves, noBarrier, ...figures],
      expect: 'valid',
      expectOn: notBefore4,
    },
    {
      name: 'eager',
      summary: 'classic protocol, eager',
      role: 'control',
      ...joining('eager'),
      checks: [known, onlyWhatMoves, barrier, ...figures],
      expect: ['only-what-moves-stops'],
    },
  ],
  watch: [
    'The fact "longest time without reading one of them, ms": nearly 3 s with the eager protocol, which is the rest of what the slow member was doing; with the others no longer than between two records.',
    'The fact "longest time without reading one that the new member got from it, ms": with the cooperative protocol it waits for the slow member although it was not its own.',
    'The fact "ms until the new member had all that it was to have": longest with the cooperative protocol, as the slow member has to join twice.',
    'In consumer-protocol: the new member reads one partition while the slow member still works, and gets the other when that has let go of it.',
    'Heartbeats are sent every 100 ms here. By default they are 3 s apart (classic), or 5 s as the broker says (group.consumer.heartbeat.interval.ms), and news come no sooner.',
    'On Apache Kafka before 4.0 the consumer protocol is refused (UNSUPPORTED_VERSION): that is the verdict expected there.',
  ],
  explanation:
    'An eager rebalance stops the world: everybody gives up everything, then waits until the last member has joined; the slowest poll of the group decides how long, up to max.poll.interval.ms. The cooperative protocol takes the stop away from what does not move, and keeps the barrier: a generation is still complete only when everybody has joined, and what moves needs two of them. KIP-848 (generally available since 4.0) takes the barrier away. The coordinator computes a target, and brings each member there on its own: it asks for what has to go, waits for that member’s heartbeat to say so, and gives it to the next owner. Members are at different epochs meanwhile, and a slow one delays only its own partitions. It is the broker that decides there, so the assignors are on the broker as well (group.remote.assignor: uniform or range), and a pattern of topics is evaluated by it.',
  reading: [
    'KIP-848, the next generation of the consumer rebalance protocol: https://cwiki.apache.org/confluence/display/KAFKA/KIP-848',
    'KIP-429, incremental cooperative rebalancing: https://cwiki.apache.org/confluence/display/KAFKA/KIP-429',
    'Kafka documentation, "Consumer Rebalance Protocol": https://kafka.apache.org/documentation/#consumer_rebalance_protocol',
  ],
})
