/**
 * What outlives a command: one directory per cluster, `.faultline/NAME`, which the user can look into.
 *
 *   cluster.json                    the spec, the cluster id, how far `up` or `down` got
 *   node-ID/server.properties       what the node was started with
 *   node-ID/process.json            its process, and what we last wanted of it (process runtime)
 *   node-ID/start.lock              which command is starting that process; there while one is, or was killed at it
 *   node-ID/version.json            as what version of the engine it is started, when that is another than the cluster's (processes, containers)
 *   node-ID/broker.log, node-ID/data
 *   security/                       keys, users, files for clients (security/material.ts)
 *
 * Files are replaced as a whole (write, then rename), so that a command that ends in the middle leaves the old or the new content.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, rmdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { makeFolder } from '#broker/environment/node/make-folder.ts'
import { codeOf, exitCodes, failure, messageOf, ToolkitError } from '../errors.ts'
import { replaceFile } from '../replace-file.ts'
import { installation } from '../installation/here.ts'
import type { ClusterSpec } from './cluster.ts'
import type { ProcessHandle } from './process/liveness.ts'

export const projectRoot = installation.root

/**
 * - starting: an `up` is at work (or died at it, when `owner` is gone)
 * - up: all was started
 * - down: stopped, data kept
 */
export type Phase = 'starting' | 'up' | 'down'

export interface ClusterRecord {
  /** Layout of this file; raised when an older toolkit could not read it. */
  readonly version: 1
  readonly spec: ClusterSpec
  readonly clusterId: string
  readonly phase: Phase
  /** The command that is starting the cluster. */
  readonly owner: ProcessHandle
  /** Of what it has outside of its state directory, and of the folders above that, the paths that were there before `up`: they survive `down`. */
  readonly foreignData: readonly string[]
}

/** The directory that holds all clusters. FAULTLINE_HOME moves it. */
export function stateHome(environment: NodeJS.ProcessEnv = process.env): string {
  const chosen = environment['FAULTLINE_HOME']
  // Processes and Compose get paths in it, and have working directories of their own.
  if (chosen !== undefined && chosen !== '') return resolve(chosen)
  return join(installation.workplace, '.faultline')
}

/** Clusters of this process whose state lies in a directory of their own. */
const homes = new Map<string, string>()

/** From now on the state of the cluster `name` is in `home`. */
export function keepStateIn(home: string, name: string): void {
  homes.set(name, home)
}

export function stateDirectory(name: string): string {
  return join(homes.get(name) ?? stateHome(), name)
}

/** What lies in the directory of a cluster beside the folders of its nodes: all that the toolkit writes there is in this list. */
const stateEntries = [
  'cluster.json',
  'compose-command.json',
  'compose.override.yaml',
  'compose.yaml',
  'faults',
  'grow.lock',
  'packets-trouble.json',
  'packets.json',
  'packets.lock',
  'prometheus.yml',
  'proxy',
  'security',
  'simulation.json',
  'simulation.log',
] as const

/** What such a name may have at its end: of drafts (replace-file.ts), and of locks with those that wait for them (file-lock.ts). */
const entryEnding = /^(\.lock)?(\.(\d+\.tmp|after-[0-9a-f]{32}|[0-9a-f-]{36}))?$/

export function stateEntry(name: string, entry: (typeof stateEntries)[number]): string {
  return join(stateDirectory(name), entry)
}

export function nodeDirectory(name: string, id: number): string {
  return join(stateDirectory(name), `node-${id}`)
}

/** Says which command may change what this machine keeps of the faults inside a node. */
export function faultLockFile(name: string, id: number): string {
  return join(nodeDirectory(name, id), 'fault-changes.lock')
}

/** The folder with `meta.properties` of a node. */
export function dataDirectory(spec: ClusterSpec, id: number): string {
  return spec.dataDir === undefined ? join(nodeDirectory(spec.name, id), 'data') : join(spec.dataDir, `node-${id}`)
}

/** All log directories of a node; the first is its data directory and has the metadata log. */
export function logDirectories(spec: ClusterSpec, id: number): string[] {
  const first = dataDirectory(spec, id)
  const count = spec.nodes?.[String(id)]?.logDirs ?? spec.logDirs ?? 1
  return Array.from({ length: count }, (_, index) => (index === 0 ? first : `${first}-${index + 1}`))
}

