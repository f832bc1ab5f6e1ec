/** Faults of links through the command line: from words to a request to the fault proxy, and the proof that it took effect. */
import type { Cluster } from '../cluster/cluster.ts'
import { failure, usageError } from '../errors.ts'
import { completeParameters, linkFaultKind, linkFaultKinds, type LinkFaultKind } from '../proxy/kinds.ts'
import {
  listenerKinds,
  type ClusterLinks,
  type FaultRequest,
  type FaultState,
  type LinkSource,
  type ListenerKind,
  type ParameterValue,
} from '../proxy/model.ts'
import { Prover, type Proof } from '../proxy/proof.ts'
import { selectLinks } from '../proxy/select-links.ts'
import { resolveNodes } from './options.ts'

export interface LinkFaultOptions {
  readonly from?: string
  readonly to?: string
  readonly listener?: string
  /** False: do not look whether it took effect. */
  readonly proof?: boolean
}

export function isLinkFault(name: string): boolean {
  return linkFaultKinds.some(kind => kind.name === name)
}

/** The kinds as lists show them. */
export function linkKindListing() {
  return linkFaultKinds.map(({ name, summary, heals, parameters }) => ({
    name,
    summary,
    needs: ['partition'],
    heals,
    targets: 'links' as const,
    parameters,
  }))
}

/** Refuses, with the way to one, when the cluster has no fault proxy. */
export function requireLinks(cluster: Cluster): ClusterLinks {
  if (cluster.links !== undefined) return cluster.links
  const { name } = cluster.spec
  throw failure(
    `The links of ${name} cannot be broken: no fault proxy stands in front of its nodes.`,
    `./faultline down --name ${name}, then ./faultline up --name ${name} --proxy --runtime process`,
  )
}

/** Adds the fault and shows on every link that it works; takes it back when it does not. */
export async function addLinkFault(
  cluster: Cluster,
  kindName: string,
  words: readonly string[],
  options: LinkFaultOptions,
): Promise<{ readonly fault: FaultState; readonly proofs: readonly Proof[] }> {
  const links = requireLinks(cluster)
  const request = await withTopicId(cluster, await requestOf(cluster, kindName, words, options))
  if (options.proof === false) return { fault: await links.add(request), proofs: [] }
  const { ssl, sasl } = cluster.kafkaOptions()
  const prover = new Prover({ control: links, ssl, sasl: sasl !== undefined })
  const all = await links.links()
  const parameters = completeParameters(linkFaultKind(kindName), request.parameters ?? {})
  const selected = new Set(selectLinks(all, { ...request, parameters }).map(({ link }) => link))
  await prover.lookAtFirst(all.filter(({ name }) => selected.has(name)))
  const fault = await links.add(request)
  const proofs = await prover.prove(fault, request)
  const wrong = proofs.filter(({ shown }) => shown === false)
  if (wrong.length === 0) return { fault, proofs }
  await links.heal([fault.id])
  throw failure(
    `The fault ${fault.id} did not take effect, and was taken back: ${wrong.map(({ link, text }) => `${link}: ${text}`).join('; ')}.`,
    '--no-proof adds it without looking.',
  )
}

/** One line for each proof. */
export function proofLines(proofs: readonly Proof[]): string[] {
  return proofs.map(({ link, shown, text }) => `${shown === undefined ? 'not proved' : 'proof'} ${link}: ${text}`)
}

async function requestOf(
  cluster: Cluster,
  kindName: string,
  words: readonly string[],
  { from, to, listener }: LinkFaultOptions,
): Promise<FaultRequest> {
  const kind = linkFaultKinds.find(({ name }) => name === kindName)
  if (kind === undefined) throw usageError(`There is no fault ${kindName} on links.`)
  const example = `For example: ./faultline fault add ${kindName} --from 1 --to 2`
  if (from === undefined || to === undefined)
    throw usageError(`The fault ${kindName} is about links: it needs --from and --to.`, example)
  return {
    kind: kindName,
    from: await sources(cluster, from),
    to: await sources(cluster, to),
    listener: listener === undefined ? undefined : checkedListener(listener),
    parameters: parseParameters(kind, words),
  }
}

/** Node numbers, `controller` for the active one, `client`, `all`; several with commas. */
async function sources(cluster: Cluster, text: string): Promise<(LinkSource | 'all')[]> {
  const names = text.split(',').map(name => name.trim())
  const found: (LinkSource | 'all')[] = []
  for (const name of names) {
    if (name === 'client' || name === 'all') found.push(name)
    else found.push(...(await resolveNodes(cluster, [name])))
  }
  return found
}

function checkedListener(name: string): ListenerKind {
  const kind = listenerKinds.find(candidate => candidate === name)
  if (kind !== undefined) return kind
  throw usageError(`--listener ${name}: expected one of ${listenerKinds.join(', ')}.`)
}

/** `--delay 100 --both`, `--delay=100`. */
export function parseParameters(kind: LinkFaultKind, words: readonly string[]): Record<string, ParameterValue> {
  const parameters: Record<string, ParameterValue> = {}
  const left = [...words]
  for (let word = left.shift(); word !== undefined; word = left.shift()) {
    const match = /^--([a-z][a-z-]*)(?:=(.*))?$/.exec(word)
    if (match === null)
      throw usageError(
        `${JSON.stringify(word)} is not understood: the fault ${kind.name} is about links, not about nodes.`,
        `./faultline fault add ${kind.name} --from 1 --to 2; parameters: ./faultline fault list --kinds`,
      )
    const [, name = '', inline] = match
    const parameter = kind.parameters.find(candidate => candidate.name === name)
    if (parameter?.type === 'flag' && inline === undefined) {
      parameters[name] = true
      continue
    }
    const value = inline ?? left.shift()
    if (value === undefined) throw usageError(`--${name} needs a value.`)
    parameters[name] = value
  }
  return parameters
}

/** Newer requests name topics by their ids: the proxy needs both. */
async function withTopicId(cluster: Cluster, request: FaultRequest): Promise<FaultRequest> {
  const { parameters = {} } = request
  if (parameters['topic'] === undefined || parameters['topic-id'] !== undefined) return request
  const { topicIdOf } = await import('./topic-id.ts')
  const id = await topicIdOf(cluster, String(parameters['topic']))
  if (id === undefined)
    throw failure(
      `There is no topic ${String(parameters['topic'])}: requests of newer clients name topics by an id, which it does not have yet.`,
      './faultline topic create makes one; --topic-id gives the id.',
    )
  return { ...request, parameters: { ...parameters, 'topic-id': id } }
}
