/**
 * Where the CPU time of our broker goes: one broker, started as the toolkit starts it but with Node's CPU profiler, under Kafka's own
 * performance tools, or under full batches of 64 KiB from a client that costs next to nothing. The start is left out.
 *
 *   node bench/profile.ts produce|consume|batches [--record-bytes 100] [--records 2000000] [--acks 1|all] [--top 15]
 *                         [--runs N] [--no-profiler] [--keep FILE]
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, copyFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Cluster } from '#scripts/cluster/cluster.ts'
import { projectRoot } from '#scripts/cluster/state.ts'
import { failure } from '#scripts/errors.ts'
import { makeTopic, withCluster, withCpu, writeOutDirtyPages } from './measure/bench-cluster.ts'
import { consumeWithKafkaTool, produceWithKafkaTool } from './measure/java-tools.ts'
import { requireMachine } from './measure/machine.ts'
import { pipeline } from './measure/pipelining-producer.ts'
import type { CpuProfile } from './measure/self-time.ts'
import { selfTimes } from './measure/self-time.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'record-bytes': { type: 'string', default: '100' },
    records: { type: 'string', default: '2000000' },
    acks: { type: 'string', default: '1' },
    runs: { type: 'string' },
    'no-profiler': { type: 'boolean', default: false },
    top: { type: 'string', default: '15' },
    keep: { type: 'string' },
  },
})
const what = positionals[0] ?? 'produce'
if (!['produce', 'consume', 'batches'].includes(what))
  throw failure(`expected produce, consume or batches, got ${what}`)
const records = Number(values.records)
const recordBytes = Number(values['record-bytes'])
const acks = values.acks === 'all' ? 'all' : '1'

const work = mkdtempSync(join(tmpdir(), 'faultline-profile-'))
const interrupt = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => interrupt.abort(failure(name)))
const { signal } = interrupt
try {
  process.env['FAULTLINE_HOME'] = join(work, 'clusters')
  await requireMachine(work)
  // Only the broker inherits it: our tools are JVMs.
  if (!values['no-profiler']) process.env['NODE_OPTIONS'] = `--cpu-prof --cpu-prof-dir=${work} --cpu-prof-interval=500`
  let loadedUs = 0
  await withCluster('faultline', 1, signal, async cluster => {
    await makeTopic(cluster, 'load', [[1]])
    const load = loadOf(cluster)
    if (what === 'consume') await loadOf(cluster, 'produce')()
    await writeOutDirtyPages(signal)
    const runs = Number(values.runs ?? (what === 'consume' ? 5 : 3))
    for (let run = 1; run <= runs; run++) {
      // The first run warms up.
      if (run === 2) loadedUs = Number(process.hrtime.bigint() / 1000n)
      const { result, cpuSeconds } = await withCpu(cluster, load)
      const each = (cpuSeconds * 1e6) / result.records
      console.log(`${what}: ${Math.round(result.rate)} records/s, ${each.toFixed(3)} µs of broker CPU per record`)
    }
    // Stopping in order lets the profiler write its file.
    await cluster.stop(1)
  })
  if (!values['no-profiler']) report(loadedUs)
} finally {
  rmSync(work, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
}

function loadOf(cluster: Cluster, which = what): () => Promise<{ rate: number; records: number }> {
  const common = { bootstrap: cluster.bootstrap.join(','), topic: 'load', records, signal }
  return async () => {
    if (which === 'consume') return { rate: await consumeWithKafkaTool(common), records }
    if (which === 'produce') {
      const options = { ...common, recordBytes, acks, batchBytes: 65_536, lingerMs: 5 } as const
      return { rate: await produceWithKafkaTool(options), records }
    }
    const [node] = await cluster.nodes()
    if (node === undefined) throw failure('There is no broker.')
    const options = { batchBytes: 65_536, recordBytes, totalBytes: records * recordBytes, signal }
    const flow = await pipeline(node, 'load', options)
    return { rate: flow.records / flow.seconds, records: flow.records }
  }
}

function report(fromUs: number): void {
  const file = readdirSync(work).find(name => name.endsWith('.cpuprofile'))
  if (file === undefined) throw failure('The broker left no profile.')
  if (values.keep !== undefined) copyFileSync(join(work, file), values.keep)
  const profile = JSON.parse(readFileSync(join(work, file), 'utf8')) as CpuProfile
  for (const { name, place, percent } of selfTimes(profile, projectRoot, fromUs).slice(0, Number(values.top)))
    console.log(`${percent.toFixed(1).padStart(5)} %  ${name.padEnd(32)} ${place}`)
}
