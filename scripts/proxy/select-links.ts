/** Which links, and which way of them, a fault is about. */
import { usageError } from '../errors.ts'
import { linkName, type FaultRequest, type LinkDescription, type LinkSource, type Way } from './model.ts'
import type { Parameters } from './parameters.ts'

export interface SelectedLink {
  /** Its name. */
  readonly link: string
  readonly ways: readonly Way[]
}

/**
 * The links of a fault; refuses a selection that names none.
 *
 * A partition is about who hears whom: what A sends to B goes as requests over the connections that A opened, and as responses over those that
 * B opened. All other kinds are about the connections from A to B.
 */
export function selectLinks(
  links: readonly LinkDescription[],
  request: FaultRequest & { readonly parameters: Parameters },
): SelectedLink[] {
  const nodes = [...new Set(links.map(({ to }) => to))]
  const sources = [...new Set(links.map(({ from }) => from))]
  const isPartition = request.kind === 'partition'
  // Partitions are among nodes; whoever wants clients in them says so.
  const from = resolve('--from', request.from, { known: sources, all: isPartition ? nodes : sources })
  // Nobody opens connections to clients, but they may be cut off from what a node sends.
  const to = resolve('--to', request.to, { known: isPartition ? sources : nodes, all: nodes })
  const selected = links.flatMap(link => {
    const found = waysOf(link, { from, to }, request)
    return found.length === 0 ? [] : [{ link: linkName(link), ways: found }]
  })
  if (selected.length > 0) {
    if (!isPartition) requireAllNamed(links, request, selected)
    return selected
  }
  const where = request.listener === undefined ? '' : ` at the ${request.listener} listener`
  throw usageError(
    `There is no link from ${request.from.join(',')} to ${request.to.join(',')}${where}.`,
    `The links are: ${links.map(linkName).join(', ')}.`,
  )
}

/** Whoever is named has a part in it: a fault that lists somebody and leaves them out is not the one that was asked for. */
function requireAllNamed(
  links: readonly LinkDescription[],
  { from, to, listener }: FaultRequest,
  selected: readonly SelectedLink[],
): void {
  const hit = links.filter(link => selected.some(each => each.link === linkName(link)))
  const where = listener === undefined ? '' : ` at the ${listener} listener`
  const idle = from.includes('all') ? undefined : from.find(name => !hit.some(link => link.from === name))
  if (idle !== undefined) throw usageError(`There is no link from ${idle} to ${to.join(',')}${where}.`)
  const unreached = to.includes('all') ? undefined : to.find(name => !hit.some(link => link.to === name))
  if (unreached !== undefined) throw usageError(`There is no link from ${from.join(',')} to ${unreached}${where}.`)
}

function resolve(
  option: string,
  wanted: readonly (LinkSource | 'all')[],
  { known, all }: { readonly known: readonly LinkSource[]; readonly all: readonly LinkSource[] },
): readonly LinkSource[] {
  if (wanted.includes('all')) return all
  const stranger = wanted.find(name => !known.includes(name as LinkSource))
  if (stranger !== undefined)
    throw usageError(`${option} ${stranger}: expected ${known.join(', ')} or all, several with commas.`)
  return wanted as readonly LinkSource[]
}

function waysOf(
  link: LinkDescription,
  { from, to }: { readonly from: readonly LinkSource[]; readonly to: readonly LinkSource[] },
  { kind, listener, parameters }: FaultRequest & { readonly parameters: Parameters },
): readonly Way[] {
  if (listener !== undefined && link.listener !== listener) return []
  const isForward = from.includes(link.from) && to.includes(link.to)
  if (kind === 'partition') {
    // A node hears itself.
    if (link.from === link.to) return []
    const isBack = from.includes(link.to) && to.includes(link.from)
    const isBoth = parameters['both'] === true
    return [
      ...(isForward || (isBoth && isBack) ? (['request'] as const) : []),
      ...(isBack || (isBoth && isForward) ? (['response'] as const) : []),
    ]
  }
  if (!isForward) return []
  const direction = parameters['direction']
  return direction === 'request' || direction === 'response' ? [direction] : ['request', 'response']
}
