/** Options and arguments that several commands share, and how their text becomes a value. */
import type { Command } from 'commander'
import { InvalidArgumentError } from 'commander'
import { millisecondsOf } from '../duration.ts'
import { failure, usageError } from '../errors.ts'
import type { Cluster, NodeStatus } from '../cluster/cluster.ts'
import { checkedName, defaultName } from '../cluster/spec.ts'
import type { Observation } from '../observe/model.ts'

export interface CommonOptions {
  readonly name: string
  readonly json?: boolean
}

/** --name and --json, which every command takes. */
export function withCommonOptions(command: Command): Command {
  return command
    .option('--name <name>', 'which cluster', checkedName, defaultName)
    .option('--json', 'one JSON document on stdout, progress on stderr')
}

export function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError(`Expected a whole number, got ${JSON.stringify(text)}.`)
  const number = Number(text)
  if (!Number.isSafeInteger(number))
    throw new InvalidArgumentError(
      `Expected a whole number up to ${Number.MAX_SAFE_INTEGER}, got ${JSON.stringify(text)}.`,
    )
  return number
}

/** `500ms`, `2s`, `1.5s`, `1m`, in milliseconds. */
export function duration(text: string): number {
  const ms = millisecondsOf(text) ?? 0
  if (!(ms > 0)) throw new InvalidArgumentError(`Expected a time like 500ms, 2s or 1m, got ${JSON.stringify(text)}.`)
  return ms
}

export function collect(text: string, before: readonly string[]): string[] {
  return [...before, text]
}

/**
 * Node numbers, `all`, `controller` for the active one, or roles: `leader:orders-0`, `follower:orders-0`, `coordinator:readers`.
 *
 * @param seen  in which roles are looked up; left out: as they are now
 */
export async function resolveNodes(cluster: Cluster, names: readonly string[], seen?: Observation): Promise<number[]> {
  const nodes = await cluster.nodes()
  const known = nodes.map(node => node.id)
  const inRole = await roles(cluster, names, seen)
  const ids: number[] = []
  for (const name of names) {
    const found = inRole.get(name)
    if (name === 'all') ids.push(...known)
    else if (found !== undefined) ids.push(found)
    else if (name === 'controller') ids.push(await activeController(cluster))
    else if (known.includes(Number(name))) ids.push(Number(name))
    else
      throw usageError(
        `There is no node ${name} in the cluster ${cluster.spec.name}: it has ${known.join(', ')} (and "all", "controller", "leader:TOPIC-0", "follower:TOPIC-0", "coordinator:GROUP").`,
      )
  }
  return [...new Set(ids)]
}

/** Loaded for those who name one: other commands should not wait for it. */
async function roles(
  cluster: Cluster,
  names: readonly string[],
  seen: Observation | undefined,
): Promise<ReadonlyMap<string, number>> {
  const wanted = names.filter(name => name.includes(':') || (name === 'controller' && seen !== undefined))
  if (wanted.length === 0) return new Map()
  const { nodeInRole, nodesInRoles } = await import('../observe/roles.ts')
  if (seen === undefined) return await nodesInRoles(cluster, wanted)
  return new Map(wanted.map(name => [name, nodeInRole(name, seen)]))
}

type Operation = 'stop' | 'start' | 'restart' | 'kill' | 'pause' | 'resume' | 'wipe' | 'break'

const up: readonly NodeStatus[] = ['starting', 'running']
const down: readonly NodeStatus[] = ['stopped', 'dead']

/** The states of a node in which an operation makes sense. */
const statesFor: Readonly<Record<Operation, readonly NodeStatus[]>> = {
  stop: up,
  restart: up,
  pause: up,
  kill: [...up, 'paused'],
  start: down,
  wipe: down,
  resume: ['paused'],
  break: up,
}

/** The operations after which a node serves: where every node does so already, nothing is missed. */
const harmless: ReadonlySet<Operation> = new Set(['start', 'resume'])

interface Choosing {
  readonly note: (message: string) => void
  /** What the command calls what it does; left out: as the operation. */
  readonly called?: string
  readonly seen?: Observation | undefined
}

/**
 * As `resolveNodes`, but `all` are all that the operation applies to; who is left out is told to `note`, and nobody is refused where the
 * operation breaks something. A number is taken as it is.
 */
export async function resolveNodesFor(
  operation: Operation,
  cluster: Cluster,
  names: readonly string[],
  { note, called = operation, seen }: Choosing,
): Promise<number[]> {
  const ids = await resolveNodes(cluster, names, seen)
  if (!names.includes('all')) return ids
  const named = new Set(
    await resolveNodes(
      cluster,
      names.filter(name => name !== 'all'),
    ),
  )
  const left = (await cluster.nodes()).filter(
    ({ id, state }) => !named.has(id) && !statesFor[operation].includes(state),
  )
  for (const { id, state } of left) note(`${called}: node ${id} is left out, it is ${state}`)
  const chosen = ids.filter(id => !left.some(node => node.id === id))
  if (chosen.length > 0 || harmless.has(operation)) return chosen
  const { name } = cluster.spec
  throw failure(
    `${called}: no node of ${name} is in a state for it, so nothing was done.`,
    `./faultline status --name ${name} shows the nodes; ./faultline start all --name ${name} starts those that are down.`,
  )
}

async function activeController(cluster: Cluster): Promise<number> {
  const quorum = await cluster.quorum()
  if (quorum !== undefined) return quorum.leaderId
  throw usageError('The quorum has no leader at the moment, so "controller" names nobody.', 'Say a number.')
}
