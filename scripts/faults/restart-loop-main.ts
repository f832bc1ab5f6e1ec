/**
 * The process behind the fault restart-loop: `node restart-loop-main.ts CLUSTER ID NONCE`. Kills and starts one node as its record says, and ends
 * when the record is gone. It looks for that before each step, so that a heal need not know which process it is. When all its rounds are
 * done it takes the record away itself; how it went stays for whoever began it.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { ownProcess } from '../cluster/lifecycle.ts'
import { attachCluster } from '../cluster/runtimes.ts'
import { failure } from '../errors.ts'
import {
  readFaultProgress,
  readFaultRecord,
  removeFaultProgress,
  removeFaultRecord,
  writeFaultProgress,
} from './records.ts'

/** How soon a healed fault is noticed, ms. */
const lookEveryMs = 50

/** @returns whether it came to its end; else its order was taken away */
async function main(name: string, id: string, nonce: string): Promise<boolean> {
  const self = await ownProcess()
  const first = readFaultRecord(name, id)
  if (first?.nonce !== nonce) return false
  const { node, parameters } = first
  const isOrdered = (): boolean => isStillOrdered(name, id, nonce)
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
    if (!isOrdered()) return false
    writeFaultProgress(name, id, { process: self, hits: round })
    if (!(await pause(Number(parameters['down'])))) return false
    await cluster.start(node)
  }
  return isOrdered()
}

function isStillOrdered(name: string, id: string, nonce: string): boolean {
  return readFaultRecord(name, id)?.nonce === nonce
}

/** With its order gone nobody looks any more for how far it was. What is there of a later order is that one's. */
function removeOwnProgress(name: string, id: string): void {
  if (readFaultProgress(name, id)?.process.pid === process.pid) removeFaultProgress(name, id)
}

const [name, id, nonce] = process.argv.slice(2)
if (name === undefined || id === undefined || nonce === undefined)
  throw failure('Expected a cluster, the id of a fault and the nonce of its order.')
main(name, id, nonce).then(
  isDone => {
    if (isDone) removeFaultRecord(name, id)
    else removeOwnProgress(name, id)
  },
  (error: unknown) => {
    console.error(error)
    process.exitCode = 1
    if (!isStillOrdered(name, id, nonce)) removeOwnProgress(name, id)
  },
)
