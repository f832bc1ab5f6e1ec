/** Where nodes that are containers listen, and where they are found: by names in their network, by ports of the loopback address from this machine. */
import type { ClusterSpec } from '../cluster.ts'
import { controllerIds, FIRST_CONTROLLER_ID } from '../cluster.ts'
import { brokerPort, HOST } from '../ports.ts'
import { proxiedAddresses, type ProxiedPlaces } from '../process/proxied-addresses.ts'
import type { NodeAddresses } from '../properties.ts'
import { traitsOf } from '../security/kinds.ts'

export const CLIENT_PORT = 9092
export const CONTROLLER_PORT = 9093
export const NETWORK_PORT = 19092
/** The service of the fault proxy, and its host name. */
export const proxyService = 'proxy'

/** broker-1 … , controller-1 … : the names by which containers reach each other. */
export function serviceName(spec: ClusterSpec, id: number): string {
  return spec.controllers > 0 && id >= FIRST_CONTROLLER_ID
    ? `controller-${id - FIRST_CONTROLLER_ID + 1}`
    : `broker-${id}`
}

/** Of the listener for the containers' network, and of the one for clients on this machine. */
export function listenerNames(spec: ClusterSpec): readonly [inNetwork: string, onHost: string] {
  const { protocol } = traitsOf(spec.security)
  return [protocol, `${protocol}_HOST`]
}

export function containerPlaces(spec: ClusterSpec): ProxiedPlaces {
  return {
    bindHost: '',
    proxyBindHost: '0.0.0.0',
    proxyHost: proxyService,
    nodeHost: id => serviceName(spec, id),
    port: 20_000,
  }
}

export function containerAddresses(spec: ClusterSpec, id: number): NodeAddresses {
  if (spec.proxy === true) return proxiedAddresses(spec, id, containerPlaces(spec))
  const name = serviceName(spec, id)
  const [inNetwork, onHost] = listenerNames(spec)
  return {
    bindHost: '',
    listeners: [
      { name: inNetwork, port: NETWORK_PORT, advertised: `${name}:${NETWORK_PORT}` },
      { name: onHost, port: CLIENT_PORT, advertised: `${HOST}:${brokerPort(spec, id)}` },
    ],
    interBrokerListener: inNetwork,
    controllers: [{ name: 'CONTROLLER', port: CONTROLLER_PORT }],
    voters: controllerIds(spec).map(voter => `${voter}@${serviceName(spec, voter)}:${CONTROLLER_PORT}`),
  }
}
