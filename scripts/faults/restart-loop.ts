/** A node that is killed and started again and again: by a process of its own, which outlives the command and ends with its record. */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { poll } from '../cluster/clock.ts'
import { conditionOf, waitFor } from '../cluster/process/liveness.ts'
import { failure, usageError } from '../errors.ts'
import { bringBack } from './bring-back.ts'
import { installation } from '../installation/here.ts'
import { checkParameters, count, milliseconds, type Parameter } from '../proxy/parameters.ts'
import { takingBack, untilAllEnded } from '../settle.ts'
import type { AppliedFault, FaultOrder } from './kind.ts'
import {
  faultLogFile,
  faultRecords,
  readFaultProgress,
  removeFaultProgress,
  removeFaultRecord,
  writeFaultRecord,
  type FaultRecord,
} from './records.ts'

export const restartLoopParameters: readonly Parameter[] = [
  milliseconds('up', 'how long it runs, from the start of the process', { default: 5_000, min: 500 }),
  milliseconds('down', 'how long it is away', { default: 1_000 }),
  { ...count('times', 'so often; left out: until it is healed'), max: 10_000 },
]

/** How long a loop may take for the step it is at. */
const stepMs = 30_000

export async function restartLoop(order: FaultOrder): Promise<readonly AppliedFault[]> {
  const { cluster, nodes, proof } = order
  const name = cluster.spec.name
  const parameters = checkParameters('restart-loop', restartLoopParameters, order.parameters)
  for (const record of faultRecords(name).filter(each => nodes.includes(each.node))) {
    if (await hasEnded(name, record)) await endRecordedFault(name, record.id)
    else
      throw usageError(
        `Node ${record.node} is in a restart loop already.`,
        `./faultline fault heal ${record.id} --name ${name}`,
      )
  }
  const were = await cluster.nodes()
  const records = nodes.map((node): FaultRecord => ({
    id: `restart-loop-${node}`,
    nonce: randomUUID(),
    kind: 'restart-loop',
    node,
    summary: `node ${node} is killed ${String(parameters['up'])} ms after each start, and away for ${String(parameters['down'])} ms`,
    parameters,
  }))
  const firstMs = Number(parameters['up']) + stepMs
  try {
    for (const record of records) writeFaultRecord(name, record)
    for (const record of records) await startLoop(name, record)
    return await untilAllEnded(
      records.map(async record => {
        const proofs = proof ? [await proveLoop(name, record, firstMs)] : []
        return { ...asFault(name, record), proofs }
      }),
    )
  } catch (error) {
    throw await takingBack(error, async () => {
      await untilAllEnded(records.map(record => endRecordedFault(name, record.id)))
      await bringBack(cluster, were, nodes)
    })
  }
}

export async function describeRecord(cluster: string, record: FaultRecord): Promise<Omit<AppliedFault, 'proofs'>> {
  const fault = asFault(cluster, record)
  if (!(await hasEnded(cluster, record))) return fault
  return { ...fault, summary: `${fault.summary}; the process that did so has ended by itself` }
}

function asFault(cluster: string, { id, kind, node, summary, parameters }: FaultRecord): Omit<AppliedFault, 'proofs'> {
  return { id, name: kind, node, summary, parameters, hits: readFaultProgress(cluster, id)?.hits ?? 0 }
}

/** Whether an order is left of somebody who cannot carry it out any more. */
async function hasEnded(cluster: string, { id }: FaultRecord): Promise<boolean> {
  const progress = readFaultProgress(cluster, id)
  return progress !== undefined && (await conditionOf(progress.process)) === 'gone'
}

async function startLoop(name: string, { id, nonce }: FaultRecord): Promise<void> {
  // A loop that has come to its end leaves how it went.
  removeFaultProgress(name, id)
  const log = openSync(faultLogFile(name, id), 'a')
  try {
    const child = spawn(process.execPath, [installation.restartLoopMain, name, id, nonce], {
      detached: true,
      stdio: ['ignore', log, log],
    })
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve)
      child.once('error', reject)
    })
    child.unref()
  } finally {
    closeSync(log)
  }
}

async function proveLoop(name: string, { id, node }: FaultRecord, timeoutMs: number) {
  const seen = await poll(
    async () => {
      const progress = readFaultProgress(name, id)
      if (progress === undefined) return undefined
      if (progress.hits > 0) return 'killed'
      return (await conditionOf(progress.process)) === 'gone' ? 'ended' : undefined
    },
    { everyMs: 50, timeoutMs },
  )
  if (seen === 'killed') return { node, shown: true, text: 'the node was killed for the first time' }
  throw failure(
    `The restart loop of node ${node} did not take effect, and was taken back: it ${seen === 'ended' ? 'has ended' : `killed nobody in ${timeoutMs} ms`}.\n${readFileSync(faultLogFile(name, id), 'utf8').slice(-1_500)}`,
  )
}

/** Ends what a record stands for: no step of it begins after this has resolved. What the node is then is up to the caller. */
export async function endRecordedFault(name: string, id: string): Promise<void> {
  removeFaultRecord(name, id)
  // A process that has not written yet who it is finds no order before its first step, and ends.
  const progress = readFaultProgress(name, id)
  if (progress !== undefined && !(await waitFor(progress.process, 'gone', stepMs)))
    throw failure(
      `The process ${progress.process.pid}, which carries out the fault ${id}, has not ended within ${stepMs / 1000} s.`,
      `End it with: kill ${progress.process.pid}`,
    )
  removeFaultProgress(name, id)
}
