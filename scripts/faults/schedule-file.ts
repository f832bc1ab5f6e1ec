/**
 * A schedule as a file: JSON, or a TypeScript module that exports one by default. In TypeScript `when` may also be a trigger of one's own: a
 * function of an AbortSignal and the cluster, whose promise resolves at the next occasion.
 *
 *   [
 *     {"kind": "slow-disk", "nodes": [2], "parameters": {"delay": 200}, "when": {"at": "5s"}, "for": "2s"},
 *     {"kind": "kill", "nodes": ["random"], "when": {"every": "10s"}, "for": "3s", "times": 5},
 *     {"kind": "pause", "nodes": ["controller"], "when": {"random": ["1s", "20s"], "seed": 7}, "for": "4s"},
 *     {"kind": "kill", "nodes": ["leader:orders-0"], "when": {"observed": {"isBeyondHighWatermark": {"partition": "orders-0", "broker": 1}}}},
 *     {"kind": "latency", "links": {"from": [1], "to": ["all"]}, "parameters": {"delay": 100}, "when": {"at": "1s"}}
 *   ]
 */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Parameters } from '#broker/environment/faulty/parameters.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { brokerIds } from '../cluster/cluster.ts'
import { seededRandom } from '../cluster/random.ts'
import { millisecondsOf } from '../duration.ts'
import { messageOf, usageError } from '../errors.ts'
import { importModule } from '../import-module.ts'
import type { Observation } from '../observe/model.ts'
import { predicateFromJson } from '../observe/predicate-form.ts'
import { watchOfRoles } from '../observe/roles.ts'
import { faultKind } from './catalogue.ts'
import type { LinkChoice } from './kind.ts'
import { strangerAmong, strangerAtLinks } from './targets.ts'
import { after, byChance, every, whenObserved, type ScheduledFault, type Trigger } from './schedule.ts'

const example =
  'For example: [{"kind": "slow-disk", "nodes": [2], "parameters": {"delay": 200}, "when": {"at": "5s"}, "for": "2s"}]'

interface FileEntry {
  readonly kind: string
  /** Node numbers, `all`, `random` (one broker by chance), or roles: `controller`, `leader:orders-0`, `follower:orders-0`, `coordinator:readers`. */
  readonly nodes?: readonly (number | string)[]
  readonly links?: LinkChoice
  readonly parameters?: Parameters
  readonly when:
    | { readonly at: string }
    | { readonly every: string }
    | { readonly random: readonly [string, string]; readonly seed?: number }
    /** The JSON form of a condition (observe/predicate-form.ts), and how long it is waited for. */
    | { readonly observed: unknown; readonly within?: string }
    | ((signal: AbortSignal, cluster: Cluster) => Promise<void>)
  readonly for?: string
  readonly times?: number
  readonly proof?: boolean
}

/** Numbers from roles, `all` and numbers; roles as they were observed, where that is given. */
type ResolveNodes = (cluster: Cluster, names: readonly string[], seen?: Observation) => Promise<readonly number[]>

/** What `when` may be, and what may stand beside that. */
const occasions: Readonly<Record<string, readonly string[]>> = {
  at: [],
  every: [],
  random: ['seed'],
  observed: ['within'],
}

const keys = new Set(['kind', 'nodes', 'links', 'parameters', 'when', 'for', 'times', 'proof'])

export async function readSchedule(
  file: string,
  cluster: Cluster,
  resolveNodes: ResolveNodes,
): Promise<readonly ScheduledFault[]> {
  const value = await load(file)
  if (!Array.isArray(value) || value.length === 0)
    throw usageError(`${file}: a schedule is a list of faults that is not empty.`, example)
  const faults: ScheduledFault[] = []
  for (const [index, entry] of value.entries()) {
    const where = `${file}, entry ${index + 1}`
    faults.push(scheduled(where, entry, cluster, resolveNodes))
    await requireTargets(where, entry as FileEntry, cluster)
  }
  return faults
}

/** Refuses nodes and links that can never be there, however long one waits. */
async function requireTargets(where: string, { nodes = [], links }: FileEntry, cluster: Cluster): Promise<void> {
  const stranger =
    (await strangerAmong(cluster, nodes)) ?? (links === undefined ? undefined : await strangerAtLinks(cluster, links))
  if (stranger !== undefined) throw usageError(`${where}: ${stranger}.`)
}

async function load(file: string): Promise<unknown> {
  try {
    if (!/\.[cm]?[jt]s$/.test(file)) return JSON.parse(readFileSync(file, 'utf8'))
    return (await importModule(resolve(file), `The schedule ${file}`)).default
  } catch (error) {
    throw usageError(`The schedule ${file} cannot be read: ${messageOf(error)}.`, example)
  }
}

