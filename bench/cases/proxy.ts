/** What the fault proxy costs while it breaks nothing: ProducerPerformance with acks=all against three brokers, with and without it in front. */
import type { Engine } from '#scripts/cluster/cluster.ts'
import type { FigureKind } from '../figures.ts'
import { makeTopic, withCluster, writeOutDirtyPages } from '../measure/bench-cluster.ts'
import type { BenchCase, CaseContext } from './context.ts'
import { eachRound } from './context.ts'
import { loads, produceLoad, warmUp, type Load } from './loads.ts'
import { threeReplicas } from './replicated.ts'

const rate = (name: string, where: string): FigureKind => ({
  case: 'proxy',
  name: `${name}, acks=all, ${where}: rate`,
  unit: 'records/s',
  better: 'higher',
})
const share = (name: string): FigureKind => ({
  case: 'proxy',
  name: `${name}, acks=all: rate behind the proxy / direct`,
  unit: '',
  better: 'higher',
  least: 0.8,
})

export const proxy: BenchCase = {
  minutesPerRound: 16,
  async run(context) {
    let round = 0
    await eachRound(context, 'proxy, 3 brokers', async engine => {
      // Who goes first has the colder machine: it alternates.
      const order = round++ % 2 === 0 ? [false, true] : [true, false]
      const rates = new Map<string, number>()
      for (const behind of order) await measure(context, engine, { behind, rates })
      for (const { title } of loads(context, 0.4)) {
        const direct = rates.get(`${title} direct`)
        const proxied = rates.get(`${title} behind the proxy`)
        if (direct !== undefined && proxied !== undefined) context.figures.add(share(title), engine, proxied / direct)
      }
    })
  },
}

async function measure(
  context: CaseContext,
  engine: Engine,
  { behind, rates }: { readonly behind: boolean; readonly rates: Map<string, number> },
): Promise<void> {
  const where = behind ? 'behind the proxy' : 'direct'
  await withCluster(
    engine,
    3,
    context.signal,
    async cluster => {
      const work = async (load: Load, topic: string) =>
        await produceLoad(context, cluster, load, { topic, acks: 'all' })
      for (const load of loads(context, 0.4)) {
        await makeTopic(cluster, `warm-${load.recordBytes}`, threeReplicas)
        await work(warmUp(load), `warm-${load.recordBytes}`)
        await makeTopic(cluster, `load-${load.recordBytes}`, threeReplicas)
        await writeOutDirtyPages(context.signal)
        const found = await work(load, `load-${load.recordBytes}`)
        rates.set(`${load.title} ${where}`, found)
        context.figures.add(rate(load.title, where), engine, found)
      }
    },
    { proxy: behind },
  )
}
