/**
 * The fault proxy: every link of a cluster, and the faults at work on them. Runs in a process of its own for a cluster of processes
 * (`main.ts`), or in whatever process wants one.
 */
import { seededRandom } from '../cluster/random.ts'
import { lacking, messageOf, usageError } from '../errors.ts'
import { untilAllEnded } from '../settle.ts'
import { wayBehaviour } from './byte-faults.ts'
import { completeParameters, linkFaultKind, type LinkFaultKind } from './kinds.ts'
import type { LinkPlan } from './link-plan.ts'
import { Link } from './link.ts'
import type { FaultRequest, FaultState, LinkDescription, LinkState, ProxyControl, ProxyTopology, Way } from './model.ts'
import { linkName, ways } from './model.ts'
import type { WayFault } from './outlet.ts'
import type { Parameters } from './parameters.ts'
import { probe, type Probe, type ProbeOptions } from './probe.ts'
import { RequestFault } from './request-faults.ts'
import { selectLinks, type SelectedLink } from './select-links.ts'

/** Where a proxy in a container listens. */
const everyAddress = '0.0.0.0'

interface LinkFault {
  readonly id: string
  readonly kind: LinkFaultKind
  readonly parameters: Parameters
  readonly summary: string
  /** The links that it was added to, without those that have gone since. */
  targets: readonly SelectedLink[]
  readonly requests: RequestFault | undefined
  /** Of bytes, by link and way: some have a state of their own. */
  readonly bytes: Map<string, WayFault>
  hits: number
  /** Begun: no plan of a link has it any more. Done: the links have had their new plans. */
  healing: 'no' | 'begun' | 'done'
}

export class FaultProxy implements ProxyControl {
  #links: readonly Link[]
  #faults: readonly LinkFault[] = []
  #nextNumber = 1
  /** Changes come one after the other: a link cannot close and open its port at once. */
  #change: Promise<unknown> = Promise.resolve()

  constructor(topology: ProxyTopology) {
    this.#links = topology.links.map(description => new Link(description))
  }

