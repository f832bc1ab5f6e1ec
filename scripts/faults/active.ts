/**
 * The faults at work in a cluster, and their end. Read off the nodes, the fault proxy and the records of what the toolkit does itself, never
 * remembered apart from them: the list is right also after a node was brought back by other means or a command was cut off.
 */
import type { Cluster, NodeState } from '../cluster/cluster.ts'
import { usageError } from '../errors.ts'
import type { ActiveFault } from './kind.ts'
import { faultRecords } from './records.ts'
import { describeRecord, endRecordedFault } from './restart-loop.ts'

export async function activeFaults(cluster: Cluster): Promise<readonly ActiveFault[]> {
  const nodes = await cluster.nodes()
  const { name } = cluster.spec
  const recorded = await Promise.all(faultRecords(name).map(record => describeRecord(name, record)))
  const inside = await Promise.all(nodes.map(async ({ id }) => await insideNode(cluster, id)))
  const isUp = cluster.links === undefined || (await cluster.links.status()).state === 'running'
  const ofLinks = (isUp ? await (cluster.links ?? cluster.packets)?.faults() : undefined) ?? []
  return [...nodes.flatMap(ofProcess), ...recorded, ...inside.flat(), ...ofLinks]
}

async function insideNode(cluster: Cluster, node: number): Promise<readonly ActiveFault[]> {
  const faults = (await cluster.nodeFaults?.list(node)) ?? []
  return faults.map(fault => ({ ...fault, node }))
}

function ofProcess({ id, state }: NodeState): readonly ActiveFault[] {
  if (state === 'paused') return [{ id: `pause-${id}`, name: 'pause', summary: `node ${id} is frozen`, node: id }]
  if (state === 'stopped')
    return [{ id: `down-${id}`, name: 'down', summary: `node ${id} was stopped or killed`, node: id }]
  if (state === 'dead') return [{ id: `down-${id}`, name: 'down', summary: `node ${id} has ended by itself`, node: id }]
  return []
}

/**
 * Undoes faults, in the order in which nodes can come back: what would break them again first, then links, frozen nodes, what is wrong inside
 * nodes, and nodes that are down. Unknown ids are refused before anything is done.
 *
 * @returns the faults that are left
 */
export async function healFaults(cluster: Cluster, ids: readonly string[] | 'all'): Promise<readonly ActiveFault[]> {
  // Nobody needs to be asked to end these, and they end nodes while they are asked.
  const loops = ids === 'all' ? faultRecords(cluster.spec.name) : []
  for (const { id } of loops) await endRecordedFault(cluster.spec.name, id)
  const faults = await activeFaults(cluster)
  const unknown = ids === 'all' ? undefined : ids.find(id => !faults.some(fault => fault.id === id))
  if (unknown !== undefined)
    throw usageError(
      `There is no fault ${unknown} at work.`,
      `./faultline fault list --name ${cluster.spec.name} names them.`,
    )
  const chosen = faults.filter(({ id }) => ids === 'all' || ids.includes(id))
  await healListed(cluster, chosen, { isAll: ids === 'all', alsoDown: loops.map(({ node }) => node) })
  return (await activeFaults(cluster)).filter(({ id }) => !chosen.some(fault => fault.id === id))
}

/**
 * Undoes faults of a list that was just read. What has struck or was healed meanwhile is not missed.
 *
 * @param more  isAll: the list was all there is, and what came after it was read goes too; alsoDown: more nodes to start when they are down
 */
export async function healListed(
  cluster: Cluster,
  faults: readonly ActiveFault[],
  { isAll = false, alsoDown = [] }: { readonly isAll?: boolean; readonly alsoDown?: readonly number[] } = {},
): Promise<void> {
  const loops = faults.filter(({ name }) => name === 'restart-loop')
  for (const { id } of loops) await endRecordedFault(cluster.spec.name, id)
  await healLinks(
    cluster,
    faults.filter(({ node }) => node === undefined),
  )
  await each(
    faults,
    ({ name }) => name === 'pause',
    node => unlessUp(cluster, node, () => cluster.resume(node)),
  )
  // A node that was frozen when it was asked did not tell all that is wrong inside it.
  if (isAll) await healAllInside(cluster)
  else await each(faults, isInside, (node, id) => healInside(cluster, node, id))
  const down = [...loops, ...faults.filter(({ name }) => name === 'down')].flatMap(({ node }) => node ?? [])
  await startAgain(cluster, [...alsoDown, ...down])
}

async function healAllInside(cluster: Cluster): Promise<void> {
  const { nodeFaults } = cluster
  if (nodeFaults === undefined) return
  await Promise.all((await cluster.nodes()).map(({ id }) => nodeFaults.heal(id, 'all')))
}

/** Those that can be healed are, also where one cannot. */
async function healLinks(cluster: Cluster, faults: readonly ActiveFault[]): Promise<void> {
  const problems: unknown[] = []
  for (const { id } of faults) await healLink(cluster, id).catch(problem => problems.push(problem))
  if (problems.length > 0) throw problems[0]
}

/** Another command may have healed it since the list was read. */
async function healLink(cluster: Cluster, id: string): Promise<void> {
  const links = cluster.links ?? cluster.packets
  try {
    await links?.heal([id])
  } catch (error) {
    const left = (await links?.faults()) ?? []
    if (left.some(fault => fault.id === id)) throw error
  }
}

/** Brings a node up, which another command may do at the same time: then it is no error that it is up already. */
async function unlessUp(cluster: Cluster, node: number, bringUp: () => Promise<void>): Promise<void> {
  try {
    await bringUp()
  } catch (error) {
    const state = (await cluster.nodes()).find(({ id }) => id === node)?.state
    if (state !== 'running' && state !== 'starting') throw error
  }
}

/** It may have struck, or been healed, since the list was read: what is not there any more needs no healing. */
async function healInside(cluster: Cluster, node: number, id: string): Promise<void> {
  try {
    await cluster.nodeFaults?.heal(node, [id])
  } catch (error) {
    const left = (await cluster.nodeFaults?.list(node)) ?? []
    if (left.some(fault => fault.id === id)) throw error
  }
}

/** Kinds that an entry of the list of a process or a record has; every other fault of a node is inside it. */
const outside: ReadonlySet<string> = new Set(['pause', 'down', 'restart-loop'])

function isInside({ name, node }: ActiveFault): boolean {
  return node !== undefined && !outside.has(name)
}

async function each(
  faults: readonly ActiveFault[],
  which: (fault: ActiveFault) => boolean,
  act: (node: number, id: string) => Promise<void>,
): Promise<void> {
  await Promise.all(
    faults.filter(which).map(async ({ node, id }) => {
      if (node !== undefined) await act(node, id)
    }),
  )
}

/** As they are now: a loop may have ended between a kill and a start, or have started what the list shows as down. */
async function startAgain(cluster: Cluster, ids: readonly number[]): Promise<void> {
  const nodes = await cluster.nodes()
  const down = nodes.filter(({ id, state }) => ids.includes(id) && (state === 'stopped' || state === 'dead'))
  await Promise.all(down.map(({ id }) => unlessUp(cluster, id, () => cluster.start(id))))
}
