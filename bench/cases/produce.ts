/** Kafka's own ProducerPerformance against one broker: rate, and what a record costs the broker. */
import type { FigureKind } from '../figures.ts'
import { makeTopic, withCluster, withCpu, writeOutDirtyPages } from '../measure/bench-cluster.ts'
import type { BenchCase } from './context.ts'
import { eachRound } from './context.ts'
import { loads, microsecondsPerRecord, produceLoad, warmUp } from './loads.ts'

const rate = (name: string): FigureKind => ({
  case: 'produce',
  name: `${name}: rate`,
  unit: 'records/s',
  better: 'higher',
  target: 1,
})
const cpu = (name: string): FigureKind => ({
  case: 'produce',
  name: `${name}: broker CPU per record`,
  unit: 'µs',
  better: 'lower',
  target: 0.5,
})

export const produce: BenchCase = {
  minutesPerRound: 8,
  async run(context) {
    const { figures, signal } = context
    await eachRound(context, 'produce, 1 broker', engine =>
      withCluster(engine, 1, signal, async cluster => {
        for (const load of loads(context)) {
          await makeTopic(cluster, `warm-${load.recordBytes}`, [[1]])
          await produceLoad(context, cluster, warmUp(load), { topic: `warm-${load.recordBytes}`, acks: 'all' })
          for (const acks of ['1', 'all'] as const) {
            const topic = `load-${load.recordBytes}-${acks}`
            await makeTopic(cluster, topic, [[1]])
            await writeOutDirtyPages(signal)
            const work = () => produceLoad(context, cluster, load, { topic, acks })
            const { result, cpuSeconds } = await withCpu(cluster, work)
            const name = `${load.title}, acks=${acks}`
            figures.add(rate(name), engine, result)
            figures.add(cpu(name), engine, microsecondsPerRecord(cpuSeconds, load.records))
          }
        }
      }),
    )
  },
}
