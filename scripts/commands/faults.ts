/**
 * Faults that exist now: what can happen to a whole node. A fault at work is read off the nodes themselves, never remembered apart from
 * them, so the list is right also after a node was brought back by other means.
 */
import type { Capability, Cluster, NodeState } from '../cluster/cluster.ts'
import { attachCluster } from '../cluster/runtimes.ts'
import { usageError } from '../errors.ts'
import { table } from './describe.ts'
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
  options: CommonOptions,
  session: Session,
): Promise<void> {
  const kind = faultKinds.find(candidate => candidate.name === kindName)
  if (kind === undefined) {
    throw usageError(
      `There is no fault ${kindName}: expected one of ${faultKinds.map(({ name }) => name).join(', ')}.`,
      './faultline fault list --kinds',
    )
  }
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
  const kinds = faultKinds.map(({ name, summary, needs, heals }) => ({ name, summary, needs, heals }))
  const text = await table(
    ['kind', 'what happens', 'healed'],
    kinds.map(({ name, summary, heals }) => [name, summary, heals]),
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
  const faults = activeFaults(await cluster.nodes())
  const unknown = ids.find(id => !faults.some(fault => fault.id === id))
  if (unknown !== undefined)
    throw usageError(
      `There is no fault ${unknown} at work.`,
      `./faultline fault list --name ${options.name} names them.`,
    )
  const chosen = options.all === true ? faults : faults.filter(fault => ids.includes(fault.id))
  await Promise.all(
    chosen.map(fault => (fault.name === 'pause' ? cluster.resume(fault.node) : cluster.start(fault.node))),
  )
  session.output.progress('Waiting until every broker serves')
  await cluster.waitReady()
  await show(cluster, session)
}

interface ActiveFault {
  readonly id: string
  readonly name: string
  readonly summary: string
  readonly node: number
}

function activeFaults(nodes: readonly NodeState[]): ActiveFault[] {
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
  const faults = activeFaults(await cluster.nodes())
  const text = await table(
    ['id', 'what'],
    faults.map(({ id, summary }) => [id, summary]),
  )
  session.output.result(faults, () => (faults.length === 0 ? 'No fault is at work.' : text))
}
