/**
 * Lab 20: what makes a group rebalance again and again?
 * Setup: 1 broker, 6 partitions, a group by the eager protocol of the classic kind, whose members are played by the script: kafkajs knows neither
 *   max.poll.interval.ms nor static members.
 * Fault: one of three members is restarted five times; or the records of one poll take longer than max.poll.interval.ms.
 * Expect: restarts of a static member (group.instance.id, KIP-345) within its session timeout cause no rebalance, and stop nobody else; with few
 *   records per poll all that was done is committed.
 * Control: restarts of a dynamic member must be caught stopping the whole group each time; polls that take too long, having all their commits refused.
 */
import { factCheck } from '#scripts/checkers/facts.ts'
import { rebalancePauses } from '#scripts/checkers/groups.ts'
import { driving, lab, quickFailover, type Variant } from '#scripts/labs/lab.ts'
import type { LabRun } from '#scripts/labs/script.ts'
import { HandWorkload } from '#scripts/workload/by-hand.ts'
import { Application, evenlyAssigned, whileRunning } from '#scripts/workload/members/application.ts'
import { GroupMember } from '#scripts/workload/members/member.ts'

const partitions = 6
const restarts = 5

const groupOf = (workload: HandWorkload): string => `${workload.topic}-readers`
const newWorkload = (parts: ConstructorParameters<typeof HandWorkload>[0]) => new HandWorkload(parts, { partitions })

async function write(workload: HandWorkload, perPartition: number): Promise<void> {
  for (let partition = 0; partition < partitions; partition++) {
    const records = Array.from({ length: perPartition }, (_, index) => ({ value: `record-${partition}-${index}` }))
    await workload.write({ partition, records })
  }
}

function restarting(isStatic: boolean): Pick<Variant, 'workload' | 'script'> {
  const newMember = (workload: HandWorkload, index: number) => {
    const name = `consumer-${index}`
    const member = new GroupMember(workload, {
      name,
      group: groupOf(workload),
      protocol: 'eager',
      partitions,
      ...(isStatic ? { instanceId: name } : {}),
      beforeRevoked: async each => void (await each.commit()),
    })
    return new Application(member, { clock: workload.cluster.clock, recordsMax: 10, workMs: 5 })
  }
  return driving(newWorkload, async (run, workload) => {
    run.step('three members join')
    const applications = [0, 1, 2].map(index => newMember(workload, index))
    await whileRunning(applications, async () => {
      await evenlyAssigned(workload, applications, partitions)
      const last = applications.length - 1
      const before = generationsOf(applications)
      const own = new Set(applications[last]?.member.owned.map(partition => `${workload.topic}-${partition}`))
      const { nowMs } = workload.recorder
      for (let round = 0; round < restarts; round++) {
        run.step(`one member is restarted (${round + 1} of ${restarts})`)
        await applications[last]?.stop()
        const again = newMember(workload, last)
        applications[last] = again
        again.start()
        await evenlyAssigned(workload, applications, partitions)
      }
      const pauses = rebalancePauses(workload.recorder.history).filter(({ fromMs }) => fromMs >= nowMs)
      const others = pauses.filter(({ partition }) => !own.has(partition))
      run.fact('restarts', restarts)
      run.fact('generations that they took', generationsOf(applications) - before)
      run.fact('times that a partition of another member stopped', others.length)
      run.step('everything that is written is still read')
      await write(workload, 10)
      await workload.until(
        'all records are done',
        () => Promise.resolve(distinct(applications)),
        count => count === partitions * 10,
      )
    })
  })
}

const generationsOf = (applications: readonly Application[]): number =>
  Math.max(...applications.map(({ member }) => member.generation))

const distinct = (applications: readonly Application[]): number =>
  new Set(applications.flatMap(({ done }) => done).map(({ partition, offset }) => `${partition} ${offset}`)).size

/** Also how long a rebalance waits for a member (the rebalance timeout): many times what a few records take, also on a busy machine. */
const maxPollIntervalMs = 3_000
const workMs = 150
const refusedWanted = 3
/** 450 ms. */
const few = { perPoll: 3, perPartition: 10 }
/** 4.5 s, and more there than one poll of each member takes. */
const many = { perPoll: 30, perPartition: 30 }

function working({ perPoll, perPartition }: typeof few): Pick<Variant, 'workload' | 'script'> {
  return driving(newWorkload, async (run, workload) => {
    run.step('records are written')
    await write(workload, perPartition)
    run.step(`two members poll ${perPoll} records at a time, and work on each for ${workMs} ms`)
    const applications = [0, 1].map(index => {
      const member = new GroupMember(workload, {
        name: `consumer-${index}`,
        group: groupOf(workload),
        protocol: 'eager',
        partitions,
        times: { maxPollIntervalMs },
        beforeRevoked: async each => void (await each.commit()),
      })
      return new Application(member, { clock: workload.cluster.clock, recordsMax: perPoll, workMs })
    })
    const refused = () => applications.reduce((sum, application) => sum + application.refused, 0)
    await whileRunning(applications, async () => {
      await workload.until(
        'the work is done, or was refused often',
        () => Promise.resolve({ done: distinct(applications), refused: refused() }),
        seen => seen.done === partitions * perPartition || seen.refused >= refusedWanted,
      )
      tellWork(run, applications, refused())
    })
  })
}

function tellWork(run: LabRun, applications: readonly Application[], refused: number): void {
  const done = applications.reduce((sum, application) => sum + application.done.length, 0)
  run.fact('records done', done)
  run.fact('of them for the first time', distinct(applications))
  run.fact('commits that were refused', refused)
  run.fact('generation of the group', generationsOf(applications))
}