function scheduled(where: string, value: unknown, cluster: Cluster, resolveNodes: ResolveNodes): ScheduledFault {
  const refuse = (problem: string): never => {
    throw usageError(`${where}: ${problem}.`, example)
  }
  if (typeof value !== 'object' || value === null) return refuse('a fault is an object')
  const stranger = Object.keys(value).find(key => !keys.has(key))
  if (stranger !== undefined) return refuse(`${stranger} is not known; expected ${[...keys].join(', ')}`)
  const entry = value as FileEntry
  if (typeof entry.kind !== 'string') return refuse('it has no kind')
  if (typeof entry.when !== 'function' && (typeof entry.when !== 'object' || entry.when === null))
    return refuse('it says no when')
  if (typeof entry.when !== 'function') checkWhen(entry.when, refuse)
  const { times = 'every' in entry.when || 'random' in entry.when ? Infinity : 1 } = entry
  if (times !== Infinity && !(Number.isInteger(times) && times >= 1)) return refuse('times is a whole number from 1')
  // One that names nobody would do nothing, again and again.
  const { targets } = faultKind(entry.kind)
  if (targets === 'nodes' && !(Array.isArray(entry.nodes) && entry.nodes.length > 0))
    return refuse(`the fault ${entry.kind} is about nodes, and it names none`)
  if (targets === 'links' && entry.links === undefined)
    return refuse(`the fault ${entry.kind} is about links, and it names none`)
  const isList = (ends: unknown) => Array.isArray(ends) && ends.length > 0
  if (targets === 'links' && !(isList(entry.links?.from) && isList(entry.links?.to)))
    return refuse('links has two lists: {"from": [1], "to": ["all"]}')
  const random = seededRandom('seed' in entry.when && entry.when.seed !== undefined ? entry.when.seed : 1)
  return {
    kind: entry.kind,
    ...(entry.links === undefined ? {} : { links: entry.links }),
    ...(entry.nodes === undefined
      ? {}
      : {
          nodes: async (_, seen) => {
            const names = (entry.nodes ?? []).map(String)
            const ids = brokerIds(cluster.spec)
            const picked = names.map(name => (name === 'random' ? String(ids[random.below(ids.length)]) : name))
            return await resolveNodes(cluster, picked, seen)
          },
        }),
    parameters: entry.parameters ?? {},
    trigger: triggerOf(entry, cluster, random, { where, refuse }),
    ...(entry.for === undefined ? {} : { forMs: durationMs(entry.for, refuse) }),
    times,
    proof: entry.proof ?? true,
  }
}

/** A word that is not known, or belongs to another occasion, would be left out without a word. */
function checkWhen(when: object, refuse: (problem: string) => never): void {
  const given = Object.keys(when)
  const [name, ...more] = given.filter(key => Object.hasOwn(occasions, key))
  if (name === undefined || more.length > 0)
    return refuse(
      `when has exactly one of ${Object.keys(occasions).join(', ')}, as in {"at": "5s"}, {"every": "10s"}, {"random": ["1s", "20s"], "seed": 7} or {"observed": {"isFullyInSync": {"partition": "orders-0"}}, "within": "60s"}; it is ${JSON.stringify(when)}`,
    )
  const beside = occasions[name] ?? []
  const stranger = given.find(key => key !== name && !beside.includes(key))
  if (stranger !== undefined)
    return refuse(
      `when has ${stranger} beside ${name}, which takes ${beside.length === 0 ? 'nothing else' : `${beside.join(', ')} alone`}`,
    )
  const { seed } = when as { readonly seed?: unknown }
  if (seed !== undefined && !Number.isSafeInteger(seed))
    return refuse(`seed is a whole number, not ${JSON.stringify(seed)}`)
}

function triggerOf(
  { when, nodes = [] }: FileEntry,
  cluster: Cluster,
  random: ReturnType<typeof seededRandom>,
  { where, refuse }: { readonly where: string; readonly refuse: (problem: string) => never },
): Trigger {
  const { clock } = cluster
  if (typeof when === 'function') return signal => when(signal, cluster)
  if ('at' in when) return after(clock, durationMs(when.at, refuse))
  if ('every' in when) return every(clock, durationMs(when.every, refuse))
  if ('random' in when) {
    if (!Array.isArray(when.random) || when.random.length !== 2)
      return refuse('random has two times, the least and the most: {"random": ["1s", "20s"]}')
    const [least, most] = when.random.map(text => durationMs(text, refuse)) as [number, number]
    return least <= most ? byChance(clock, random, least, most) : refuse('random is from the least to the most')
  }
  const condition = predicateFromJson(when.observed, `${where}: observed`)
  const within = when.within === undefined ? {} : { withinMs: durationMs(when.within, refuse) }
  return whenObserved(cluster, condition, { ...within, watch: watchOfRoles(nodes.map(String)) })
}

/** `500ms`, `5s`, `2m`. */
export function durationMs(text: unknown, refuse: (problem: string) => never): number {
  return millisecondsOf(text) ?? refuse(`${JSON.stringify(text)} is no time; expected one like 500ms, 5s or 2m`)
}
