/** The kinds of faults on links, as entries of the catalogue: a request to the fault proxy, and the proof that it took effect. */
import type { Cluster, PacketFaults } from '../cluster/cluster.ts'
import { failure, usageError } from '../errors.ts'
import { unlessAborted } from '../labs/interruptible.ts'
import { completeParameters, linkFaultKinds, type LinkFaultKind } from '../proxy/kinds.ts'
import type { ClusterLinks, FaultRequest } from '../proxy/model.ts'
import { Prover } from '../proxy/proof.ts'
import { selectLinks } from '../proxy/select-links.ts'
import { topicIdOf } from '../proxy/topic-id.ts'
import { takingBack } from '../settle.ts'
import type { AppliedFault, FaultKind, FaultOrder, LinkChoice, Place } from './kind.ts'

/** Refuses, with the way to one, when the cluster has no fault proxy. */
export function requireLinks(cluster: Cluster): ClusterLinks {
  if (cluster.links !== undefined) return cluster.links
  const { name } = cluster.spec
  throw failure(
    `The links of ${name} cannot be broken: no fault proxy stands in front of its nodes.`,
    `./faultline down --name ${name}, then ./faultline up --name ${name} --proxy --runtime ${cluster.spec.runtime === 'compose' ? 'compose' : 'process'}`,
  )
}

/** What a user should see of each. */
const expectations: Readonly<Record<string, string>> = {
  partition: 'a follower that hears nothing leaves the in-sync set; a leader that nobody hears is replaced',
  'black-hole': 'requests time out; clients and followers open connections anew and try again',
  cut: 'clients see connections refused and try the other brokers',
  reset: 'clients see connections reset and try again; idempotent producers make no duplicates',
  latency: 'requests take so much longer; followers may leave the in-sync set',
  bandwidth: 'large requests take long; followers fall behind',
  loss: 'requests take longer by chance, and in order all the same',
  slice: 'nothing but time: a request in many pieces is one request',
  'slow-close': 'connections that were closed linger at the other side',
  drop: 'the sender times out or sees its connection close, and tries again; idempotent producers make no duplicates',
  delay: 'that request takes longer, and those behind it on its connection',
  duplicate: 'the broker recognises the second one, of idempotent producers; others write twice',
  hold: 'its sender times out; what is released later still arrives',
  error: 'the client treats it as from the broker: it tries again where the error is one to try again at',
}

export const linkKinds: readonly FaultKind[] = linkFaultKinds.map(kind => ({
  name: kind.name,
  summary: kind.summary,
  heals: kind.heals,
  expect: expectations[kind.name] ?? '',
  targets: 'links',
  parameters: kind.parameters,
  check: given => void completeParameters(kind, given),
  needs: ['partition'],
  impossible: whyNot,
  apply: order => applyToLinks(kind, order),
}))

function whyNot({ runtime }: Place): string | undefined {
  switch (runtime) {
    case 'process':
    case 'compose':
      return undefined
    case 'simulated':
      return 'no proxy in front of simulated nodes; labs cut links there with run.partition'
    case 'external':
      return 'somebody else has started the cluster'
  }
}

/** Adds the fault and shows on every link that it works; takes it back when it does not. */
async function applyToLinks(kind: LinkFaultKind, order: FaultOrder): Promise<readonly AppliedFault[]> {
  const { cluster, signal } = order
  if (order.links === undefined)
    throw usageError(
      `The fault ${kind.name} is about links: it needs --from and --to.`,
      `For example: ./faultline fault add ${kind.name} --from 1 --to 2`,
    )
  if (cluster.packets !== undefined) return await losePackets(cluster.packets, kind, { ...order, links: order.links })
  const links = requireLinks(cluster)
  const request = await unlessAborted(
    withTopicId(cluster, { kind: kind.name, ...order.links, parameters: order.parameters }),
    signal,
  )
  if (!order.proof) return [{ ...(await links.add(request)), proofs: [] }]
  const { ssl, sasl } = cluster.kafkaOptions()
  const prover = new Prover({ control: links, ssl, sasl: sasl !== undefined, fromProxy: links.isRemote === true })
  const all = await links.links()
  const parameters = completeParameters(kind, request.parameters ?? {})
  const selected = new Set(selectLinks(all, { ...request, parameters }).map(({ link }) => link))
  await unlessAborted(prover.lookAtFirst(all.filter(({ name }) => selected.has(name))), signal)
  const fault = await links.add(request)
  const proofs = await provedOrTakenBack(fault.id)
  const wrong = proofs.filter(({ shown }) => shown === false)
  if (wrong.length === 0) return [{ ...fault, proofs }]
  await links.heal([fault.id])
  throw failure(
    `The fault ${fault.id} did not take effect, and was taken back: ${wrong.map(({ link, text }) => `${link}: ${text}`).join('; ')}.`,
    '--no-proof adds it without looking.',
  )

  async function provedOrTakenBack(id: string) {
    try {
      // Not left in the middle: a proof may need a fault of its own for a moment.
      const shown = await prover.prove(fault, request)
      signal?.throwIfAborted()
      return shown
    } catch (error) {
      throw await takingBack(error, () => links.heal([id]))
    }
  }
}

/** What only a proxy can do something about: how the kernel sends lost packets again, and which it loses, is up to it. */
const ofProxy = ['timeout', 'seed']

async function losePackets(
  packets: PacketFaults,
  kind: LinkFaultKind,
  { links, parameters: given, proof }: FaultOrder & { readonly links: LinkChoice },
): Promise<readonly AppliedFault[]> {
  const stranger = ofProxy.find(name => packets.kinds.has(kind.name) && given[name] !== undefined)
  if (stranger !== undefined)
    throw usageError(`--${stranger} of ${kind.name} needs a fault proxy in front of the nodes: ./faultline up --proxy.`)
  const complete = Object.entries(completeParameters(kind, given)).filter(([name]) => !ofProxy.includes(name))
  return [await packets.add({ kind: kind.name, ...links, parameters: Object.fromEntries(complete) }, proof)]
}

/** Why a kind that the runtime has is not there on this cluster. */
export function whyNotWithoutProxy({ packets }: Cluster, kind: FaultKind): string | undefined {
  return kind.targets === 'nodes' || packets === undefined || packets.kinds.has(kind.name)
    ? undefined
    : `without a fault proxy (up --proxy) there are ${[...packets.kinds].join(', ')}`
}

/** Newer requests name topics by their ids: the proxy needs both. */
async function withTopicId(cluster: Cluster, request: FaultRequest): Promise<FaultRequest> {
  const { parameters = {} } = request
  if (parameters['topic'] === undefined || parameters['topic-id'] !== undefined) return request
  const found = await topicIdOf(cluster, String(parameters['topic']))
  if (found === undefined)
    throw failure(
      `There is no topic ${String(parameters['topic'])}: requests of newer clients name topics by an id, which it does not have yet.`,
      './faultline topic create makes one; --topic-id gives the id.',
    )
  const partition = parameters['partition']
  if (partition !== undefined && !found.partitions.includes(Number(partition)))
    throw usageError(
      `There is no partition ${String(partition)} of ${String(parameters['topic'])}: it has ${found.partitions.length}, from 0 on.`,
    )
  return { ...request, parameters: { ...parameters, 'topic-id': found.id } }
}
