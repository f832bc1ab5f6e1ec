/** ProducerPerformance with acks=all against three brokers, three partitions with three replicas each. No target: reported. */
import type { FigureKind } from '../figures.ts'
import { makeTopic, withCluster, withCpu, writeOutDirtyPages } from '../measure/bench-cluster.ts'
import type { BenchCase } from './context.ts'
import { eachRound } from './context.ts'
import { loads, microsecondsPerRecord, produceLoad, warmUp } from './loads.ts'

const rate = (name: string): FigureKind => ({
  case: 'replicated',
  name: `${name}, acks=all: rate`,
  unit: 'records/s',
  better: 'higher',
})
const cpu = (name: string): FigureKind => ({
  case: 'replicated',
  name: `${name}, acks=all: CPU per record, all brokers`,
  unit: 'µs',
  better: 'lower',
})

/** Each broker leads one partition. */
export const threeReplicas: readonly (readonly number[])[] = [
  [1, 2, 3],
  [2, 3, 1],
  [3, 1, 2],
]

export const replicated: BenchCase = {
  minutesPerRound: 8,
  async run(context) {
    const { figures, signal } = context
    await eachRound(context, 'replicated, 3 brokers', engine =>
      withCluster(engine, 3, signal, async cluster => {
        for (const load of loads(context, 0.4)) {
          await makeTopic(cluster, `warm-${load.recordBytes}`, threeReplicas)
          await produceLoad(context, cluster, warmUp(load), { topic: `warm-${load.recordBytes}`, acks: 'all' })
          const topic = `load-${load.recordBytes}`
          await makeTopic(cluster, topic, threeReplicas)
          await writeOutDirtyPages(signal)
          const work = () => produceLoad(context, cluster, load, { topic, acks: 'all' })
          const { result, cpuSeconds } = await withCpu(cluster, work)
          figures.add(rate(load.title), engine, result)
          figures.add(cpu(load.title), engine, microsecondsPerRecord(cpuSeconds, load.records))
        }
      }),
    )
  },
}
