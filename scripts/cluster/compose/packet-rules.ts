/**
 * Faults of links as rules of packet filters. All of them stand where packets come in: at the node that shall not hear another one. Each fault has a
 * chain of its own there, so that it can be counted and taken away as a whole.
 *
 * A stream of TCP that loses all packets of one way stops the other way too, for want of acknowledgements. So where only one way is broken, what gets lost
 * is what pushes bytes to the application; connections open, and what is received is acknowledged, but nothing whole arrives.
 */
import type { Parameters } from '#broker/environment/faulty/parameters.ts'
import { usageError } from '../../errors.ts'
import type { FaultRequest } from '../../proxy/model.ts'
import { CONTROLLER_PORT, NETWORK_PORT } from './container-addresses.ts'

/** Kinds of faults of links that packets which get lost, or are answered with a reset, make up. */
export const packetKinds: ReadonlySet<string> = new Set(['partition', 'black-hole', 'cut', 'loss'])

export interface PacketFault {
  readonly id: string
  readonly kind: string
  readonly from: readonly number[]
  readonly to: readonly number[]
  /** Complete. */
  readonly parameters: Parameters
}

export type Pair = readonly [from: number, to: number]

/** The nodes that a request is about; refuses clients, and listeners, which packets do not tell. */
export function nodesOf({ kind, from, to, listener }: FaultRequest, all: readonly number[]) {
  const remedy = './faultline up --proxy breaks the links of clients, and those of single listeners.'
  if (!packetKinds.has(kind))
    throw usageError(
      `The fault ${kind} needs a fault proxy in front of the nodes; without one there are ${[...packetKinds].join(', ')}.`,
      './faultline up --proxy --runtime compose',
    )
  if (listener !== undefined) throw usageError('--listener needs a fault proxy in front of the nodes.', remedy)
  const chosen = (sources: FaultRequest['from']): number[] => [
    ...new Set(
      sources.flatMap(source => {
        if (source === 'all') return all
        if (source === 'client')
          throw usageError('Clients need a fault proxy in front of the nodes: no packet says who sent it.', remedy)
        if (all.includes(source)) return source
        throw usageError(`There is no node ${source}: there are ${all.join(', ')}.`)
      }),
    ),
  ]
  const found = { from: chosen(from), to: chosen(to) }
  if (pairsOf(found).length === 0) throw usageError('--from and --to: a node has no link to itself.')
  return found
}

/** Who opens connections to whom. */
export function pairsOf({ from, to }: Pick<PacketFault, 'from' | 'to'>): readonly Pair[] {
  return from.flatMap(source => to.flatMap(target => (source === target ? [] : [[source, target] as const])))
}

export function chainOf({ id }: PacketFault): string {
  return `FL-${id}`
}

/** One rule: of what comes from another node. */
interface Rule {
  readonly at: number
  readonly from: number
  readonly match: string
}

/** The rules of a fault at one node, as iptables takes them. @param addressOf undefined for a node that is down: it says nothing */
export function rulesAt(node: number, fault: PacketFault, addressOf: (id: number) => string | undefined): string[] {
  return rulesOf(fault).flatMap(({ at, from, match }) => {
    const address = addressOf(from)
    return at !== node || address === undefined ? [] : [`-s ${address} ${match}`]
  })
}

/** Nodes with a rule, and of them those with one about packets of `about`. */
export function placesOf(fault: PacketFault, about?: number): readonly number[] {
  const rules = rulesOf(fault).filter(({ at, from }) => about === undefined || at === about || from === about)
  return [...new Set(rules.map(({ at }) => at))]
}

const ports = `-m multiport`
const toListeners = `${ports} --dports ${NETWORK_PORT},${CONTROLLER_PORT}`
const fromListeners = `${ports} --sports ${NETWORK_PORT},${CONTROLLER_PORT}`
const pushing = '-p tcp --tcp-flags PSH PSH'

function rulesOf(fault: PacketFault): readonly Rule[] {
  const { kind, parameters } = fault
  return pairsOf(fault).flatMap(([from, to]): Rule[] => {
    const way = parameters['direction'] ?? 'both'
    const tcp = way === 'both' ? '-p tcp' : pushing
    const both = (rest: string): Rule[] => [
      ...(way === 'response' ? [] : [{ at: to, from, match: `${tcp} ${toListeners} ${rest}` }]),
      ...(way === 'request' ? [] : [{ at: from, from: to, match: `${tcp} ${fromListeners} ${rest}` }]),
    ]
    switch (kind) {
      case 'partition':
        return parameters['both'] === true
          ? [
              { at: to, from, match: '-j DROP' },
              { at: from, from: to, match: '-j DROP' },
            ]
          : [{ at: to, from, match: `${pushing} -j DROP` }]
      case 'cut':
        return [{ at: to, from, match: `-p tcp ${toListeners} -j REJECT --reject-with tcp-reset` }]
      case 'loss':
        // Whichever packet it is: what is lost is sent again.
        return both(`-m statistic --mode random --probability ${String(parameters['probability'])} -j DROP`).map(
          rule => ({
            ...rule,
            match: rule.match.replace(pushing, '-p tcp'),
          }),
        )
      default:
        return both('-j DROP')
    }
  })
}

/**
 * For a shell: puts the rules in place, whatever was there of the fault, all at once, so that the link is never open in between. Rules that are there
 * already stay, with what they have counted.
 */
export function applyCommand(chain: string, rules: readonly string[]): string {
  const isThere = [
    `[ "$(iptables -w -S ${chain} | grep -c '^-A')" = ${rules.length} ]`,
    ...rules.map(rule => `iptables -w -C ${chain} ${rule}`),
    `iptables -w -C INPUT -j ${chain}`,
  ].join(' && ')
  const jump = `jump=$(iptables -w -C INPUT -j ${chain} 2>/dev/null || echo '-I INPUT -j ${chain}')`
  // Naming a chain empties it.
  const lines = ['*filter', `:${chain} - [0:0]`, ...rules.map(rule => `-A ${chain} ${rule}`)]
  const text = `${lines.map(line => `'${line}'`).join(' ')} "$jump" COMMIT`
  return `{ { ${isThere}; } 2>/dev/null || { ${jump}; printf '%s\\n' ${text} | iptables-restore -w --noflush; }; }`
}

/** No error when it is not there; one when it still is, or when nothing can be said of it. */
export function removeCommand(chain: string): string {
  return [
    // Where this one fails all others do, also the one that would tell that it is still there.
    'iptables -w -nL INPUT >/dev/null || exit',
    `while iptables -w -C INPUT -j ${chain} 2>/dev/null; do iptables -w -D INPUT -j ${chain}; done`,
    `iptables -w -F ${chain} 2>/dev/null; iptables -w -X ${chain} 2>/dev/null`,
    `! iptables -w -nL ${chain} >/dev/null 2>&1`,
  ].join('; ')
}

/** For a shell: what is in place of these chains. */
export function countCommand(chains: readonly string[]): string {
  return `{ ${chains.map(chain => `iptables -w -nvxL ${chain} 2>/dev/null`).join('; ')}; :; }`
}

/** Packets that got lost, by chain; chains that are not there are left out. */
export function parseCounts(text: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  let chain = ''
  for (const line of text.split('\n')) {
    chain = /^Chain (\S+)/.exec(line)?.[1] ?? chain
    if (line.startsWith('Chain ')) counts.set(chain, 0)
    const lost = /^\s*(\d+)\s+\d+\s+(?:DROP|REJECT)\s/.exec(line)?.[1]
    if (lost !== undefined) counts.set(chain, (counts.get(chain) ?? 0) + Number(lost))
  }
  return counts
}
