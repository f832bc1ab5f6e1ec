/** The faults of a cluster as a test holds it: orders in its words, carried out by the catalogue. */
import type { Cluster } from '../cluster/cluster.ts'
import { failure, usageError } from '../errors.ts'
import { activeFaults, healFaults, healListed } from '../faults/active.ts'
import { faultKind } from '../faults/catalogue.ts'
import type { ActiveFault, AppliedFault, FaultKind, LinkChoice } from '../faults/kind.ts'
import { requirePossible } from '../faults/possible.ts'
import { nodesInRoles } from '../observe/roles.ts'
import { listenerKinds } from '../proxy/model.ts'
import { asFaultlineError } from './errors.ts'
import {
  linkFaultNames,
  nodeFaultNames,
  type FaultAtWork,
  type FaultName,
  type LinkFaultOptions,
  type NodeFaultOptions,
  type ShownFault,
  type TestFault,
} from './fault-api.ts'

const names: readonly string[] = [...nodeFaultNames, ...linkFaultNames]
const optionsOf = {
  nodes: ['nodes', 'parameters', 'proof'],
  links: ['from', 'to', 'listener', 'parameters', 'proof'],
} as const

type Guard = <T>(work: (cluster: Cluster) => Promise<T>) => Promise<T>

/** @param guarded  does something with the cluster, while it is there */
export async function addFault(
  guarded: Guard,
  name: string,
  options: NodeFaultOptions | LinkFaultOptions,
): Promise<TestFault> {
  const kind = kindOf(name)
  requireOptions(kind, options)
  const { parameters = {}, proof = true } = options
  const applied = await guarded(async cluster => {
    requireThere(cluster, kind)
    requirePossible(cluster, kind, parameters)
    const links = linksOf(options)
    const nodes = links === undefined ? await nodesOf(cluster, kind, (options as NodeFaultOptions).nodes) : []
    return await kind.apply({ cluster, nodes, links, parameters, proof })
  })
  return new AddedFault(guarded, kind, applied)
}

export async function healAll(cluster: Cluster, ids: readonly string[] | 'all'): Promise<void> {
  await readyUnless(cluster, await healFaults(cluster, ids))
}

class AddedFault implements TestFault {
  readonly kind: FaultName
  readonly ids: readonly string[]
  readonly summary: string
  readonly proofs: readonly ShownFault[]
  readonly #guarded: Guard
  readonly #applied: readonly AppliedFault[]
  readonly #kind: FaultKind
  #healing: Promise<void> | undefined

  constructor(guarded: Guard, kind: FaultKind, applied: readonly AppliedFault[]) {
    this.#guarded = guarded
    this.#kind = kind
    this.#applied = applied
    this.kind = kind.name as FaultName
    this.ids = applied.map(({ id }) => id)
    this.summary = applied.map(({ summary }) => summary).join('; ')
    this.proofs = applied.flatMap(({ proofs }) => proofs)
  }

  async state(): Promise<readonly FaultAtWork[]> {
    return await this.#guarded(cluster => this.#left(cluster))
  }

  async release(): Promise<number> {
    return await this.#guarded(async cluster => {
      const { links } = cluster
      if (this.kind !== 'hold' || links === undefined)
        throw failure(`The fault ${this.kind} holds nothing that could be released.`)
      const released = await Promise.all(this.ids.map(id => links.release(id)))
      return released.reduce((sum, count) => sum + count, 0)
    })
  }

  async heal(): Promise<void> {
    const healing = (this.#healing ??= this.#guarded(async cluster => {
      await healListed(cluster, await this.#left(cluster))
      await readyUnless(cluster, await activeFaults(cluster))
    }))
    try {
      await healing
    } catch (error) {
      // The next one tries again: the fault may still be there.
      if (this.#healing === healing) this.#healing = undefined
      throw error
    }
  }

  /** Nothing is left of it when the cluster went down first. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.heal()
    } catch (error) {
      if (!(error instanceof Error && error.cause instanceof ClusterIsDown)) throw error
    }
  }

  /** Also the node that it has ended. */
  async #left(cluster: Cluster): Promise<readonly ActiveFault[]> {
    const ended = this.#kind.endsNodes === true ? this.#applied.map(({ node }) => node) : []
    return (await activeFaults(cluster)).filter(
      ({ id, name, node }) => this.ids.includes(id) || (name === 'down' && ended.includes(node)),
    )
  }
}

