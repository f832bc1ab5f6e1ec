/**
 * Lab 19: who stops reading when a third member joins a group of two?
 * Setup: 1 broker, 6 partitions, records in all of them. The members are played by the script, as kafkajs knows only the eager protocol. One of
 *   the two takes 1.5 s between two polls, the other a few milliseconds.
 * Fault: a third member joins, just when the slow one has begun to work.
 * Expect: by the cooperative protocol only partitions that change hands stop, but the new member has none before all others have joined again; by the
 *   consumer protocol (KIP-848, Kafka 4.0) it has one of the fast member before the slow one has heard of it.
 * Control: by the eager protocol, partitions must be caught standing still that stay where they were, for as long as the slow member works.
 */
import { factCheck } from '#scripts/checkers/facts.ts'
import { isGroupOperation, rebalancePauses } from '#scripts/checkers/groups.ts'
import { driving, lab, quickFailover, type Expectation, type Variant } from '#scripts/labs/lab.ts'
import type { LabRun } from '#scripts/labs/script.ts'
import { HandWorkload } from '#scripts/workload/by-hand.ts'
import { Application, assignmentOf, whileRunning } from '#scripts/workload/members/application.ts'
import { GroupMember, type GroupProtocol } from '#scripts/workload/members/member.ts'
import { MemberRefusedError } from '#scripts/workload/members/membership.ts'

const partitions = 6
const recordsEach = 20
const heartbeatMs = 100
const fast = { recordsMax: 5, workMs: 5 }
/** One record with each poll. */
const slow = { recordsMax: 1, workMs: 1_500 }

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
  const [, slowOne] = members as [Application, Application]
  await evenlyAssigned(workload, members)
  run.step('records are written to all partitions')
  for (let partition = 0; partition < partitions; partition++) {
    const records = Array.from({ length: recordsEach }, (_, index) => ({ value: `record-${partition}-${index}` }))
    await workload.write({ partition, records })
  }
  const doneBefore = slowOne.done.length
  await workload.until(
    'the slow member has begun to work on its next record',
    () => Promise.resolve(slowOne.done.length),
    done => done > doneBefore,
  )
  const before = members.map(({ member }) => member.owned)
  const entries = workload.recorder.history.length
  const { nowMs } = workload.recorder
  run.step('a third member joins')
  const third = newMember(workload, 'third', protocol, fast)
  members.push(third)
  third.start()
  await evenlyAssigned(workload, members)
  const stayed = before.flatMap((owned, index) => owned.filter(each => members[index]?.member.owned.includes(each)))
  const names = new Set(stayed.map(partition => `${workload.topic}-${partition}`))
  const since = workload.recorder.history.slice(entries)
  const pauses = rebalancePauses(workload.recorder.history).filter(({ fromMs }) => fromMs >= nowMs)
  const needless = pauses.filter(({ partition }) => names.has(partition))
  const longestMs = (of: typeof pauses) => Math.round(Math.max(0, ...of.map(({ fromMs, toMs }) => toMs - fromMs)))
  run.fact('partitions that stayed where they were', stayed.length)
  run.fact('of them stopped', new Set(needless.map(({ partition }) => partition)).size)
  run.fact('longest stop of one of them, ms', longestMs(needless))
  run.fact('longest stop of one that moved, ms', longestMs(pauses.filter(({ partition }) => !names.has(partition))))
  const changes = since.filter(isGroupOperation).filter(({ f }) => f !== 'commit')
  const untilSlow = changes.slice(
    0,
    changes.findIndex(({ client }) => client === 'slow'),
  )
  const early = untilSlow.filter(({ client, f }) => client === 'third' && f === 'joined').at(-1)
  run.fact('partitions of the new member before the slow one polled again', early?.value.partitions.length ?? 0)
  run.fact('ms until the new member had all that it was to have', Math.round(workload.recorder.nowMs - nowMs))
}

/** As many partitions as each other, and none of them at two. */
async function evenlyAssigned(workload: HandWorkload, members: readonly Application[]): Promise<void> {
  await workload.until(
    'the partitions are assigned evenly',
    () => Promise.resolve(assignmentOf(members)),
    ({ owned }) => owned.every(count => count === partitions / members.length),
  )
}

const onlyWhatMoves = factCheck({
  name: 'only-what-moves-stops',
  promise: 'No partition stopped that stayed where it was.',
  about: ['partitions that stayed where they were', 'of them stopped', 'longest stop of one of them, ms'],
  broken: facts =>
    facts['of them stopped'] === 0
      ? undefined
      : `Of ${facts['partitions that stayed where they were']} partitions that stayed where they were, ${facts['of them stopped']} stopped, for up to ${facts['longest stop of one of them, ms']} ms.`,
})

const noBarrier = factCheck({
  name: 'nobody-waits-for-the-slowest',
  promise: 'The new member had a partition before the slow one had polled again.',
  about: [
    'partitions of the new member before the slow one polled again',
    'ms until the new member had all that it was to have',
  ],
  broken: facts =>
    Number(facts['partitions of the new member before the slow one polled again']) > 0
      ? undefined
      : 'The new member had no partition before the slow one had polled again.',
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
    'A group of two reads six partitions; one of the two takes 1.5 s between two polls. A third member joins by the eager protocol. For how long do the partitions stop that stay where they are?',
  prediction: {
    choices: [
      'Not at all: only partitions that move have to stop',
      'For a few milliseconds, until the leader has computed the assignment',
      'For up to 1.5 s: those of the fast member wait until the slow one has joined as well',
      'For the session timeout of the slow member',
    ],
    answer: 2,
  },
  difficulty: 3,
  lesson:
    'In the classic protocol the members agree on a generation: each joins again, one of them computes who gets what, and all are told. A member joins only when it polls. Eager members give up everything before they join. Cooperative ones (KIP-429, since 2.4) say what they own and go on with it; a partition that is to move is given to nobody first, and to its new owner in a second generation. In the consumer protocol (KIP-848) the coordinator computes the assignment and tells each member with its heartbeats.',
  exercises: [
    'Let the slow member take 5 s (workMs). Which of the three protocols does the fast one notice it in?',
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
    'The fact "longest stop of one of them, ms": about 1.5 s with the eager protocol, which is the rest of what the slow member was doing; 0 with the others.',
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