const noRebalance = factCheck({
  name: 'restarts-do-not-rebalance',
  promise: `${restarts} restarts of one member took no new generation, and stopped no partition of another member.`,
  about: ['restarts', 'generations that they took', 'times that a partition of another member stopped'],
  broken: facts =>
    facts['generations that they took'] === 0 && facts['times that a partition of another member stopped'] === 0
      ? undefined
      : `${facts['restarts']} restarts took ${facts['generations that they took']} generations; partitions of members that were not restarted stopped ${facts['times that a partition of another member stopped']} times.`,
})

const workIsCommitted = factCheck({
  name: 'work-is-committed',
  promise: 'No commit was refused, and no record was worked on twice.',
  about: ['commits that were refused', 'records done', 'of them for the first time', 'generation of the group'],
  broken: facts =>
    facts['commits that were refused'] === 0 && facts['records done'] === facts['of them for the first time']
      ? undefined
      : `${facts['commits that were refused']} commits were refused: ${facts['records done']} times a record was worked on, ${facts['of them for the first time']} times for the first time. The group has come to generation ${facts['generation of the group']}.`,
})

export default lab({
  name: '20-rebalance-storm',
  summary:
    'Restart a member again and again, or poll too rarely: the whole group stops each time, unless members are static.',
  question:
    'One of three consumers of a group is restarted five times, each time within its session timeout. What do the other two notice?',
  prediction: {
    choices: [
      'Nothing: only the partitions of the restarted one stop',
      'The group rebalances at each restart, and with the eager protocol everybody stops; static members spare it that',
      'They take over its partitions once and keep them',
      'Their commits are refused until the group has been quiet for the session timeout',
    ],
    answer: 1,
  },
  difficulty: 2,
  lesson:
    'A group agrees on who reads what in a rebalance: a member that comes, goes or falls silent begins one, and every member has to join again. Three times decide who is still there: session.timeout.ms (no heartbeat for that long: dead), max.poll.interval.ms (no poll for that long: it lives, but makes no progress), and how long a restart takes.',
  exercises: [
    'In `too-slow`, raise maxPollIntervalMs to 6000. What have you traded for it?',
    'Let the static member be away for longer than its session timeout. How long does nobody read its partitions?',
    "Take protocol: 'cooperative' in `dynamic`. The generations go up as before; what about the partitions of the others?",
  ],
  topology: { brokers: 1, controllers: 0, settings: quickFailover },
  needs: [],
  variants: [
    {
      name: 'static',
      summary: 'members have a group.instance.id; one is restarted five times',
      role: 'main',
      ...restarting(true),
      checks: [noRebalance, 'group-ownership', 'committed-offsets', 'rebalance-pause'],
      expect: 'valid',
    },
    {
      name: 'few-records-per-poll',
      summary: `max.poll.interval.ms ${maxPollIntervalMs}, ${few.perPoll} records per poll: ${few.perPoll * workMs} ms`,
      role: 'main',
      ...working(few),
      checks: [workIsCommitted, 'group-ownership', 'committed-offsets', 'rebalance-pause'],
      expect: 'valid',
    },
    {
      name: 'dynamic',
      summary: 'the same restarts without group.instance.id',
      role: 'control',
      ...restarting(false),
      checks: [noRebalance, 'group-ownership', 'committed-offsets', 'rebalance-pause'],
      expect: ['restarts-do-not-rebalance'],
    },
    {
      name: 'too-slow',
      summary: `max.poll.interval.ms ${maxPollIntervalMs}, ${many.perPoll} records per poll: ${many.perPoll * workMs} ms`,
      role: 'control',
      ...working(many),
      checks: [workIsCommitted, 'group-ownership', 'rebalance-pause'],
      expect: ['work-is-committed'],
    },
  ],
  watch: [
    'The fact "generations that they took": 0 for static members; at least one for each restart of a dynamic one.',
    'The longest pause in `dynamic`: nobody reads from the moment the first member has given up its partitions until the last one has joined.',
    'In `too-slow`: the same records are done over and over. Each member is thrown out while it works, its commit is refused with UNKNOWN_MEMBER_ID, and the next owner begins where the group had committed: at the beginning.',
    'No broker and no client failed in any variant.',
  ],
  explanation:
    'A consumer that is closed sends LeaveGroup, one that comes back is a new member: each begins a rebalance, and with the eager protocol all members give up all partitions until everybody has joined. A deployment that restarts a hundred consumers one by one makes up to two hundred of them. A static member (group.instance.id, KIP-345, since 2.3) does not say goodbye; whoever joins with its instance id before the session timeout is over gets its place, its partitions and the same generation. The price: when it does not come back, nobody reads its partitions until the session timeout is over. The other storm comes from within: max.poll.interval.ms (5 minutes) is how long a consumer may take between two polls. One that takes longer leaves the group by itself although its heartbeats go on (KIP-62), its commit is refused, and the next owner gets the same records, takes as long, and leaves as well. More time or fewer records per poll (max.poll.records) end it; more consumers do not. Retries that sleep in the middle of a poll are the usual reason.',
  reading: [
    'KIP-345, static membership: https://cwiki.apache.org/confluence/display/KAFKA/KIP-345',
    'KIP-62, heartbeats in the background and max.poll.interval.ms: https://cwiki.apache.org/confluence/display/KAFKA/KIP-62',
    'KIP-814, static members and the assignment of the leader: https://cwiki.apache.org/confluence/display/KAFKA/KIP-814',
    'Kafka documentation, max.poll.interval.ms: https://kafka.apache.org/documentation/#consumerconfigs_max.poll.interval.ms',
  ],
})
