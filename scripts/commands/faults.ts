/**
 * Faults of nodes and of links, applied, listed and healed. A fault at work is read off the nodes themselves and off the fault proxy, never
 * remembered apart from them, so the list is right also after a node was brought back by other means or a command was cut off.
 */
import type { Capability, Cluster, NodeState } from '../cluster/cluster.ts'
import { attachCluster } from '../cluster/runtimes.ts'
import { usageError } from '../errors.ts'
import { table } from './describe.ts'
import {
  addLinkFault,
  isLinkFault,
  linkKindListing,
  proofLines,
  requireLinks,
  type LinkFaultOptions,
} from './link-faults.ts'
import type { CommonOptions } from './options.ts'
import { resolveNodesFor } from './options.ts'
import type { Session } from './session.ts'

interface FaultKind {
  readonly name: string
  readonly summary: string
  readonly needs: readonly Capability[]
  readonly heals: string
  /** The operation that decides which nodes `all` means. */
  readonly verb: 'kill' | 'stop' | 'pause'
  apply(cluster: Cluster, id: number): Promise<void>
}

export const faultKinds: readonly FaultKind[] = [
  {
    name: 'kill',
    summary: 'the node ends at once (SIGKILL), as in a crash; what it wrote stays',
    needs: ['kill'],
    verb: 'kill',
    heals: 'the node is started again',
    apply: (cluster, id) => cluster.kill(id),
  },
  {
    name: 'stop',
    summary: 'the node shuts down in an orderly way, as for maintenance',
    needs: ['stop'],
    verb: 'stop',
    heals: 'the node is started again',
    apply: (cluster, id) => cluster.stop(id),
  },
  {
    name: 'pause',
    summary: 'the node freezes with open connections, as in a long garbage collection or a stuck virtual machine',
    needs: ['pause'],
    verb: 'pause',
    heals: 'the node goes on',
    apply: (cluster, id) => cluster.pause(id),
  },
  {
    name: 'wipe',
    summary:
      'the node ends at once and comes up again on an empty disk only when healed, as after the exchange of a disk',
    needs: ['kill', 'wipe'],
    verb: 'kill',
    heals: 'the node is started again and copies what it lost from the others',
    async apply(cluster, id) {
      await cluster.kill(id)
      await cluster.wipe(id)
    },
  },
]

export async function addFault(
  kindName: string,
  names: readonly string[],
  options: CommonOptions & LinkFaultOptions,
  session: Session,
): Promise<void> {
  if (isLinkFault(kindName)) {
    const cluster = await attachCluster(options.name)
    session.output.progress('Probing the links')
    const { fault, proofs } = await addLinkFault(cluster, kindName, names, options)
    session.output.result({ ...fault, proofs }, () =>
      [`${fault.id}: ${fault.summary}`, ...proofLines(proofs)].join('\n'),
    )
    return
  }
  const kind = faultKinds.find(candidate => candidate.name === kindName)
  if (kind === undefined) {
    throw usageError(
      `There is no fault ${kindName}: expected one of ${[...faultKinds, ...linkKindListing()].map(({ name }) => name).join(', ')}.`,
      './faultline fault list --kinds',
    )
  }
  requireNodes(kindName, names)
  const cluster = await attachCluster(options.name)
  const ids = await resolveNodesFor(kind.verb, cluster, names, message => session.output.note(message))
  await Promise.all(ids.map(id => kind.apply(cluster, id)))
  await show(cluster, session)
}

export async function listFaults(
  options: CommonOptions & { readonly kinds?: boolean },
  session: Session,
): Promise<void> {
  if (options.kinds !== true) return await show(await attachCluster(options.name), session)
  const kinds = [
    ...faultKinds.map(({ name, summary, needs, heals }) => ({
      name,
      summary,
      needs,
      heals,
      targets: 'nodes' as const,
      parameters: [],
    })),
    ...linkKindListing(),
  ]
  const text = await table(
    ['kind', 'of', 'what happens', 'healed', 'parameters'],
    kinds.map(({ name, targets, summary, heals, parameters }) => [
      name,
      targets,
      summary,
      heals,
      parameters.map(parameter => `--${parameter.name}`).join(' '),
    ]),
  )
  session.output.result(kinds, () => text)
}

