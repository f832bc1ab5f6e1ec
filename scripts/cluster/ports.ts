/**
 * Which TCP ports a cluster takes, and whether they are free. Broker i listens for clients on port + i - 1, so that scripts can compute
 * it; the quorum's listeners are 100 above, the inspectors 200 above.
 */
import { randomInt } from 'node:crypto'
import { createServer, type Server } from 'node:net'
import { lacking } from '../errors.ts'
import { brokerIds, controllerIds, FIRST_CONTROLLER_ID, nodeIds } from './cluster.ts'
import type { ClusterSpec } from './cluster.ts'

export const HOST = '127.0.0.1'
const CONTROLLER_SHIFT = 100
const INSPECTOR_SHIFT = 200
const PROXY_SHIFT = 300
/** Highest distance from `port` of any port of a cluster without a fault proxy. */
const PORT_SPAN = 300

/** With a fault proxy every directed pair of nodes has ports of its own, so there is a limit. */
export const proxiedNodesMax = 9
const PAIRS = proxiedNodesMax * proxiedNodesMax
const PROXY_SPAN = proxiedNodesMax + 4 * PAIRS

/** Highest distance from `port` of any port of this cluster. */
export function portSpan({ proxy }: Pick<ClusterSpec, 'proxy'>): number {
  return proxy === true ? PROXY_SHIFT + PROXY_SPAN : PORT_SPAN
}

/** Client port of a broker. */
export function brokerPort(spec: ClusterSpec, id: number): number {
  return spec.port + id - 1
}

/** Port of the quorum's listener of a controller. */
export function controllerPort(spec: ClusterSpec, id: number): number {
  return spec.port + CONTROLLER_SHIFT + (id >= FIRST_CONTROLLER_ID ? id - FIRST_CONTROLLER_ID : id - 1)
}

/** Port of a node's read-only HTTP state; controller-only nodes follow the brokers, and brokers that joined later follow them. */
export function inspectorPort(spec: ClusterSpec, id: number): number {
  if (id >= FIRST_CONTROLLER_ID) return spec.port + INSPECTOR_SHIFT + spec.brokers + id - FIRST_CONTROLLER_ID
  return spec.port + INSPECTOR_SHIFT + id - 1 + (id > spec.brokers ? spec.controllers : 0)
}

/** Where a broker behind the fault proxy really listens for clients. */
export function hiddenClientPort(spec: ClusterSpec, id: number): number {
  return spec.port + PROXY_SHIFT + nodeIndex(spec, id)
}

/**
 * Ports of the connections from one node to another, to its broker or its controller listener: where the fault proxy listens and where the
 * node does.
 */
export function pairPorts(
  spec: ClusterSpec,
  { from, to, listener }: { readonly from: number; readonly to: number; readonly listener: 'broker' | 'controller' },
): { readonly proxy: number; readonly node: number } {
  const pair = nodeIndex(spec, from) * proxiedNodesMax + nodeIndex(spec, to)
  const first = spec.port + PROXY_SHIFT + proxiedNodesMax + (listener === 'broker' ? 0 : 2 * PAIRS) + 2 * pair
  return { proxy: first, node: first + 1 }
}

/**
 * With all brokers that may still join: nodes behind the fault proxy have listeners for those from the start, since no node that runs can be given one
 * more and be found there.
 */
export function fullyGrown(spec: ClusterSpec): ClusterSpec {
  return { ...spec, added: proxiedNodesMax - firstNodes(spec).length }
}

/** Those that it began with. */
function firstNodes(spec: ClusterSpec): number[] {
  return nodeIds({ ...spec, added: 0 })
}

/** The same however many have joined: they come last. */
function nodeIndex(spec: ClusterSpec, id: number): number {
  const first = firstNodes(spec)
  return id > spec.brokers && id < FIRST_CONTROLLER_ID ? first.length + id - spec.brokers - 1 : first.indexOf(id)
}

/** Every port the cluster takes on this machine, with what it is for. */
export function portsOf(spec: ClusterSpec): { port: number; use: string }[] {
  if (spec.runtime === 'compose' || spec.runtime === 'simulated') return publishedPorts(spec)
  if (spec.proxy === true) return proxiedPorts(spec)
  return [
    ...clientPorts(spec),
    ...controllerIds(spec).map(id => ({ port: controllerPort(spec, id), use: `the quorum at node ${id}` })),
  ]
}

/** Of containers and of a simulation only what leads out of it; the control of a proxy, or of the simulation, takes any port. */
function publishedPorts(spec: ClusterSpec): { port: number; use: string }[] {
  const clients = spec.proxy === true ? proxiedClientPorts(spec) : clientPorts(spec)
  return [
    ...clients,
    ...(spec.engine === 'faultline'
      ? nodeIds(spec).map(id => ({ port: inspectorPort(spec, id), use: `the inspector of node ${id}` }))
      : []),
  ]
}

