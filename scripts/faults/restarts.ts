/** The kinds of faults that stop and start nodes in an orderly way, as for maintenance: as they are, or as another version. */
import { resolve } from 'node:path'
import type { Cluster, NodeState } from '../cluster/cluster.ts'
import { exitCodes, failure, LeftAsItIs, messageOf, ToolkitError, usageError } from '../errors.ts'
import { checkParameters, milliseconds, type Parameter, type Parameters } from '../proxy/parameters.ts'
import type { Ending } from '../proxy/probe.ts'
import { takingBack, untilAllEnded } from '../settle.ts'
import { bringBack } from './bring-back.ts'
import type { AppliedFault, FaultKind, FaultOrder, FaultProof, Place } from './kind.ts'
import { everywhere } from './places.ts'
import { askNodeFirst, proveMute } from './probe-node.ts'

const away = milliseconds('down', 'how long each is away', { default: 0 })

const version: readonly Parameter[] = [
  { name: 'release', summary: 'of Apache Kafka: which, such as 4.3.1', type: 'text', optional: true },
  { name: 'program', summary: 'of Faultline in processes: the file that is started', type: 'text', optional: true },
  { name: 'image', summary: 'of Faultline in containers: the image, with its tag', type: 'text', optional: true },
]

const common = { heals: 'it is over when the command returns', targets: 'nodes', isMomentary: true } as const

export const restartKinds: readonly FaultKind[] = [
  {
    ...common,
    name: 'restart',
    summary: 'the nodes shut down in an orderly way, all at the same time, and come back',
    expect: 'leaders move away and stay there; clients go on',
    parameters: [away],
    needs: ['restart'],
    verb: 'restart',
    impossible: everywhere,
    apply: order => restart(order, { name: 'restart', parameters: [away], isRolling: false }),
  },
  {
    ...common,
    name: 'rolling-restart',
    summary: 'the nodes shut down and come back one after the other, each when the one before serves again',
    expect: 'every partition has a leader but for moments; nothing is lost, and clients go on',
    parameters: [away],
    needs: ['restart'],
    verb: 'restart',
    impossible: everywhere,
    apply: order => restart(order, { name: 'rolling-restart', parameters: [away], isRolling: true }),
  },
  {
    ...common,
    name: 'upgrade',
    heals: 'it is over when the command returns; the nodes stay in that version until they get another one',
    summary:
      'the nodes shut down, all at the same time, and come back in another version of their engine, on the same data',
    expect:
      'what older versions wrote is read; a version may refuse what a newer one wrote, and then the nodes are what they were',
    parameters: [...version, away],
    needs: ['restart', 'upgrade'],
    verb: 'restart',
    impossible: noVersions,
    apply: order => upgrade(order, { name: 'upgrade', parameters: [...version, away], isRolling: false }),
  },
  {
    ...common,
    name: 'rolling-upgrade',
    heals: 'it is over when the command returns; the nodes stay in that version until they get another one',
    summary: 'the same one after the other, each when the one before serves again',
    expect:
      'old and new nodes work together meanwhile; every partition has a leader but for moments; nothing is lost, and clients go on',
    parameters: [...version, away],
    needs: ['restart', 'upgrade'],
    verb: 'restart',
    impossible: noVersions,
    apply: order => upgrade(order, { name: 'rolling-upgrade', parameters: [...version, away], isRolling: true }),
  },
]

function noVersions({ runtime }: Place): string | undefined {
  switch (runtime) {
    case 'process':
    case 'compose':
      return undefined
    case 'simulated':
      return 'simulated nodes run the broker of this toolkit and no other'
    case 'external':
      return 'nothing is done to the nodes of a cluster that is not ours'
  }
}

interface Round {
  readonly name: string
  readonly parameters: readonly Parameter[]
  /** True: one node after the other. */
  readonly isRolling: boolean
  /** While the nodes of a group are down. */
  readonly meanwhile?: (ids: readonly number[]) => Promise<void>
  /** When a group did not get through: first all that `meanwhile` has changed, then those of the group that ran before. */
  readonly takeBack?: (were: readonly NodeState[], group: readonly number[]) => Promise<void>
  /** @param gone  that it did not answer meanwhile, where no process tells */
  readonly prove?: (node: NodeState, before: NodeState | undefined, gone?: FaultProof) => Promise<FaultProof>
}

