/** The kinds of faults inside a node, as entries of the catalogue; what they do is in `broker/environment/faulty`. */
import type { AddedNodeFault } from '#broker/environment/faulty/fault-desk.ts'
import type { NodeFaultKind } from '#broker/environment/faulty/kind.ts'
import { nodeFaultKinds } from '#broker/environment/faulty/node-kinds.ts'
import { checkParameters, type Parameters } from '../proxy/parameters.ts'
import type { Ending } from '../proxy/probe.ts'
import type { Cluster, NodeFaults } from '../cluster/cluster.ts'
import { failure, usageError } from '../errors.ts'
import { takingBack } from '../settle.ts'
import type { AppliedFault, FaultKind, FaultOrder, FaultProof, Place } from './kind.ts'
import { askNodeFirst, proveMute } from './probe-node.ts'

/** Refuses, with the way to them, when nodes take no orders. */
export function requireNodeFaults(cluster: Cluster, kind: string): NodeFaults {
  if (cluster.nodeFaults !== undefined) return cluster.nodeFaults
  const { name, engine, runtime } = cluster.spec
  throw failure(
    `The fault ${kind} is not there in ${name}: its nodes take no orders for faults inside.`,
    engine === 'faultline' || runtime === 'compose' || runtime === 'process'
      ? `./faultline down --name ${name}, then ./faultline up --name ${name} --faults --runtime ${runtime}`
      : './faultline fault list --kinds tells what can be done to nodes of this engine.',
  )
}

export const insideKinds: readonly FaultKind[] = nodeFaultKinds.map(kind => ({
  name: kind.name,
  summary: kind.summary,
  heals: kind.heals,
  expect: kind.expect,
  targets: 'nodes',
  parameters: kind.parameters,
  isMomentary: kind.lasts === 'moment',
  endsNodes: kind.lasts === 'once' || kind.mayEndNode === true,
  check: given => requireNoProblem(kind, given),
  needs: kind.name === 'stall' ? ['pause'] : ['node-faults'],
  impossible: place => whyNot(kind, place),
  apply: order => applyInside(kind, order),
}))

function requireNoProblem(kind: NodeFaultKind, given: Parameters): void {
  const problem = kind.problem?.(checkParameters(kind.name, kind.parameters, given))
  if (problem !== undefined) throw usageError(`The fault ${kind.name}: ${problem}.`)
}

async function applyInside(kind: NodeFaultKind, order: FaultOrder): Promise<readonly AppliedFault[]> {
  const { cluster, nodes, proof } = order
  const reason = whyNot(kind, cluster.spec)
  if (reason !== undefined)
    throw usageError(
      `The fault ${kind.name} is not there on this cluster (${cluster.spec.runtime}, ${cluster.spec.engine}): ${reason}.`,
      './faultline fault list --kinds --json tells what is there where.',
    )
  if (kind.name === 'stall' && (cluster.nodeFaults === undefined || cluster.spec.engine === 'apache-kafka'))
    return await stallFromOutside(kind, order)
  const faults = requireNodeFaults(cluster, kind.name)
  const parameters = checkParameters(kind.name, kind.parameters, order.parameters)
  const applied: AppliedFault[] = []
  try {
    for (const node of nodes) {
      const before = proof && kind.prove === undefined ? await askNodeFirst(cluster, node) : undefined
      const { proof: shown, ...fault } = await faults.add(node, { kind: kind.name, parameters, proof })
      applied.push({ ...fault, node, proofs: shown === undefined ? [] : [{ node, ...shown }] })
      if (before === undefined) continue
      applied.splice(-1, 1, await provedFromOutside(cluster, node, fault, before))
    }
    return applied
  } catch (error) {
    // Also the one that was just added and not seen to work.
    throw await takingBack(error, async () => {
      for (const { node, id } of applied) if (node !== undefined) await takeBack(faults, node, id)
    })
  }
}

async function provedFromOutside(
  cluster: Cluster,
  node: number,
  fault: Omit<AddedNodeFault, 'proof'>,
  before: Ending,
): Promise<AppliedFault> {
  // A fault of some connections of the node only leaves it answering.
  const isPart = fault.parameters['port'] !== undefined
  const shown = isPart
    ? { node, shown: undefined, text: 'about connections that the node opens: "fault list" counts the hits' }
    : await proveMute(cluster, node, before)
  if (shown.shown === false)
    throw failure(
      `The fault ${fault.id} did not take effect, and was taken back: ${shown.text}.`,
      '--no-proof adds it without looking.',
    )
  return { ...fault, node, proofs: [shown] }
}

/** Where nothing of ours is inside the node: it is frozen for that long. When this process is killed meanwhile, the node is a paused one. */
async function stallFromOutside(kind: NodeFaultKind, order: FaultOrder): Promise<readonly AppliedFault[]> {
  const parameters = checkParameters(kind.name, kind.parameters, order.parameters)
  // Of several, those that can be frozen also go on again.
  const stalls = await Promise.allSettled(
    order.nodes.map(async node => await freeze(order.cluster, node, Number(parameters['for']))),
  )
  for (const stall of stalls) if (stall.status === 'rejected') throw stall.reason
  return stalls.flatMap((stall, index) => {
    const node = order.nodes[index]
    if (stall.status === 'rejected' || node === undefined) return []
    const summary = `node ${node}: the node does nothing for ${String(parameters['for'])} ms`
    const proofs = order.proof ? [stall.value] : []
    return [{ id: `stall-${node}`, name: kind.name, summary, node, parameters, hits: 1, proofs }]
  })
}

async function freeze(cluster: Cluster, node: number, wantedMs: number): Promise<FaultProof> {
  const { clock } = cluster
  await cluster.pause(node)
  const beganMs = clock.nowMs()
  try {
    await clock.sleep(wantedMs)
  } finally {
    await cluster.resume(node)
  }
  const tookMs = Math.ceil(clock.nowMs() - beganMs)
  const text = `the node was frozen for ${tookMs} ms (at least ${wantedMs} ms)`
  // Timers count whole milliseconds.
  if (tookMs + 1 >= wantedMs) return { node, shown: true, text }
  throw failure(`The fault stall did not take effect on node ${node}: ${text}.`)
}

async function takeBack(faults: NodeFaults, node: number, id: string): Promise<void> {
  const isThere = (await faults.list(node)).some(fault => fault.id === id)
  if (isThere) await faults.heal(node, [id])
}

/** On Apache Kafka as processes: what would be needed to do it from outside. In containers, the engine and images of the toolkit bring that along. */
const needsOnKafka: Readonly<Record<string, string>> = {
  'dropped-links': 'needs root (a packet filter); "up --proxy" breaks its links without',
  'cpu-limit': 'needs root (a cgroup limit)',
  'memory-pressure': 'needs root (a cgroup limit)',
}

function whyNot(kind: NodeFaultKind, { runtime, engine }: Place): string | undefined {
  if (kind.name === 'stall') return undefined
  if (engine === 'apache-kafka' && runtime === 'process') return needsOnKafka[kind.name]
  if (engine !== 'faultline' && runtime !== 'compose') return 'nothing of ours is inside its nodes'
  if (runtime === 'simulated' && kind.onlyRealProcess === true) return 'needs a process of its own for each node'
  return undefined
}