/** What a test asks of a cluster that it has taken down. */
export class ClusterIsDown extends Error {}

/** With links broken, or nodes broken inside, a cluster may well not serve. */
async function readyUnless(cluster: Cluster, left: readonly ActiveFault[]): Promise<void> {
  if (left.every(({ name }) => name === 'down' || name === 'pause')) await cluster.waitReady()
}

function kindOf(name: string): FaultKind {
  if (names.includes(name)) return faultKind(name)
  throw asFaultlineError(usageError(`There is no fault ${JSON.stringify(name)}: expected one of ${names.join(', ')}.`))
}

function requireOptions(kind: FaultKind, options: unknown): void {
  const known: readonly string[] = optionsOf[kind.targets]
  const refuse = (problem: string): never => {
    throw asFaultlineError(usageError(`fault(${JSON.stringify(kind.name)}, …): ${problem}.`))
  }
  if (typeof options !== 'object' || options === null)
    return refuse(`expected an object with ${known.join(', ')}, got ${JSON.stringify(options)}`)
  const stranger = Object.keys(options).find(option => !known.includes(option))
  if (stranger !== undefined) return refuse(`there is no option ${stranger}: it takes ${known.join(', ')}`)
  const { nodes, from, to, listener, parameters = {} } = options as Partial<NodeFaultOptions & LinkFaultOptions>
  const isGiven = (value: unknown) => (Array.isArray(value) ? value.length > 0 : value !== undefined)
  if (kind.targets === 'nodes' && !isGiven(nodes)) return refuse('it is about nodes, and names none')
  if (kind.targets === 'links' && !(isGiven(from) && isGiven(to)))
    return refuse('it is about links, and needs from and to')
  if (listener !== undefined && !listenerKinds.includes(listener))
    return refuse(`option listener: expected one of ${listenerKinds.join(', ')}, got ${JSON.stringify(listener)}`)
  if (typeof parameters !== 'object' || parameters === null || Array.isArray(parameters))
    refuse(`option parameters: expected an object, got ${JSON.stringify(parameters)}`)
}

/** What a cluster has to be started with, in the words of `startCluster`. */
function requireThere(cluster: Cluster, kind: FaultKind): void {
  if (kind.impossible(cluster.spec) !== undefined) return
  const lacking = kind.needs.find(capability => !cluster.capabilities.has(capability))
  if (lacking === 'partition')
    throw failure(
      `The fault ${kind.name} is not there: no fault proxy stands in front of the nodes of this cluster.`,
      'Start it with { proxy: true }.',
    )
  if (lacking === 'node-faults' || lacking === 'power-failure')
    throw failure(
      `The fault ${kind.name} is not there: the nodes of this cluster take no orders for faults inside them.`,
      'Start it with { faults: true }.',
    )
}

function listOf<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? (value as readonly T[]) : [value as T]
}

function linksOf(options: NodeFaultOptions | LinkFaultOptions): LinkChoice | undefined {
  if ('nodes' in options) return undefined
  const { from, to, listener } = options
  return { from: listOf(from), to: listOf(to), listener }
}

async function nodesOf(cluster: Cluster, kind: FaultKind, wanted: NodeFaultOptions['nodes']): Promise<number[]> {
  const given = listOf(wanted).map(String)
  const nodes = await cluster.nodes()
  const inRoles = await nodesInRoles(cluster, given)
  const isUp = (state: string) => state === 'running' || state === 'starting'
  const ids = given.flatMap(name => {
    if (name === 'all')
      return nodes
        .filter(({ state }) => isUp(state) || (kind.verb === 'kill' && state === 'paused'))
        .map(({ id }) => id)
    const id = inRoles.get(name) ?? nodes.find(node => String(node.id) === name)?.id
    if (id !== undefined) return [id]
    throw usageError(
      `There is no node ${name}: the cluster has ${nodes.map(node => node.id).join(', ')} (and "all", "controller", "leader:TOPIC-0", "follower:TOPIC-0", "coordinator:GROUP").`,
    )
  })
  return [...new Set(ids)]
}