async function restart(
  { cluster, nodes, parameters: given, proof, signal }: FaultOrder,
  { name, parameters: known, isRolling, meanwhile, takeBack, prove = proveRestart }: Round,
): Promise<readonly AppliedFault[]> {
  const parameters = checkParameters(name, known, given)
  const applied: AppliedFault[] = []
  for (const group of isRolling ? nodes.map(id => [id]) : [nodes]) {
    // Between two groups every node is up.
    if (signal?.aborted === true) throw leftAt(applied, nodes, signal.reason)
    const before = await nodesById(cluster)
    try {
      const answered = proof ? await untilAllEnded(group.map(id => askFirst(cluster, before.get(id)))) : []
      await untilAllEnded(group.map(id => cluster.stop(id)))
      const gone = await untilAllEnded(answered.map((ending, at) => seenGone(cluster, group[at], ending)))
      await cluster.clock.sleep(Number(parameters['down']))
      await meanwhile?.(group)
      await untilAllEnded(group.map(id => cluster.start(id)))
      await cluster.waitReady()
      const after = await nodesById(cluster)
      await requireUp(cluster, after, group)
      for (const id of group) {
        const node = after.get(id)
        const proofs = proof && node !== undefined ? [await prove(node, before.get(id), gone[group.indexOf(id)])] : []
        applied.push({ id: `${name}-${id}`, name, summary: summaryOf(id, node), node: id, parameters, hits: 1, proofs })
      }
    } catch (error) {
      const were = [...before.values()]
      throw await takingBack(error, () => takeBack?.(were, group) ?? bringBack(cluster, were, group))
    }
  }
  return applied
}

/** Nodes that came back stay what they are: which are what is told, since they may be in two versions now. */
function leftAt(applied: readonly AppliedFault[], nodes: readonly number[], reason: unknown): LeftAsItIs {
  const left = nodes.filter(id => !applied.some(({ node }) => node === id))
  const rest = left.length === 0 ? [] : [`node ${left.join(', ')} ${left.length === 1 ? 'is' : 'are'} as before`]
  return new LeftAsItIs([...applied.map(({ summary }) => summary), ...rest].join('; '), reason)
}

/** Nobody waits for a node that has ended: not to be down is what was wanted of it. */
async function requireUp(
  cluster: Cluster,
  nodes: ReadonlyMap<number, NodeState>,
  ids: readonly number[],
): Promise<void> {
  const fallen = ids.find(id => !['running', 'starting'].includes(nodes.get(id)?.state ?? 'dead'))
  if (fallen === undefined) return
  const said = (await cluster.logs(fallen, { lines: 20 })).trimEnd()
  throw failure(`Node ${fallen} was started and ended again. The end of its log:\n${said.slice(-2_000)}`)
}

async function nodesById(cluster: Cluster): Promise<ReadonlyMap<number, NodeState>> {
  return new Map((await cluster.nodes()).map(node => [node.id, node]))
}

function summaryOf(id: number, node: NodeState | undefined): string {
  const as = node?.version === undefined ? '' : `, as ${node.version}`
  return `node ${id} was stopped and started${as}`
}

/** Before a node is stopped that has no process of its own, by which a restart could be told. */
async function askFirst(cluster: Cluster, node: NodeState | undefined): Promise<Ending | undefined> {
  return node === undefined || node.pid !== undefined ? undefined : await askNodeFirst(cluster, node.id)
}

async function seenGone(cluster: Cluster, id = 0, ending?: Ending): Promise<FaultProof | undefined> {
  return ending === undefined ? undefined : await proveMute(cluster, id, ending)
}

function proveRestart(node: NodeState, before: NodeState | undefined, gone?: FaultProof): Promise<FaultProof> {
  const [then, now] = [before, node].map(each => each?.pid?.toString() ?? each?.container)
  // A container is the same one after a restart.
  const isTold = then !== undefined && now !== undefined && then !== now
  if (isTold)
    return Promise.resolve({ node: node.id, shown: true, text: `process ${then} before, ${now} now; it serves` })
  const meanwhile = gone === undefined ? '' : `while it was down, ${gone.text}; `
  return Promise.resolve({ node: node.id, shown: gone?.shown, text: `${meanwhile}it serves again` })
}

