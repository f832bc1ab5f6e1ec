/**
 * The process behind the fault restart-loop: `node restart-loop-main.ts CLUSTER ID`. Kills and starts one node as its record says, and ends
 * when the record is gone. It looks for that before each step, so that a heal need not know which process it is. When all its rounds are
 * done it takes the record away itself; how it went stays for whoever began it.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { ownProcess } from '../cluster/lifecycle.ts'
import { attachCluster } from '../cluster/runtimes.ts'
import { failure } from '../errors.ts'
import { readFaultRecord, removeFaultProgress, removeFaultRecord, writeFaultProgress } from './records.ts'

/** How soon a healed fault is noticed, ms. */
const lookEveryMs = 50

/** @returns whether it came to its end; else its order was taken away */
async function main(name: string, id: string): Promise<boolean> {
  const first = readFaultRecord(name, id)
  if (first === undefined) return false
  const self = await ownProcess()
  const { node, parameters } = first
  const isOrdered = (): boolean => readFaultRecord(name, id) !== undefined
  const pause = async (ms: number): Promise<boolean> => {
    const end = performance.now() + ms
    while (performance.now() < end) {
      if (!isOrdered()) return false
      await delay(Math.min(lookEveryMs, Math.max(0, end - performance.now())))
    }
    return isOrdered()
  }
  writeFaultProgress(name, id, { process: self, hits: 0 })
  const times = parameters['times'] === undefined ? Infinity : Number(parameters['times'])
  for (let round = 1; round <= times; round++) {
    if (!(await pause(Number(parameters['up'])))) return false
    const cluster = await attachCluster(name)
    const { state } = (await cluster.nodes()).find(each => each.id === node) ?? { state: 'dead' as const }
    if (state === 'running' || state === 'starting' || state === 'paused') await cluster.kill(node)
    writeFaultProgress(name, id, { process: self, hits: round })
    if (!(await pause(Number(parameters['down'])))) return false
    await cluster.start(node)
  }
  return isOrdered()
}

const [name, id] = process.argv.slice(2)
if (name === undefined || id === undefined) throw failure('Expected a cluster and the id of a fault.')
main(name, id).then(
  isDone => {
    if (isDone) removeFaultRecord(name, id)
    // With its order gone nobody looks for this any more.
    else removeFaultProgress(name, id)
  },
  (error: unknown) => {
    console.error(error)
    process.exitCode = 1
    if (readFaultRecord(name, id) === undefined) removeFaultProgress(name, id)
  },
)
