/** The kinds of faults that end, freeze or restart the process of a node, as entries of the catalogue. */
import type { Parameters } from '#broker/environment/faulty/parameters.ts'
import type { Capability, Cluster, NodeStatus, PowerFailureOptions, PowerLossSeen } from '../cluster/cluster.ts'
import { failure, usageError } from '../errors.ts'
import { checkParameters, choice, seed, type Parameter } from '../proxy/parameters.ts'
import type { Ending } from '../proxy/probe.ts'
import { takingBack, untilAllEnded } from '../settle.ts'
import { bringBack } from './bring-back.ts'
import type { AppliedFault, FaultKind, FaultOrder, FaultProof } from './kind.ts'
import { askNodeFirst, proveMute } from './probe-node.ts'
import { everywhere } from './places.ts'
import { restartLoop, restartLoopParameters } from './restart-loop.ts'
import { restartKinds } from './restarts.ts'

interface ProcessKind {
  readonly name: string
  readonly summary: string
  readonly heals: string
  readonly expect: string
  readonly needs: readonly Capability[]
  readonly verb: NonNullable<FaultKind['verb']>
  /** Where it is not there although the capabilities are, and why. */
  readonly impossible?: FaultKind['impossible']
  readonly parameters?: readonly Parameter[]
  /** What the node is when it has taken effect. */
  readonly leaves: NodeStatus
  /** @returns what was seen of it at each node, apart from how it answers */
  act(cluster: Cluster, ids: readonly number[], parameters: Parameters): Promise<readonly (PowerLossSeen | void)[]>
}

const powerFailureParameters: readonly Parameter[] = [
  choice(
    'loss',
    'what of it is lost: all, or a part by chance, pages torn at sectors (a simulated disk always loses a part)',
    ['all', 'part'],
  ),
  choice('names', 'where a part is lost, of names of files: the latest ones, or each on its own', [
    'ordered',
    'independent',
  ]),
  seed,
]

/** Those that leave a node mute until it is healed. */
const muting: readonly ProcessKind[] = [
  {
    name: 'kill',
    summary: 'the node ends at once (SIGKILL), as in a crash; what it wrote stays',
    heals: 'the node is started again',
    expect:
      'others take over its leaders after its session; it recovers its log at the start; nothing acknowledged is lost',
    needs: ['kill'],
    verb: 'kill',
    leaves: 'stopped',
    act: (cluster, ids) => untilAllEnded(ids.map(id => cluster.kill(id))),
  },
  {
    name: 'stop',
    summary: 'the node shuts down in an orderly way, as for maintenance',
    heals: 'the node is started again',
    expect: 'its leaders move away before it goes; clients hardly notice',
    needs: ['stop'],
    verb: 'stop',
    leaves: 'stopped',
    act: (cluster, ids) => untilAllEnded(ids.map(id => cluster.stop(id))),
  },
  {
    name: 'pause',
    summary: 'the node freezes with open connections, as in a long garbage collection or a stuck virtual machine',
    heals: 'the node goes on',
    expect:
      'requests to it hang; beyond its session others lead, and it is fenced off when it goes on as if nothing had been',
    needs: ['pause'],
    verb: 'pause',
    leaves: 'paused',
    act: (cluster, ids) => untilAllEnded(ids.map(id => cluster.pause(id))),
  },
  {
    name: 'wipe',
    summary:
      'the node ends at once and comes up again on an empty disk only when healed, as after the exchange of a disk',
    heals: 'the node is started again and copies what it lost from the others',
    expect: 'nothing acknowledged is lost while another in-sync replica lives; its replicas are copied anew',
    needs: ['kill', 'wipe'],
    verb: 'kill',
    leaves: 'stopped',
    act: (cluster, ids) =>
      untilAllEnded(
        ids.map(async id => {
          await cluster.kill(id)
          await cluster.wipe(id)
        }),
      ),
  },
  {
    name: 'power-failure',
    summary: 'the machines lose their power at the same instant, and with it what was not fsynced',
    heals: 'the nodes are started again on what is left',
    expect:
      'one machine at a time loses nothing that the others have; all at once may lose what was acknowledged, as with Apache Kafka',
    needs: ['power-failure'],
    verb: 'kill',
    leaves: 'stopped',
    parameters: powerFailureParameters,
    impossible: ({ runtime }) =>
      runtime === 'external' ? 'the toolkit does not reach the disks of its nodes' : undefined,
    act: cutPower,
  },
]