function clientPorts(spec: ClusterSpec): { port: number; use: string }[] {
  return brokerIds(spec).map(id => ({ port: brokerPort(spec, id), use: `clients of broker ${id}` }))
}

/** The container of a proxy cannot be given more ports while it runs. */
function proxiedClientPorts(spec: ClusterSpec): { port: number; use: string }[] {
  return clientPorts(fullyGrown(spec)).map(({ port, use }, index) => ({
    port,
    use: index < brokerIds(spec).length ? use : `${use}, should it join`,
  }))
}

/** The listeners of nodes are all there from the start, those of the proxy when their node is. */
function proxiedPorts(spec: ClusterSpec): { port: number; use: string }[] {
  const most = fullyGrown(spec)
  const listeners = [
    { listener: 'broker', sources: brokerIds(most), served: brokerIds(spec) },
    { listener: 'controller', sources: nodeIds(most), served: controllerIds(spec) },
  ] as const
  const pairs = listeners.flatMap(({ listener, sources, served }) =>
    sources.flatMap(from =>
      served.flatMap(to => {
        const { proxy, node } = pairPorts(spec, { from, to, listener })
        const isThere = nodeIds(spec).includes(from)
        const use = `connections of node ${from}${isThere ? '' : ', should it join,'} to the ${listener} listener of node ${to}`
        return [...(isThere ? [{ port: proxy, use }] : []), { port: node, use }]
      }),
    ),
  )
  return [
    ...clientPorts(spec),
    ...brokerIds(spec).map(id => ({ port: hiddenClientPort(spec, id), use: `clients of broker ${id}, by the proxy` })),
    ...pairs,
  ]
}

/** True when nobody listens there: the port can be bound on the loopback address. */
export function portIsFree(port: number): Promise<boolean> {
  return bind(port).then(server => {
    if (server === undefined) return false
    return new Promise(resolve => server.close(() => resolve(true)))
  })
}

/** Undefined when somebody else listens there. */
function bind(port: number): Promise<Server | undefined> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen({ host: HOST, port, exclusive: true }, () => resolve(server))
  })
}

/** Refuses, naming the taken ports and a range that is free. */
export async function requireFreePorts(spec: ClusterSpec): Promise<void> {
  const taken = await takenPorts(spec)
  if (taken.length === 0) return
  const list = taken.map(({ port, use }) => `${port} (${use})`).join(', ')
  // Only a hint: where no free range is found, any other number is as good.
  const free = await freeBasePort(spec).catch(() => 19_092)
  throw lacking(
    `Port taken on ${HOST}: ${list}.`,
    `Stop what listens there (ss -ltnp shows it; ./faultline down, if it is another cluster), or use other ports: --port ${free}`,
  )
}

async function takenPorts(spec: ClusterSpec): Promise<{ port: number; use: string }[]> {
  const ports = portsOf(spec)
  const free = await Promise.all(ports.map(({ port }) => portIsFree(port)))
  return ports.filter((_, index) => free[index] === false)
}

/**
 * Ranges of ports that are handed out, below those that systems use for outgoing connections. Clusters with a fault proxy have longer ones, so
 * they have an area of their own and no two ranges overlap.
 */
const areas = {
  plain: { first: 10_000, size: 320, count: 50 },
  proxied: { first: 26_000, size: 640, count: 9 },
} as const
/** A port that no cluster uses, between controllers and inspectors: who listens there has the range. */
const GUARD = 150

/** Ranges that this process has; the system takes them back when it ends, however it ends. */
const claimed = new Map<number, Server>()

/**
 * A base port whose whole span is free, claimed for this process: no other one of ours gets the same range, although nodes bind their ports only
 * later. Held until `releasePorts`, or the end of the process.
 */
export async function claimBasePort(spec: ClusterSpec): Promise<number> {
  const { first, size, count } = spec.proxy === true ? areas.proxied : areas.plain
  const start = randomInt(count)
  for (let step = 0; step < count; step++) {
    const port = first + ((start + step) % count) * size
    const guard = await bind(port + GUARD)
    if (guard === undefined) continue
    if ((await takenPorts({ ...spec, port })).length === 0) {
      guard.unref()
      claimed.set(port, guard)
      return port
    }
    guard.close()
  }
  throw lacking(
    `All ${count} ranges of ports from ${first} to ${first + size * count} are taken.`,
    'End some clusters, or give a range yourself: --port N',
  )
}

/** Lets others have a range that `claimBasePort` gave to this process. */
export function releasePorts(port: number): void {
  claimed.get(port)?.close()
  claimed.delete(port)
}

/** A base port for others to use: its span is free at this moment. */
export async function freeBasePort(spec: ClusterSpec): Promise<number> {
  const port = await claimBasePort(spec)
  releasePorts(port)
  return port
}