  /** Resolves when every link listens; rejects, with nothing left open, when one cannot. */
  async listen(): Promise<void> {
    await allListen(this.#links)
  }

  async close(): Promise<void> {
    await Promise.all(this.#links.map(link => link.close()))
  }

  links(): Promise<readonly LinkState[]> {
    return Promise.resolve(this.#links.map(link => link.state()))
  }

  async addLinks(descriptions: readonly LinkDescription[]): Promise<readonly LinkState[]> {
    return await this.#inTurn(async () => {
      const fresh = new Map<string, Link>()
      for (const description of descriptions) {
        const link = new Link(description)
        const same = fresh.get(link.name) ?? this.#links.find(({ name }) => name === link.name)
        if (same === undefined) fresh.set(link.name, link)
        else requireSame(same.description, description)
      }
      const links = [...fresh.values()]
      await allListen(links)
      this.#links = [...this.#links, ...links]
      return links.map(link => link.state())
    })
  }

  async removeLinks(names: readonly string[]): Promise<void> {
    await this.#inTurn(async () => {
      const gone = new Set(names.map(name => this.#link(name)))
      this.#links = this.#links.filter(link => !gone.has(link))
      await Promise.all([...gone].map(link => link.close()))
      for (const fault of this.#faults) fault.targets = fault.targets.filter(({ link }) => !names.includes(link))
      const idle = this.#faults.filter(({ targets }) => targets.length === 0)
      this.#remove(idle)
      for (const { requests } of idle) requests?.heal()
    })
  }

  faults(): Promise<readonly FaultState[]> {
    return Promise.resolve(this.#atWork().map(stateOf))
  }

  async add(request: FaultRequest): Promise<FaultState> {
    const kind = linkFaultKind(request.kind)
    const parameters = completeParameters(kind, request.parameters ?? {})
    const targets = selectLinks(
      this.#links.map(link => link.description),
      { ...request, kind: kind.name, parameters },
    )
    if (kind.works === 'requests') this.#requireKafka(kind, targets)
    const id = `${kind.name}-${this.#nextNumber++}`
    const random = seededRandom(Number(parameters['seed'] ?? 1))
    const fault: LinkFault = {
      id,
      kind,
      parameters,
      summary: summaryOf(kind, request, parameters),
      targets,
      requests: RequestFault.of(id, kind.name, parameters, random),
      bytes: new Map(),
      hits: 0,
      healing: 'no',
    }
    for (const { link, ways: affected } of targets) {
      for (const way of affected) {
        const behaviour = wayBehaviour(kind.name, parameters, random)
        if (behaviour !== undefined) fault.bytes.set(`${link} ${way}`, { behaviour, hit: () => void fault.hits++ })
      }
    }
    this.#faults = [...this.#faults, fault]
    try {
      await this.#layOut([fault])
    } catch (error) {
      this.#remove([fault])
      // The link that could not listen cannot now, either.
      await this.#layOut([fault]).catch(() => undefined)
      throw error
    }
    return stateOf(fault)
  }

  async heal(ids: readonly string[] | 'all'): Promise<readonly FaultState[]> {
    const healed = ids === 'all' ? this.#atWork() : ids.map(id => this.#find(id))
    for (const fault of healed) fault.healing = 'begun'
    let problem: unknown
    try {
      await this.#layOut(healed)
    } catch (error) {
      problem = error
    }
    for (const fault of healed) {
      fault.healing = 'done'
      fault.requests?.heal()
    }
    if (problem !== undefined) throw this.#leftOver(healed, problem)
    return healed.map(stateOf)
  }

  release(id: string): Promise<number> {
    const fault = this.#find(id)
    if (fault.requests?.action.do !== 'hold')
      throw usageError(`The fault ${id} holds nothing.`, 'Only faults of the kind hold can be released.')
    return Promise.resolve(fault.requests.release())
  }

  probe(name: string, options: ProbeOptions): Promise<Probe> {
    const { host, port } = this.#link(name).description.listen
    return probe({ host: host === everyAddress ? '127.0.0.1' : host, port }, options)
  }

  #link(name: string): Link {
    const link = this.#links.find(candidate => candidate.name === name)
    if (link !== undefined) return link
    throw usageError(`There is no link ${name}.`)
  }

  #find(id: string): LinkFault {
    const fault = this.#atWork().find(candidate => candidate.id === id)
    if (fault !== undefined) return fault
    throw usageError(`There is no fault ${id} at work on the links.`)
  }

  #requireKafka(kind: LinkFaultKind, targets: readonly SelectedLink[]): void {
    const hidden = this.#links.find(link => !link.isKafka && targets.some(({ link: name }) => name === link.name))
    if (hidden === undefined) return
    throw usageError(
      `The fault ${kind.name} reads requests, but the link ${hidden.name} is encrypted (TLS): the proxy has no keys, and sees bytes only.`,
      'Use a fault that works on bytes (latency, partition, cut …), or a cluster with --security none or sasl.',
    )
  }

  /** A cut that was healed is over when its links listen: until then they refuse connections as before. */
  #atWork(): readonly LinkFault[] {
    const dead = new Set(this.#links.filter(link => link.lacksPort).map(({ name }) => name))
    const isOver = ({ healing, kind, targets }: LinkFault) =>
      healing === 'done' && !(kind.name === 'cut' && targets.some(({ link }) => dead.has(link)))
    this.#faults = this.#faults.filter(fault => !isOver(fault))
    return this.#faults
  }