/** Makes the folders of a node's data, which may be anywhere that --data says. @returns the first */
export function makeDataDirectory(spec: ClusterSpec, id: number): string {
  const directory = dataDirectory(spec, id)
  try {
    for (const each of logDirectories(spec, id)) makeFolder(each)
  } catch (error) {
    throw failure(
      `The data directory ${directory} cannot be made: ${messageOf(error)}.`,
      'Choose another place with --data, or make this one writable.',
      error,
    )
  }
  return directory
}

/** The way out where the folder of clusters is of no use. */
const elsewhere = 'Choose another place: FAULTLINE_HOME=DIR ./faultline …'

/** Names of all clusters with a state directory, sorted. */
export function clusterNames(): string[] {
  try {
    return readdirSync(stateHome(), { withFileTypes: true })
      .filter(entry => entry.isDirectory() && existsSync(join(stateHome(), entry.name, 'cluster.json')))
      .map(entry => entry.name)
      .sort()
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    throw failure(`The folder of clusters, ${stateHome()}, cannot be read: ${messageOf(error)}.`, elsewhere, error)
  }
}

/** Undefined when there is no such cluster. */
export function readRecord(name: string): ClusterRecord | undefined {
  const path = stateEntry(name, 'cluster.json')
  const record = readJson(path) as ClusterRecord | undefined
  if (record === undefined) return undefined
  if (record.version === 1) return record
  throw failure(
    `${path} was written by another version of the toolkit (layout ${String(record.version)}, expected 1).`,
    `Use the version that started the cluster, or remove ${stateDirectory(name)} after making sure that its processes are gone.`,
  )
}

export function writeRecord(record: ClusterRecord): void {
  writeJson(stateEntry(record.spec.name, 'cluster.json'), record)
}

/** Takes the name for this command. False when another command holds it already: creating a directory is atomic. */
export function claimName(name: string): boolean {
  const home = dirname(stateDirectory(name))
  try {
    makeFolder(home)
    mkdirSync(stateDirectory(name))
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST' && existsSync(stateDirectory(name))) return false
    throw failure(`The folder of clusters, ${home}, cannot be made or written: ${messageOf(error)}.`, elsewhere, error)
  }
}

/**
 * Refuses where something lies in the place of a cluster's directory that no command of ours puts there: FAULTLINE_HOME may be a folder with other
 * folders in it.
 */
export function requireOwnState(name: string): void {
  const directory = stateDirectory(name)
  const strange = strangeEntries(directory)
  if (strange?.length === 0) return
  const found = strange === undefined ? 'is a file' : `has in it what is not of a cluster: ${listed(strange)}`
  throw failure(
    `${directory} ${found}. Nothing there was touched.`,
    `Use another --name, or another folder of clusters: FAULTLINE_HOME=DIR ./faultline … Where it was a cluster of yours, move what is not of it elsewhere and repeat ./faultline down --name ${name}.`,
  )
}

/** Undefined when it is no directory. */
function strangeEntries(directory: string): string[] | undefined {
  try {
    return readdirSync(directory).filter(found => !isOfLayout(found))
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    if (codeOf(error) === 'ENOTDIR') return undefined
    throw error
  }
}

function isOfLayout(found: string): boolean {
  if (/^node-\d+$/.test(found)) return true
  return stateEntries.some(entry => found.startsWith(entry) && entryEnding.test(found.slice(entry.length)))
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 5).join(', ')
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown
}

/** Removes the cluster's state; the directory of all clusters goes with the last of them. */
export function removeState(name: string): void {
  rmSync(stateDirectory(name), { recursive: true, force: true, maxRetries: 5, retryDelay: 20 })
  removeIfEmpty(dirname(stateDirectory(name)))
}

export function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory)
  } catch (error) {
    // ENOTDIR: a link to it, which somebody has made and wants to keep.
    if (!['ENOTEMPTY', 'ENOENT', 'EEXIST', 'ENOTDIR'].includes(codeOf(error) ?? '')) throw error
  }
}

/** A file of the state that cannot be read. */
export class DamagedFile extends ToolkitError {
  constructor(path: string, cause: unknown) {
    super(exitCodes.failed, `${path} is damaged: it should hold JSON.`, {
      remedy: './faultline down, with the --name of the cluster, ends what it finds of it and removes the rest.',
      cause,
    })
  }
}

/** Undefined when the file is missing. */
export function readJson(path: string): unknown {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined
    throw error
  }
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new DamagedFile(path, error)
  }
}

export function writeJson(path: string, value: unknown): void {
  replaceFile(path, `${JSON.stringify(value, undefined, 2)}\n`)
}
