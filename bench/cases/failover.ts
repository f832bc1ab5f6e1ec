/** kill -9 of a leader: the longest gap between acknowledgements of a producer with Kafka's default settings. */
import { realClock } from '#scripts/cluster/clock.ts'
import type { Cluster, Engine } from '#scripts/cluster/cluster.ts'
import { metadata } from '#scripts/cluster/wire-requests.ts'
import { failure } from '#scripts/errors.ts'
import type { FigureKind } from '../figures.ts'
import { makeTopic, withCluster, withWire } from '../measure/bench-cluster.ts'
import { compileSteadyProducer, startSteadyProducer } from '../measure/steady-producer.ts'
import type { BenchCase, CaseContext } from './context.ts'
import { eachRound } from './context.ts'

const kind = (name: string, unit: string, target?: number): FigureKind => ({
  case: 'failover',
  name,
  unit,
  better: 'lower',
  ...(target === undefined ? {} : { target }),
})

const INTERVAL_MS = 5
const FAILOVER_TIMEOUT_MS = 90_000
const topic = 'steady'

/** What the leader is besides. */
const victims = ['a leader', 'a leader that is the active controller'] as const

export const failover: BenchCase = {
  minutesPerRound: 8,
  async run(context) {
    const classes = await compileSteadyProducer(context.work, context.signal)
    for (const victim of victims)
      await eachRound(context, `failover, kill -9 of ${victim}`, engine =>
        withCluster(engine, 3, context.signal, cluster => measure(context, engine, cluster, victim, classes)),
      )
  },
}

async function measure(
  context: CaseContext,
  engine: Engine,
  cluster: Cluster,
  victim: (typeof victims)[number],
  classes: string,
): Promise<void> {
  const controller = (await cluster.quorum())?.leaderId
  if (controller === undefined) throw failure('The quorum has no leader.')
  const others = [1, 2, 3].filter(id => id !== controller)
  const replicas = victim === 'a leader' ? [...others, controller] : [controller, ...others]
  const [leader = 0] = replicas
  await makeTopic(cluster, topic, [replicas])
  const to = { bootstrap: cluster.bootstrap.join(','), topic, intervalMs: INTERVAL_MS }
  const producer = startSteadyProducer(classes, to, context.signal)
  await producer.waitForMore(context.options.quick ? 200 : 1_000, 60_000)
  producer.mark()
  await realClock.sleep(1_000)
  await cluster.kill(leader)
  await waitForOtherLeader(cluster, leader)
  await producer.waitForMore(400, FAILOVER_TIMEOUT_MS)
  const { longestGapMs, failed } = await producer.finish()
  context.figures.add(kind(`kill -9 of ${victim}: longest gap`, 's', 1), engine, longestGapMs / 1000)
  context.figures.add(kind(`kill -9 of ${victim}: records given up`, 'records'), engine, failed)
}

async function waitForOtherLeader(cluster: Cluster, killed: number): Promise<void> {
  const endMs = realClock.nowMs() + FAILOVER_TIMEOUT_MS
  while (realClock.nowMs() < endMs) {
    const leader = await withWire(cluster, async client => (await metadata(client, [topic])).topics[0]?.partitions[0])
    if (leader !== undefined && leader.leader >= 0 && leader.leader !== killed) return
    await realClock.sleep(100)
  }
  throw failure(`Nobody took over from broker ${killed} within ${FAILOVER_TIMEOUT_MS / 1000} s.`)
}
