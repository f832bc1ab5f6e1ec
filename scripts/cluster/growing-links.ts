/** The links of a fault proxy that is at work, for nodes that come and for nodes that go again. */
import { failure } from '../errors.ts'
import { linkName, type ClusterLinks, type FaultRequest, type LinkState, type ProxyControl } from '../proxy/model.ts'
import type { ClusterSpec, Progress } from './cluster.ts'

export interface LinksStart {
  /** Of links, at work before anybody finds the proxy running; one that runs already gets none of them. */
  readonly faults?: readonly FaultRequest[]
  readonly signal?: AbortSignal | undefined
}

/** The fault proxy of a cluster that can grow. */
export interface GrowingLinks extends ClusterLinks {
  /** One command at a time: whoever comes second waits, and finds it running. */
  start(options?: LinksStart): Promise<void>
  /** It gets the links that the cluster has as it is now, and it has not. Connections, faults and other links stay as they are. */
  complete(): Promise<void>
  /** It has no link from or to these nodes any more. */
  drop(nodes: readonly number[]): Promise<void>
}

/** Refuses, before anything is changed, where new links would find no proxy. */
export async function requireRunning(links: ClusterLinks | undefined, name: string): Promise<void> {
  if (links === undefined || (await links.status()).state === 'running') return
  throw failure(
    `The fault proxy of ${name} does not run: a broker that joins would reach no other.`,
    `./faultline fault heal --all --name ${name} starts it again.`,
  )
}

/** Links for brokers that are about to start. */
export async function growLinks(links: GrowingLinks, nodes: readonly number[], progress: Progress | undefined) {
  await links.complete()
  const faults = await links.faults()
  if (faults.length === 0) return
  const list = faults.map(({ id }) => id).join(', ')
  progress?.(`${list}: on the links that there were, and on none of broker ${nodes.join(', ')}`)
}

/** Before a node starts: without its proxy it would reach no other. It has the faults of links that the cluster is made with. */
export async function startLinks(
  links: GrowingLinks | undefined,
  { links: faults = [], added = 0 }: ClusterSpec,
  signal?: AbortSignal,
): Promise<void> {
  await links?.start({ faults, signal })
  // A command that let brokers join may have been cut off before it had links for them.
  if (added > 0) await links?.complete()
}

export async function dropLinks(proxy: ProxyControl, nodes: readonly number[]): Promise<void> {
  const isTheirs = ({ from, to }: LinkState) => nodes.includes(to) || (from !== 'client' && nodes.includes(from))
  const names = (await proxy.links()).filter(isTheirs).map(linkName)
  if (names.length > 0) await proxy.removeLinks(names)
}
