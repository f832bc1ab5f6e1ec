/**
 * The words of the fault proxy: links, faults, and what whoever controls it may ask. Types only; the process (`proxy.ts`), its client over
 * HTTP (`client.ts`) and the commands share them.
 *
 * A link is directed and named after who opens the connections: `2->1` are the connections that node 2 opens to node 1, `client->1` those of
 * clients. On a link, `request` is the way of the one who opened it, `response` the way back.
 */

import type { ParameterValue } from '#broker/environment/faulty/parameters.ts'
import type { Probe, ProbeOptions } from './probe.ts'

export type { ParameterValue }

export type LinkSource = number | 'client'
/** Which listener of the target node a link leads to. */
export type ListenerKind = 'client' | 'broker' | 'controller'
export const listenerKinds: readonly ListenerKind[] = ['client', 'broker', 'controller']
/** Which way bytes go. */
export type Way = 'request' | 'response'
export const ways: readonly Way[] = ['request', 'response']

export interface Address {
  readonly host: string
  readonly port: number
}

export interface LinkDescription {
  readonly from: LinkSource
  /** Node id. */
  readonly to: number
  readonly listener: ListenerKind
  /** Where the proxy listens: what the source is told to connect to. */
  readonly listen: Address
  /** Where the node listens. */
  readonly target: Address
  /** 'tls': the proxy sees bytes and no requests. */
  readonly protocol: 'kafka' | 'tls'
}

/** All links of a cluster. Made by the runtime; the proxy knows no other source of addresses. */
export interface ProxyTopology {
  readonly links: readonly LinkDescription[]
}

/** `2->1`, with the listener where it is not the one of brokers: `client->1`, `2->1/controller`. */
export function linkName({ from, to, listener }: Pick<LinkDescription, 'from' | 'to' | 'listener'>): string {
  return listener === 'controller' ? `${from}->${to}/controller` : `${from}->${to}`
}

/** A fault as somebody asks for it; what is left out has the default of its kind. */
export interface FaultRequest {
  readonly kind: string
  /** Node ids, `client`, or `all`. */
  readonly from: readonly (LinkSource | 'all')[]
  /** Node ids or `all`; `client` only where a partition keeps clients from hearing a node. */
  readonly to: readonly (LinkSource | 'all')[]
  /** Left out: every listener that the source uses. */
  readonly listener?: ListenerKind | undefined
  readonly parameters?: Readonly<Record<string, ParameterValue>> | undefined
}

/** A fault at work. */
export interface FaultState {
  /** `latency-3`: what heals it. */
  readonly id: string
  readonly name: string
  /** One English line with targets and parameters. */
  readonly summary: string
  readonly links: readonly string[]
  readonly parameters: Readonly<Record<string, ParameterValue>>
  /** How often it changed something: connections refused, pieces delayed, requests dropped. */
  readonly hits: number
  /** Requests or responses that wait for `release`. */
  readonly held: number
  /** Matched, but could not be carried out: an error that the response has no place for, a frame that is too large. */
  readonly missed: number
}

export interface LinkState extends LinkDescription {
  readonly name: string
  readonly connections: number
  /** Connections that were accepted since the start. */
  readonly accepted: number
  /** Bytes that came in, by way. */
  readonly bytes: Readonly<Record<Way, number>>
  /** Requests that came in, by name of the API; empty on TLS. */
  readonly requests: Readonly<Record<string, number>>
  /** What the sources called themselves (`client.id`), the newest last. */
  readonly clientIds: readonly string[]
}

/** What can be asked of a proxy, in this process or over HTTP. */
export interface FaultControl {
  links(): Promise<readonly LinkState[]>
  faults(): Promise<readonly FaultState[]>
  /** Refuses with a ToolkitError what cannot be meant. Resolves when the fault is at work on every connection. */
  add(request: FaultRequest): Promise<FaultState>
  /** Undoes faults; unknown ids are an error. Resolves when traffic flows as before. */
  heal(ids: readonly string[] | 'all'): Promise<readonly FaultState[]>
  /** Lets go what a fault of the kind `hold` holds at this moment; the fault stays. @returns how many */
  release(id: string): Promise<number>
  /** Opens a connection of its own through a link, from where the proxy is, and tells what became of it. */
  probe(link: string, options: ProbeOptions): Promise<Probe>
}

/** What only whoever runs the proxy asks of it: its links, while it is at work. */
export interface ProxyControl extends FaultControl {
  /**
   * More links, for nodes that join: all of them, or none and an error. Connections and faults stay as they are, and no fault is at work on a link that
   * came after it. Links that are there already, as described, are left alone.
   *
   * @returns the ones that are new, when they listen
   */
  addLinks(links: readonly LinkDescription[]): Promise<readonly LinkState[]>
  /** Ends links and the connections through them; unknown names are an error. A fault that is at work on no other link ends, too. */
  removeLinks(names: readonly string[]): Promise<void>
}

export interface ProxyStatus {
  /** 'dead': it has ended by itself, and no node reaches another one. */
  readonly state: 'running' | 'stopped' | 'dead'
  readonly pid?: number
  readonly container?: string
  /** File, or the command that shows it. */
  readonly log: string
  /** Base URL of its control interface. */
  readonly control?: string
}

/** The fault proxy of a cluster: what can be asked of it, and its process. */
export interface ClusterLinks extends FaultControl {
  /** True: its links are in a network of their own, and only the proxy itself can probe them. */
  readonly isRemote?: boolean
  status(): Promise<ProxyStatus>
  /** Starts it when it does not run; nothing is at work then. */
  start(): Promise<void>
}