/** A simulated disk loses by the seed of the run. */
async function cutPower(
  cluster: Cluster,
  ids: readonly number[],
  parameters: Parameters,
): Promise<readonly PowerLossSeen[]> {
  if (cluster.powerFailure === undefined)
    throw failure(`The runtime ${cluster.spec.runtime} cannot cut the power.`, 'Use --runtime simulated.')
  const { loss, names, seed } = parameters
  if (cluster.spec.runtime === 'simulated') return await cluster.powerFailure(ids)
  return await cluster.powerFailure(ids, {
    loss: loss as PowerFailureOptions['loss'],
    names: names as PowerFailureOptions['names'],
    seed: Number(seed),
  })
}

export const processKinds: readonly FaultKind[] = [
  ...muting.map((kind): FaultKind => ({
    name: kind.name,
    summary: kind.summary,
    heals: kind.heals,
    expect: kind.expect,
    targets: 'nodes',
    parameters: kind.parameters ?? [],
    endsNodes: kind.leaves === 'stopped',
    needs: kind.needs,
    verb: kind.verb,
    impossible: kind.impossible ?? everywhere,
    apply: order => mute(kind, order),
  })),
  ...restartKinds,
  {
    name: 'restart-loop',
    summary: 'the node is killed and started again and again, as by a supervisor whose service keeps crashing',
    heals: 'the loop ends and the node is started',
    expect: 'its partitions are led elsewhere most of the time; nothing acknowledged is lost',
    targets: 'nodes',
    parameters: restartLoopParameters,
    endsNodes: true,
    needs: ['kill', 'restart'],
    verb: 'kill',
    impossible: everywhere,
    apply: restartLoop,
  },
]

async function mute(
  kind: ProcessKind,
  { cluster, nodes, proof, parameters: given }: FaultOrder,
): Promise<readonly AppliedFault[]> {
  const parameters = checkParameters(kind.name, kind.parameters ?? [], given)
  const lacking = kind.needs.find(capability => !cluster.capabilities.has(capability))
  const { name, runtime } = cluster.spec
  if (lacking !== undefined)
    throw usageError(
      `The fault ${kind.name} is not there on this cluster: ${kind.impossible?.(cluster.spec) ?? missing(lacking)}.`,
      lacking === 'power-failure'
        ? `./faultline down --name ${name}, then ./faultline up --name ${name} --faults --runtime ${runtime}`
        : './faultline fault list --kinds',
    )
  const before = new Map(
    await Promise.all(nodes.map(async id => [id, proof ? await askNodeFirst(cluster, id) : undefined] as const)),
  )
  const were = await cluster.nodes()
  try {
    const acted = await kind.act(cluster, nodes, parameters)
    const states = new Map((await cluster.nodes()).map(({ id, state }) => [id, state]))
    return await untilAllEnded(
      nodes.map(async id => {
        const state = states.get(id)
        const fault = { id: state === 'paused' ? `pause-${id}` : `down-${id}`, name: kind.name, node: id }
        const seen = await proofsOf(cluster, { kind, id, state, before: before.get(id) })
        const proofs = seen.length === 0 ? seen : [...seen, ...lossesOf(acted, id)]
        return { ...fault, summary: `node ${id}: ${kind.summary}`, parameters, proofs }
      }),
    )
  } catch (error) {
    // On all nodes: the command fails as a whole.
    throw await takingBack(error, () => bringBack(cluster, were, nodes))
  }
}

function missing(capability: Capability): string {
  return capability === 'power-failure' ? 'its nodes do not note what they have not fsynced' : `it lacks ${capability}`
}

/** What a power failure took of the disk of a node. */
function lossesOf(acted: readonly (PowerLossSeen | void)[], id: number): readonly FaultProof[] {
  const losses = acted.flatMap(each => (each?.node === id ? each : []))
  const wrong = losses.find(({ shown }) => shown === false)
  if (wrong !== undefined) throw failure(`The power failure of node ${id} did not take what it should: ${wrong.text}.`)
  return losses
}

async function proofsOf(
  cluster: Cluster,
  {
    kind,
    id,
    state,
    before,
  }: {
    readonly kind: ProcessKind
    readonly id: number
    readonly state: NodeStatus | undefined
    readonly before: Ending | undefined
  },
): Promise<readonly FaultProof[]> {
  if (before === undefined) return []
  const seen = await proveMute(cluster, id, before)
  if (state === kind.leaves && seen.shown !== false) return [{ ...seen, text: `it is ${state}: ${seen.text}` }]
  throw failure(
    `The fault ${kind.name} did not take effect on node ${id}, and was taken back: it is ${state}, ${seen.text}.`,
    '--no-proof adds it without looking.',
  )
}