async function upgrade(order: FaultOrder, round: Round): Promise<readonly AppliedFault[]> {
  const { cluster, nodes, signal } = order
  const { versions } = cluster
  const wanted = wantedVersion(cluster, round.name, checkParameters(round.name, round.parameters, order.parameters))
  if (versions === undefined)
    throw usageError(
      `The fault ${round.name} is not there on this cluster (${cluster.spec.runtime}).`,
      './faultline fault list --kinds --json tells what is there where.',
    )
  // May take minutes, in which the nodes serve.
  await versions.prepare(wanted, signal && { signal }).catch((error: unknown) => {
    throw signal?.aborted === true ? leftAt([], nodes, signal.reason) : error
  })
  const before = await nodesById(cluster)
  const changed = new Set<number>()
  let isBack = false
  const restarted = restart(order, {
    ...round,
    meanwhile: async ids => {
      for (const id of ids) {
        changed.add(id)
        await versions.set(id, wanted)
      }
    },
    // A node that did not come back as the new version is not started as that version once more: it may write what the earlier one cannot read.
    takeBack: async (were, group) => {
      const changedNodes = [...before.values()].filter(({ id }) => changed.has(id))
      const others = group.filter(id => !changed.has(id))
      await untilAllEnded([changeBack(cluster, changedNodes), bringBack(cluster, were, others)])
      isBack = changedNodes.length > 0
    },
    prove: async (node, earlier) => await proveVersion(node, earlier, await versions.prove(node.id, wanted)),
  })
  return await restarted.catch((error: unknown) => {
    if (!isBack) throw error
    const [exitCode, remedy] = error instanceof ToolkitError ? [error.exitCode, error.remedy] : [exitCodes.failed]
    const text = `${messageOf(error)}\nNode ${[...changed].join(', ')} is in its earlier version again, and serves.`
    throw new ToolkitError(exitCode, text, { remedy, cause: error })
  })
}

/** Nodes as they were: what a version cannot read or do is no reason to leave the cluster without it. */
async function changeBack(cluster: Cluster, were: readonly NodeState[]): Promise<void> {
  const now = await nodesById(cluster)
  await untilAllEnded(
    were.map(async ({ id, version: earlier }) => {
      const state = now.get(id)?.state
      if (state === 'running' || state === 'starting' || state === 'paused') await cluster.kill(id)
      await cluster.versions?.set(id, earlier)
      await cluster.start(id)
    }),
  )
  if (were.length > 0) await cluster.waitReady()
}

/** By which parameter a version is named, and an example of it. */
function versionParameter({
  engine,
  runtime,
}: Place): readonly [name: 'release' | 'program' | 'image', example: string] {
  if (engine === 'apache-kafka') return ['release', '4.3.1']
  return runtime === 'compose' ? ['image', 'faultline/broker:other'] : ['program', '../other/broker/main.ts']
}

function wantedVersion(cluster: Cluster, name: string, given: Parameters): string {
  const [wanted, example] = versionParameter(cluster.spec)
  const others = version.map(parameter => parameter.name).filter(each => each !== wanted)
  const value = given[wanted]
  if (typeof value === 'string' && others.every(each => given[each] === undefined))
    return wanted === 'program' ? resolve(value) : value
  throw usageError(
    `The fault ${name} on ${cluster.spec.engine} needs --${wanted}, and no ${others.map(each => `--${each}`).join(' or ')}.`,
    `For example: ./faultline fault add ${name} all --${wanted} ${example}`,
  )
}

/** @param from what it was really started from, when that could be looked at */
async function proveVersion(
  node: NodeState,
  before: NodeState | undefined,
  from: string | undefined,
): Promise<FaultProof> {
  const { shown, text } = await proveRestart(node, before)
  return from === undefined
    ? { node: node.id, shown, text: `${text}; which program it runs could not be looked at` }
    : { node: node.id, shown: true, text: `${text}, from ${from}` }
}