export async function healFaults(
  ids: readonly string[],
  options: CommonOptions & { readonly all?: boolean },
  session: Session,
): Promise<void> {
  if (ids.length === 0 && options.all !== true)
    throw usageError('Which fault?', `./faultline fault list --name ${options.name} names them; --all heals all.`)
  const cluster = await attachCluster(options.name)
  await reviveProxy(cluster, session)
  const faults = await activeFaults(cluster)
  const unknown = ids.find(id => !faults.some(fault => fault.id === id))
  if (unknown !== undefined)
    throw usageError(
      `There is no fault ${unknown} at work.`,
      `./faultline fault list --name ${options.name} names them.`,
    )
  const chosen = options.all === true ? faults : faults.filter(fault => ids.includes(fault.id))
  // Links first: a node that starts has to reach the others.
  const ofLinks = chosen.filter(({ node }) => node === undefined)
  await cluster.links?.heal(ofLinks.map(({ id }) => id))
  await Promise.all(
    chosen.map(async ({ name, node }) => {
      if (node !== undefined) await (name === 'pause' ? cluster.resume(node) : cluster.start(node))
    }),
  )
  // With links broken a cluster may well not serve, which is not what healing another fault waits for.
  if (faults.every(fault => fault.node !== undefined || chosen.includes(fault))) {
    session.output.progress('Waiting until every broker serves')
    await cluster.waitReady()
  }
  await show(cluster, session)
}

/** Without its proxy no node of a cluster reaches another; a new one has no faults. */
async function reviveProxy(cluster: Cluster, session: Session): Promise<void> {
  if ((await cluster.links?.status())?.state !== 'dead') return
  session.output.note('The fault proxy had ended by itself; starting it again, without the faults that it had.')
  await cluster.links?.start()
}

export async function releaseFault(id: string, options: CommonOptions, session: Session): Promise<void> {
  const released = await requireLinks(await attachCluster(options.name)).release(id)
  session.output.result({ id, released }, () => `${released} released.`)
}

function requireNodes(kind: string, names: readonly string[]): void {
  if (names.length === 0)
    throw usageError(`The fault ${kind} is about nodes: which?`, `For example: ./faultline fault add ${kind} 1`)
  const option = names.find(name => name.startsWith('-'))
  if (option !== undefined) throw usageError(`The fault ${kind} has no ${option}.`, './faultline fault list --kinds')
}

interface ActiveFault {
  readonly id: string
  readonly name: string
  readonly summary: string
  /** Undefined: a fault of links. */
  readonly node?: number
  readonly links?: readonly string[]
  readonly parameters?: Readonly<Record<string, unknown>>
  readonly hits?: number
  readonly held?: number
  readonly missed?: number
}

async function activeFaults(cluster: Cluster): Promise<ActiveFault[]> {
  const ofLinks = (await cluster.links?.status())?.state === 'running' ? ((await cluster.links?.faults()) ?? []) : []
  return [...nodeFaults(await cluster.nodes()), ...ofLinks]
}

function nodeFaults(nodes: readonly NodeState[]): ActiveFault[] {
  return nodes.flatMap(({ id, state }) => {
    if (state === 'paused') return [{ id: `pause-${id}`, name: 'pause', summary: `node ${id} is frozen`, node: id }]
    if (state === 'stopped')
      return [{ id: `down-${id}`, name: 'down', summary: `node ${id} was stopped or killed`, node: id }]
    if (state === 'dead')
      return [{ id: `down-${id}`, name: 'down', summary: `node ${id} has ended by itself`, node: id }]
    return []
  })
}

async function show(cluster: Cluster, session: Session): Promise<void> {
  const faults = await activeFaults(cluster)
  const text = await table(
    ['id', 'what', 'hits'],
    faults.map(fault => [fault.id, fault.summary, countsText(fault)]),
  )
  const status = await cluster.links?.status()
  if (status?.state === 'dead')
    session.output.note(`The fault proxy has ended by itself (${status.log}): no node reaches another one.`)
  session.output.result(faults, () => (faults.length === 0 ? 'No fault is at work.' : text))
}

function countsText({ hits, held = 0, missed = 0 }: Pick<ActiveFault, 'hits' | 'held' | 'missed'>): string {
  if (hits === undefined) return ''
  const more = [...(held > 0 ? [`${held} held`] : []), ...(missed > 0 ? [`${missed} missed`] : [])]
  return [String(hits), ...more].join(', ')
}