  /** What to throw where a link cannot listen although its faults were healed. */
  #leftOver(healed: readonly LinkFault[], reason: unknown): unknown {
    const left = this.#atWork().find(fault => healed.includes(fault))
    if (left === undefined) return reason
    return lacking(
      `The fault ${left.id} is healed, and its link refuses connections all the same. ${messageOf(reason)}`,
      'Stop what listens there (ss -ltnp shows it): then the link listens by itself, and the fault is over.',
      reason,
    )
  }

  #remove(gone: readonly LinkFault[]): void {
    this.#faults = this.#faults.filter(fault => !gone.includes(fault))
  }

  /** Makes the plans of the links of these faults anew. Rejects, when all others have theirs, where one cannot listen. */
  async #layOut(changed: readonly LinkFault[]): Promise<void> {
    const names = new Set(changed.flatMap(({ targets }) => targets.map(({ link }) => link)))
    const links = () => this.#links.filter(({ name }) => names.has(name))
    await this.#inTurn(() => untilAllEnded(links().map(link => link.apply(this.#plan(link.name)))))
  }

  async #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const done = this.#change.then(change)
    // Whoever comes next waits for this one, and hears nothing of its failure.
    this.#change = done.catch(() => undefined)
    return await done
  }

  #plan(link: string): LinkPlan {
    const mine = this.#faults.filter(
      ({ healing, targets }) => healing === 'no' && targets.some(target => target.link === link),
    )
    const named = (name: string) => mine.filter(({ kind }) => kind.name === name)
    const [cut] = named('cut')
    // Of several, the strictest.
    const [reset] = named('reset').sort((a, b) => Number(a.parameters['after']) - Number(b.parameters['after']))
    const bytesOn = (way: Way) => mine.flatMap(({ bytes }) => bytes.get(`${link} ${way}`) ?? [])
    const requestsOn = (way: Way) => mine.flatMap(({ requests }) => (requests?.way === way ? [requests] : []))
    return {
      refusal: cut && { hit: () => void cut.hits++ },
      reset: reset && { afterMs: Number(reset.parameters['after']), hit: () => void reset.hits++ },
      bytes: { request: bytesOn('request'), response: bytesOn('response') },
      requests: { request: requestsOn('request'), response: requestsOn('response') },
    }
  }
}

/** Resolves when all listen; rejects, with none of them left open, when one cannot. */
async function allListen(links: readonly Link[]): Promise<void> {
  const started = await Promise.allSettled(links.map(link => link.listen()))
  const failed = started.find(result => result.status === 'rejected')
  if (failed === undefined) return
  await Promise.all(links.map(link => link.close()))
  throw failed.reason
}

/** A link that was asked for is one that is there; a port of 0 is any. */
function requireSame(there: LinkDescription, wanted: LinkDescription): void {
  const port = wanted.listen.port === 0 ? there.listen.port : wanted.listen.port
  const isSame =
    there.listen.host === wanted.listen.host &&
    there.listen.port === port &&
    there.target.host === wanted.target.host &&
    there.target.port === wanted.target.port &&
    there.protocol === wanted.protocol
  if (isSame) return
  const words = ({ listen, target, protocol }: LinkDescription) =>
    `${listen.host}:${listen.port} to ${target.host}:${target.port} (${protocol})`
  throw usageError(
    `The link ${linkName(wanted)} is there already, from ${words(there)}, not from ${words(wanted)}.`,
    'A link that is to be another one has to be removed first: DELETE /links',
  )
}

function stateOf({ id, kind, parameters, summary, targets, requests, hits }: LinkFault): FaultState {
  return {
    id,
    name: kind.name,
    summary,
    links: targets.map(({ link, ways: affected }) =>
      affected.length === ways.length ? link : `${link} ${affected[0]}`,
    ),
    parameters,
    hits: requests?.hits ?? hits,
    held: requests?.held ?? 0,
    missed: requests?.missed ?? 0,
  }
}

/** `latency 1 -> 2 (delay 100, distribution uniform)`; what was left out and means nothing special is not said. */
function summaryOf(kind: LinkFaultKind, { from, to, listener }: FaultRequest, parameters: Parameters): string {
  const said = kind.parameters
    .filter(({ name, default: usual }: { readonly name: string; readonly default?: unknown }) => {
      return parameters[name] !== undefined && parameters[name] !== usual
    })
    .map(({ name }) => `${name} ${String(parameters[name])}`)
  const where = listener === undefined ? '' : ` at the ${listener} listener`
  const arrow = parameters['both'] === true ? '<->' : '->'
  return `${kind.name} ${from.join(',')} ${arrow} ${to.join(',')}${where}${said.length === 0 ? '' : ` (${said.join(', ')})`}`
}
