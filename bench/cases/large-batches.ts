/** Sustained large batches, more than the page cache takes without writing out: rate, CPU, and how long the broker went silent. No target. */
import { failure } from '#scripts/errors.ts'
import type { FigureKind } from '../figures.ts'
import { makeTopic, withCluster, withCpu, writeOutDirtyPages } from '../measure/bench-cluster.ts'
import { pipeline } from '../measure/pipelining-producer.ts'
import type { BenchCase } from './context.ts'
import { eachRound } from './context.ts'

const BATCH_KIB = 256
const MIB = 2 ** 20
const batches = { batchBytes: BATCH_KIB * 1_024, recordBytes: 1_000 }

const kind = (name: string, unit: string, better: 'lower' | 'higher'): FigureKind => ({
  case: 'large-batches',
  name: `${BATCH_KIB} KiB, acks=1: ${name}`,
  unit,
  better,
})

export const largeBatches: BenchCase = {
  minutesPerRound: 8,
  async run(context) {
    const { figures, signal, options } = context
    await eachRound(context, `large batches, ${options.gigabytes} GB`, engine =>
      withCluster(engine, 1, signal, async cluster => {
        const [node] = await cluster.nodes()
        if (node === undefined) throw failure('There is no broker.')
        await makeTopic(cluster, 'warm', [[1]])
        await pipeline(node, 'warm', { ...batches, totalBytes: 128 * MIB, signal })
        await makeTopic(cluster, 'load', [[1]])
        await writeOutDirtyPages(signal)
        const totalBytes = options.gigabytes * 1e9
        const work = () => pipeline(node, 'load', { ...batches, totalBytes, signal })
        const { result, cpuSeconds } = await withCpu(cluster, work)
        figures.add(kind('rate', 'MiB/s', 'higher'), engine, result.bytes / MIB / result.seconds)
        figures.add(kind('broker CPU per MiB', 'µs', 'lower'), engine, (cpuSeconds * 1e6) / (result.bytes / MIB))
        figures.add(kind('longest gap between acknowledgements', 'ms', 'lower'), engine, result.longestGapMs)
      }),
    )
  },
}
