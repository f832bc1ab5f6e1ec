/** Resident memory per broker: some seconds after the start, and the peak after records were produced and consumed. */
import { realClock } from '#scripts/cluster/clock.ts'
import type { Cluster } from '#scripts/cluster/cluster.ts'
import type { FigureKind } from '../figures.ts'
import { makeTopic, pidsOf, withCluster } from '../measure/bench-cluster.ts'
import { consumeWithKafkaTool } from '../measure/java-tools.ts'
import type { Memory } from '../measure/process.ts'
import { memoryOf } from '../measure/process.ts'
import type { BenchCase, CaseContext } from './context.ts'
import { eachRound } from './context.ts'
import { loads, produceLoad } from './loads.ts'
import { threeReplicas } from './replicated.ts'

const kind = (name: string, target?: number): FigureKind => ({
  case: 'memory',
  name,
  unit: 'MiB',
  better: 'lower',
  ...(target === undefined ? {} : { target }),
})

export const memory: BenchCase = {
  minutesPerRound: 8,
  async run(context) {
    for (const brokers of [1, 3])
      await eachRound(context, `memory, ${brokers} broker${brokers === 1 ? '' : 's'}`, engine =>
        withCluster(engine, brokers, context.signal, async cluster => {
          const title = brokers === 1 ? '1 broker' : `${brokers} brokers, each`
          await realClock.sleep(context.options.quick ? 3_000 : 10_000)
          const idle = await mean(cluster, sample => sample.rssMiB)
          await loadCluster(context, cluster)
          const loaded = await mean(cluster, sample => sample.rssMiB)
          const peak = await mean(cluster, sample => sample.peakMiB)
          context.figures.add(kind(`${title}: idle`, 0.25), engine, idle)
          context.figures.add(kind(`${title}: peak under load`, 0.25), engine, peak)
          context.figures.add(kind(`${title}: after the load`), engine, loaded)
        }),
      )
  },
}

async function loadCluster(context: CaseContext, cluster: Cluster): Promise<void> {
  const one = cluster.spec.brokers === 1
  for (const load of loads(context, one ? 1 : 0.4)) {
    const topic = `load-${load.recordBytes}`
    await makeTopic(cluster, topic, one ? [[1]] : threeReplicas)
    await produceLoad(context, cluster, load, { topic, acks: 'all' })
    const { signal } = context
    await consumeWithKafkaTool({ bootstrap: cluster.bootstrap.join(','), topic, records: load.records, signal })
  }
}

async function mean(cluster: Cluster, of: (sample: Memory) => number): Promise<number> {
  const samples = (await pidsOf(cluster)).map(pid => of(memoryOf(pid)))
  return samples.reduce((sum, sample) => sum + sample, 0) / samples.length
}
