/**
 * Faults that only the toolkit knows of, because a process of ours does them: an order in the state of the cluster, written before the fault
 * begins. Whoever was cut off in between leaves it, and healing finds it. Taking the order away is what ends such a fault: who carries it out
 * looks for it before every step.
 *
 *   faults/ID.json           the order, which commands write and take away
 *   faults/ID.process.json   how far it is: of the process that carries it out alone, so that it cannot bring back an order
 *   faults/ID.log
 */
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { makeFolder } from '#broker/environment/node/make-folder.ts'
import type { Parameters } from '#broker/environment/faulty/parameters.ts'
import { codeOf } from '../errors.ts'
import type { ProcessHandle } from '../cluster/process/liveness.ts'
import { readJson, stateEntry, writeJson } from '../cluster/state.ts'

export interface FaultRecord {
  readonly id: string
  /** Of this order alone: a later one of the same kind on the same node has the same id, and whoever carries out this one ends all the same. */
  readonly nonce: string
  readonly kind: string
  readonly node: number
  readonly summary: string
  readonly parameters: Parameters
}

export interface FaultProgress {
  /** Who carries it out. */
  readonly process: ProcessHandle
  /** How often it has struck. */
  readonly hits: number
}

function directoryOf(cluster: string): string {
  return stateEntry(cluster, 'faults')
}

function progressFileOf(cluster: string, id: string): string {
  return join(directoryOf(cluster), `${id}.process.json`)
}

function fileOf(cluster: string, id: string): string {
  return join(directoryOf(cluster), `${id}.json`)
}

export function faultLogFile(cluster: string, id: string): string {
  return join(directoryOf(cluster), `${id}.log`)
}

export function faultRecords(cluster: string): readonly FaultRecord[] {
  let names: string[]
  try {
    names = readdirSync(directoryOf(cluster))
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  }
  return names
    .filter(name => name.endsWith('.json') && !name.endsWith('.process.json'))
    .sort()
    .flatMap(name => readFaultRecord(cluster, name.slice(0, -'.json'.length)) ?? [])
}

/** Undefined when the fault was healed. */
export function readFaultRecord(cluster: string, id: string): FaultRecord | undefined {
  return readJson(fileOf(cluster, id)) as FaultRecord | undefined
}

export function writeFaultRecord(cluster: string, record: FaultRecord): void {
  makeFolder(directoryOf(cluster))
  writeJson(fileOf(cluster, record.id), record)
}

/** Undefined until the process runs that carries it out. */
export function readFaultProgress(cluster: string, id: string): FaultProgress | undefined {
  return readJson(progressFileOf(cluster, id)) as FaultProgress | undefined
}

export function writeFaultProgress(cluster: string, id: string, progress: FaultProgress): void {
  writeJson(progressFileOf(cluster, id), progress)
}

export function removeFaultProgress(cluster: string, id: string): void {
  rmSync(progressFileOf(cluster, id), { force: true })
}

/** No error when it is gone already. */
export function removeFaultRecord(cluster: string, id: string): void {
  rmSync(fileOf(cluster, id), { force: true })
  rmSync(faultLogFile(cluster, id), { force: true })
}
