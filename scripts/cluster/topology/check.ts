/** Whether a value is a `Topology`: its shape, and what must agree within it. */
import { linkFaultKind, linkFaultKinds, completeParameters } from '../../proxy/kinds.ts'
import { listenerKinds, type FaultRequest, type LinkSource } from '../../proxy/model.ts'
import { messageOf } from '../../errors.ts'
import { FIRST_CONTROLLER_ID } from '../cluster.ts'
import { parseEngine } from '../engine-name.ts'
import { securityKinds } from '../security/kinds.ts'
import { reservedSettings } from '../spec.ts'
import { either, flag, isObject, list, object, oneOf, settings, type Shape, ShapeError, text, whole } from './shape.ts'
import type { LinkEnd, LinkTopology, NodeTopology, Topology } from './topology.ts'

export const logDirsMax = 16
const runtimes = ['process', 'compose', 'simulated']

const logDirs = whole(1, logDirsMax)
const node = object({ rack: text, settings, logDirs, engine: text } satisfies Record<keyof NodeTopology, Shape>)

/** How many nodes, or one entry each. */
function nodes(least: number, most: number): Shape {
  return either(`a number of nodes, or a list with one entry each`, [
    [value => typeof value === 'number', whole(least, most)],
    [
      value => Array.isArray(value),
      (value, path) => {
        list(node, 'a list of nodes')(value, path)
        const { length } = value as unknown[]
        if (length < least || length > most)
          throw new ShapeError(path, `expected ${least} to ${most} entries, got ${length}`)
      },
    ],
  ])
}

const end: Shape = either('a node id, "client", "all" or { "rack": … }', [
  [value => typeof value === 'number', whole(1, FIRST_CONTROLLER_ID + 8)],
  [value => typeof value === 'string', oneOf(['client', 'all'])],
  [isObject, object({ rack: text }, ['rack'])],
])
const ends: Shape = (value, path) => (Array.isArray(value) ? list(end, 'a list')(value, path) : end(value, path))

const link = object(
  {
    kind: oneOf(linkFaultKinds.map(({ name }) => name)),
    from: ends,
    to: ends,
    bothWays: flag,
    listener: oneOf(listenerKinds),
    parameters: settings,
  } satisfies Record<keyof LinkTopology, Shape>,
  ['kind', 'from', 'to'],
)

const topology = object({
  summary: text,
  name: text,
  runtime: oneOf(runtimes),
  engine: text,
  brokers: nodes(1, 99),
  controllers: nodes(0, 9),
  port: whole(0, 65_535),
  data: text,
  security: oneOf(securityKinds),
  proxy: flag,
  faults: flag,
  metrics: flag,
  settings,
  logDirs,
  links: list(link, 'a list of links'),
} satisfies Record<keyof Topology, Shape>)

/** The value as a topology. Throws ShapeError, which says where it is none. */
export function checkedTopology(value: unknown): Topology {
  topology(value, '')
  const checked = value as Topology
  for (const [field, entries] of [
    ['brokers', checked.brokers],
    ['controllers', checked.controllers],
  ] as const) {
    if (typeof entries !== 'object') continue
    entries.forEach(({ engine }, index) => requireEngine(engine, `${field}[${index}].engine`))
  }
  requireEngine(checked.engine, 'engine')
  requireOwnSettings(checked.settings, 'settings')
  for (const field of ['brokers', 'controllers'] as const) {
    const entries = checked[field]
    if (typeof entries === 'object')
      entries.forEach((entry, index) => requireOwnSettings(entry.settings, `${field}[${index}].settings`))
  }
  if (checked.links !== undefined && checked.links.length > 0 && checked.proxy === false)
    throw new ShapeError('proxy', 'links are broken by the proxy, so it cannot be false where there are links')
  faultsOf(checked)
  return checked
}

function requireEngine(engine: string | undefined, path: string): void {
  if (engine === undefined) return
  try {
    parseEngine('an engine', engine)
  } catch (error) {
    throw new ShapeError(path, reasonOf(error))
  }
}

function requireOwnSettings(settings: Topology['settings'], path: string): void {
  const key = Object.keys(settings ?? {}).find(name => reservedSettings.has(name))
  if (key !== undefined) throw new ShapeError(`${path}[${JSON.stringify(key)}]`, 'is decided by the toolkit itself')
}

/** The nodes that say something of their own, by id. */
export function nodesOf({ brokers, controllers }: Topology): Map<number, NodeTopology> {
  const numbered = (entries: Topology['brokers'], first: number) =>
    typeof entries === 'object' ? entries.map((entry, index) => [first + index, entry] as const) : []
  return new Map([...numbered(brokers, 1), ...numbered(controllers, FIRST_CONTROLLER_ID)])
}

/** The faults that its links are. */
export function faultsOf(topology: Topology): FaultRequest[] {
  return (topology.links ?? []).flatMap((entry, index) => faultsOfLink(topology, entry, `links[${index}]`))
}

/** @param path  where the link is in the topology */
export function faultsOfLink(topology: Topology, entry: LinkTopology, path: string): FaultRequest[] {
  const from = sources(topology, entry.from, `${path}.from`)
  const to = sources(topology, entry.to, `${path}.to`)
  const { kind, parameters = {}, listener } = entry
  try {
    completeParameters(linkFaultKind(kind), parameters)
  } catch (error) {
    throw new ShapeError(`${path}.parameters`, reasonOf(error))
  }
  const rest = { kind, parameters, ...(listener === undefined ? {} : { listener }) }
  return entry.bothWays === true
    ? [
        { from, to, ...rest },
        { from: to, to: from, ...rest },
      ]
    : [{ from, to, ...rest }]
}

/** A message as part of a sentence: who says it puts the full stop. */
export function reasonOf(error: unknown): string {
  return messageOf(error).replace(/\.$/, '')
}

function sources(
  topology: Topology,
  given: LinkEnd | readonly LinkEnd[],
  path: string,
): readonly (LinkSource | 'all')[] {
  const list = Array.isArray(given) ? (given as readonly LinkEnd[]) : [given as LinkEnd]
  return list.flatMap(one => {
    if (typeof one !== 'object') return [one]
    const members = [...nodesOf(topology)].filter(([, { rack }]) => rack === one.rack).map(([id]) => id)
    if (members.length === 0) throw new ShapeError(path, `no node is in the rack ${JSON.stringify(one.rack)}`)
    return members
  })
}
