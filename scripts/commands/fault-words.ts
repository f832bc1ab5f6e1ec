/** What somebody typed after `fault add KIND`, as an order: nodes or links, and parameters. */
import type { ParameterValue } from '#broker/environment/faulty/parameters.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { usageError } from '../errors.ts'
import type { FaultKind, LinkChoice } from '../faults/kind.ts'
import { listenerKinds, type LinkSource, type ListenerKind } from '../proxy/model.ts'
import { resolveNodes } from './options.ts'

export interface LinkWords {
  readonly from?: string
  readonly to?: string
  readonly listener?: string
}

/** `1 2 --delay 100 --both`, `--delay=100`. */
export function parseWords(
  kind: Pick<FaultKind, 'name' | 'parameters' | 'targets'>,
  words: readonly string[],
): { readonly nodes: readonly string[]; readonly parameters: Readonly<Record<string, ParameterValue>> } {
  const parameters: Record<string, ParameterValue> = {}
  const nodes: string[] = []
  const left = [...words]
  for (let word = left.shift(); word !== undefined; word = left.shift()) {
    const match = /^--([a-z][a-z-]*)(?:=(.*))?$/.exec(word)
    if (match === null) {
      nodes.push(word)
      continue
    }
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
  refuseStrays(kind, nodes)
  return { nodes, parameters }
}

function refuseStrays({ name, targets }: Pick<FaultKind, 'name' | 'targets'>, nodes: readonly string[]): void {
  const [first] = nodes
  if (targets === 'links' && first !== undefined)
    throw usageError(
      `${JSON.stringify(first)} is not understood: the fault ${name} is about links, not about nodes.`,
      `./faultline fault add ${name} --from 1 --to 2; parameters: ./faultline fault list --kinds`,
    )
  const option = nodes.find(node => node.startsWith('-'))
  if (option !== undefined) throw usageError(`The fault ${name} has no ${option}.`, './faultline fault list --kinds')
  if (targets === 'nodes' && nodes.length === 0)
    throw usageError(`The fault ${name} is about nodes: which?`, `For example: ./faultline fault add ${name} 1`)
}

/** `--from` and `--to`; undefined for a kind that is about nodes. */
export async function parseLinks(
  kind: FaultKind,
  { from, to, listener }: LinkWords,
  cluster: Cluster,
): Promise<LinkChoice | undefined> {
  if (kind.targets === 'nodes') {
    if (from === undefined && to === undefined && listener === undefined) return undefined
    throw usageError(`The fault ${kind.name} is about nodes: it takes no --from, --to and --listener.`)
  }
  if (from === undefined || to === undefined)
    throw usageError(
      `The fault ${kind.name} is about links: it needs --from and --to.`,
      `For example: ./faultline fault add ${kind.name} --from 1 --to 2`,
    )
  return {
    from: await sources(cluster, from),
    to: await sources(cluster, to),
    listener: listener === undefined ? undefined : checkedListener(listener),
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
