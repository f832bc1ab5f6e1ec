/**
 * Addresses of nodes behind the fault proxy. Each node that opens connections has a listener of its own on every node that it connects to,
 * under a name that says who it is: FROM_2 for the broker 2, CONTROLLER_2 for what the node 2 asks of controllers. A broker finds its peers by
 * the listener that its own `inter.broker.listener.name` names, and controllers by the first of its own `controller.listener.names`, so each
 * directed pair has addresses that nobody else uses: who connects is known before a byte is said, also where all bytes are encrypted.
 *
 * Listeners of a node cannot be added while it runs, so it has them from the start for brokers that may join as well. Nobody connects to those until
 * the proxy gets links for such a broker, whose ports are known before.
 *
 * What is told to others (`advertised.listeners`, `controller.quorum.voters`) are ports of the proxy; nodes bind hidden ones.
 *
 * The same for processes, all on the loopback address of this machine, and for containers, whose hosts are names and whose ports inside are always
 * the same; only the ports of clients are those of the cluster.
 */
import type { LinkDescription, ProxyTopology } from '../../proxy/model.ts'
import { brokerIds, controllerIds, nodeIds, type ClusterSpec } from '../cluster.ts'
import { brokerPort, fullyGrown, hiddenClientPort, HOST, pairPorts } from '../ports.ts'
import { rolesOf, type NodeAddresses } from '../properties.ts'
import { traitsOf } from '../security/kinds.ts'

const brokerListener = (from: number) => `FROM_${from}`
const controllerListener = (from: number) => `CONTROLLER_${from}`

/** Where the parts of such a cluster are. */
export interface ProxiedPlaces {
  /** What nodes bind; empty: all their addresses. */
  readonly bindHost: string
  /** What the proxy binds. */
  readonly proxyBindHost: string
  /** Where nodes find the proxy. */
  readonly proxyHost: string
  /** Where the proxy finds a node. */
  readonly nodeHost: (id: number) => string
  /** The first of the ports that nodes and proxy have among themselves, as `ClusterSpec.port`. */
  readonly port: number
}

function onLoopback({ port }: ClusterSpec): ProxiedPlaces {
  return { bindHost: HOST, proxyBindHost: HOST, proxyHost: HOST, nodeHost: () => HOST, port }
}

export function proxiedAddresses(spec: ClusterSpec, id: number, places = onLoopback(spec)): NodeAddresses {
  const inside = { ...spec, port: places.port }
  const listenersOf = (kind: 'broker' | 'controller', sources: readonly number[]) =>
    sources.map(from => {
      const { proxy, node } = pairPorts(inside, { from, to: id, listener: kind })
      const name = kind === 'broker' ? brokerListener(from) : controllerListener(from)
      return { name, port: node, advertised: `${places.proxyHost}:${proxy}` }
    })
  const forClients = {
    name: traitsOf(spec.security).protocol,
    port: hiddenClientPort(inside, id),
    advertised: `${HOST}:${brokerPort(spec, id)}`,
  }
  const roles = rolesOf(spec, id)
  const most = fullyGrown(spec)
  // The first name is the one of this node's own connections; a node that is no controller has no use for the others.
  const sources = roles.includes('controller') ? [id, ...nodeIds(most).filter(other => other !== id)] : [id]
  return {
    bindHost: places.bindHost,
    listeners: [forClients, ...(roles.includes('broker') ? listenersOf('broker', brokerIds(most)) : [])],
    interBrokerListener: brokerListener(id),
    controllers: listenersOf('controller', sources),
    voters: controllerIds(spec).map(voter => {
      const { proxy } = pairPorts(inside, { from: id, to: voter, listener: 'controller' })
      return `${voter}@${places.proxyHost}:${proxy}`
    }),
  }
}

/** All links of such a cluster. */
export function proxyTopology(spec: ClusterSpec, places = onLoopback(spec)): ProxyTopology {
  const inside = { ...spec, port: places.port }
  const protocol: LinkDescription['protocol'] = traitsOf(spec.security).tls ? 'tls' : 'kafka'
  const listen = (port: number) => ({ host: places.proxyBindHost, port })
  const target = (id: number, port: number) => ({ host: places.nodeHost(id), port })
  const pair = (from: number, to: number, listener: 'broker' | 'controller'): LinkDescription => {
    const { proxy, node } = pairPorts(inside, { from, to, listener })
    return { from, to, listener, listen: listen(proxy), target: target(to, node), protocol }
  }
  const brokers = brokerIds(spec)
  return {
    links: [
      ...brokers.map(to => ({
        from: 'client' as const,
        to,
        listener: 'client' as const,
        listen: listen(brokerPort(inside, to)),
        target: target(to, hiddenClientPort(inside, to)),
        protocol,
      })),
      ...brokers.flatMap(from => brokers.map(to => pair(from, to, 'broker'))),
      ...nodeIds(spec).flatMap(from => controllerIds(spec).map(to => pair(from, to, 'controller'))),
    ],
  }
}
