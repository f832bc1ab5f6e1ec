/** More brokers for a cluster of processes that runs: with nothing but their configuration they find the quorum and register. */
import { existsSync } from 'node:fs'
import { failure, lacking, usageError } from '../../errors.ts'
import { brokerIds } from '../cluster.ts'
import { brokerPort, HOST, portIsFree } from '../ports.ts'
import { brokersMax } from '../spec.ts'
import type { ClusterRecord } from '../state.ts'
import { logDirectories, writeRecord } from '../state.ts'
import type { ProcessEngine } from './engine.ts'
import { writeNodeFiles } from './node-files.ts'

/** Writes down `by` more brokers, and what each needs to be started. They stay when they do not come to serve; `down` takes them away. */
export async function growRecord(
  record: ClusterRecord,
  engine: ProcessEngine,
  by: number,
): Promise<{ readonly record: ClusterRecord; readonly fresh: readonly number[] }> {
  const { spec } = record
  if (record.phase !== 'up') {
    throw failure(`The cluster ${spec.name} is not up.`, `./faultline up --name ${spec.name} starts it.`)
  }
  if (spec.proxy === true)
    throw usageError(
      `The cluster ${spec.name} is behind a fault proxy, and its nodes have a listener for each of the others: it cannot grow.`,
      `Start it with as many brokers as are needed: ./faultline up --proxy --brokers N`,
    )
  const grown = { ...spec, added: (spec.added ?? 0) + by }
  const most = brokersMax - brokerIds(spec).length
  if (by < 1 || by > most) throw usageError(`--by ${by}: expected a number from 1 to ${most}.`)
  const fresh = brokerIds(grown).filter(id => !brokerIds(spec).includes(id))
  for (const id of fresh) {
    const port = brokerPort(grown, id)
    if (!(await portIsFree(port))) {
      throw lacking(
        `Port taken on ${HOST}: ${port} (clients of broker ${id}).`,
        'Stop what listens there (ss -ltnp shows it).',
      )
    }
  }
  const outside = spec.dataDir === undefined ? [] : fresh.flatMap(id => logDirectories(grown, id)).filter(existsSync)
  const next = { ...record, spec: grown, foreignData: [...record.foreignData, ...outside] }
  // First what `down` has to take away, then what there is to take away.
  writeRecord(next)
  writeNodeFiles(next, engine, fresh)
  return { record: next, fresh }
}
