/** Topology files: one of the ready ones by its name, or a file of the user's. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, extname, join, resolve } from 'node:path'
import { codeOf, messageOf, usageError } from '../../errors.ts'
import { importModule } from '../../import-module.ts'
import { installation } from '../../installation/here.ts'
import { parseEngine } from '../engine-name.ts'
import type { ClusterSpec } from '../cluster.ts'
import type { SpecRequest } from '../spec.ts'
import { checkedTopology, faultsOf, nodesOf } from './check.ts'
import { requireLinksFit, requireSettingsFit } from './fit.ts'
import { ShapeError } from './shape.ts'
import type { Topology, TopologySettings } from './topology.ts'

const modules = new Set(['.ts', '.mts', '.js', '.mjs'])

/** Names of the ready ones. */
export function readyTopologies(): string[] {
  return readdirSync(installation.topologies)
    .filter(file => file.endsWith('.json'))
    .map(file => basename(file, '.json'))
    .sort()
}

/** @param given  a path, or the name of a ready one; a file of that name wins */
export async function loadTopology(given: string): Promise<Topology> {
  const file = !existsSync(given) && readyTopologies().includes(given) ? ready(given) : resolve(given)
  const value = modules.has(extname(file)) ? await importDefault(file, given) : readJsonFile(file, given)
  try {
    return checkedTopology(value)
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error
    throw misplaced(`--topology ${given}`, error)
  }
}

/** Refuses what the cluster that becomes of it cannot have, or no broker knows. */
export async function requireFit(given: string, topology: Topology, spec: ClusterSpec): Promise<void> {
  const what = `--topology ${given}`
  try {
    requireLinksFit(topology, spec)
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error
    throw misplaced(what, error)
  }
  await requireSettingsFit(`${what}: `, { ...spec, settings: texts(topology.settings ?? {}) })
}

function misplaced(what: string, error: ShapeError): Error {
  return usageError(`${what}: ${error.message}.`)
}

/** What it asks for, in the words of a request for a spec. */
export function requestOf(topology: Topology): Omit<SpecRequest, 'runtime'> & { readonly runtime?: string } {
  const { runtime, name, engine, brokers, controllers, port, data, security, proxy, settings, logDirs, links } =
    topology
  const own = [...nodesOf(topology)].map(([id, node]) => {
    const said = {
      ...(node.rack === undefined ? {} : { rack: node.rack }),
      ...(node.settings === undefined ? {} : { settings: texts(node.settings) }),
      ...(node.logDirs === undefined ? {} : { logDirs: node.logDirs }),
      ...(node.engine === undefined ? {} : parseEngine('engine', node.engine)),
    }
    return [String(id), said] as const
  })
  const nodes = own.filter(([, said]) => Object.keys(said).length > 0)
  const faults = links === undefined ? [] : faultsOf(topology)
  return {
    ...defined({ runtime, name, engine, port, security, logDirs }),
    ...(brokers === undefined ? {} : { brokers: countOf(brokers) }),
    ...(controllers === undefined ? {} : { controllers: countOf(controllers) }),
    ...(data === undefined ? {} : { dataDir: data }),
    ...(proxy === true || faults.length > 0 ? { proxy: true } : {}),
    ...(topology.faults === true ? { faults: true } : {}),
    ...(topology.metrics === true ? { metrics: true } : {}),
    ...(settings === undefined ? {} : { settings: texts(settings) }),
    ...(nodes.length === 0 ? {} : { nodes: Object.fromEntries(nodes) }),
    ...(faults.length === 0 ? {} : { links: faults }),
  }
}

function countOf(nodes: NonNullable<Topology['brokers']>): number {
  return typeof nodes === 'number' ? nodes : nodes.length
}

function texts(settings: TopologySettings): Record<string, string> {
  return Object.fromEntries(Object.entries(settings).map(([key, value]) => [key, String(value)]))
}

function defined<T extends object>(values: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: NonNullable<T[K]>
  }
}

function ready(name: string): string {
  return join(installation.topologies, `${name}.json`)
}

function readJsonFile(file: string, given: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw unreadable(given, codeOf(error) === 'ENOENT' ? 'there is no such file' : messageOf(error))
  }
}

async function importDefault(file: string, given: string): Promise<unknown> {
  if (!existsSync(file)) throw unreadable(given, 'there is no such file')
  let module: { readonly default?: unknown }
  try {
    module = await importModule(file, `--topology ${given}`)
  } catch (error) {
    throw unreadable(given, messageOf(error))
  }
  if (module.default !== undefined) return module.default
  throw unreadable(given, 'it has no default export')
}

function unreadable(given: string, why: string): Error {
  return usageError(
    `--topology ${given} cannot be read: ${why}.`,
    `Expected a file with JSON, a module with a default export, or one of ${readyTopologies().join(', ')}.`,
  )
}
