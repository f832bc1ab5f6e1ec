/** Kafka's own ConsumerPerformance against one broker, over records that lie in the page cache. */
import type { FigureKind } from '../figures.ts'
import { makeTopic, withCluster, withCpu, writeOutDirtyPages } from '../measure/bench-cluster.ts'
import { consumeWithKafkaTool } from '../measure/java-tools.ts'
import type { BenchCase } from './context.ts'
import { eachRound } from './context.ts'
import { loads, microsecondsPerRecord, produceLoad, warmUp } from './loads.ts'

const rate = (name: string): FigureKind => ({
  case: 'consume',
  name: `${name}: rate`,
  unit: 'records/s',
  better: 'higher',
  target: 1,
})
const cpu = (name: string): FigureKind => ({
  case: 'consume',
  name: `${name}: broker CPU per record`,
  unit: 'µs',
  better: 'lower',
  target: 0.5,
})

export const consume: BenchCase = {
  minutesPerRound: 8,
  async run(context) {
    const { figures, signal } = context
    await eachRound(context, 'consume, 1 broker', engine =>
      withCluster(engine, 1, signal, async cluster => {
        for (const load of loads(context)) {
          const topic = `load-${load.recordBytes}`
          await makeTopic(cluster, topic, [[1]])
          await produceLoad(context, cluster, load, { topic, acks: '1' })
          const options = { bootstrap: cluster.bootstrap.join(','), topic, signal }
          await consumeWithKafkaTool({ ...options, records: warmUp(load).records })
          await writeOutDirtyPages(signal)
          const work = () => consumeWithKafkaTool({ ...options, records: load.records })
          const { result, cpuSeconds } = await withCpu(cluster, work)
          figures.add(rate(load.title), engine, result)
          figures.add(cpu(load.title), engine, microsecondsPerRecord(cpuSeconds, load.records))
        }
      }),
    )
  },
}
