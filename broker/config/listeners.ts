/** `NAME://host:port` lists and `id@host:port` voters, and which listener serves what. */
import type { Address } from '../environment/environment.ts'
import type { Voter } from '../raft/raft.ts'
import type { BrokerConfig } from './broker-config.ts'
import { ConfigError } from './table.ts'

export type SecurityProtocol = 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL'

export interface ListenerConfig extends Address {
  readonly name: string
  readonly securityProtocol: SecurityProtocol
}

/** ids of org.apache.kafka.common.security.auth.SecurityProtocol, as registrations carry them. */
export const securityProtocolIds: Readonly<Record<SecurityProtocol, number>> = {
  PLAINTEXT: 0,
  SSL: 1,
  SASL_PLAINTEXT: 2,
  SASL_SSL: 3,
}

export const usesTls = (protocol: SecurityProtocol): boolean => protocol === 'SSL' || protocol === 'SASL_SSL'
export const usesSasl = (protocol: SecurityProtocol): boolean =>
  protocol === 'SASL_PLAINTEXT' || protocol === 'SASL_SSL'

function hostAndPort(setting: string, text: string): Address {
  const match = /^(\[[^\]]*\]|[^:]*):(\d+)$/.exec(text)
  const port = Number(match?.[2])
  if (match === null || port > 65_535) throw new ConfigError(setting, `${setting}: expected host:port, got "${text}"`)
  return { host: (match[1] ?? '').replaceAll(/[[\]]/g, ''), port }
}

function protocols(config: BrokerConfig): Map<string, SecurityProtocol> {
  const result = new Map<string, SecurityProtocol>()
  for (const entry of config['listener.security.protocol.map']) {
    const [name = '', protocol = ''] = entry.split(':').map(part => part.trim().toUpperCase())
    if (securityProtocolIds[protocol as SecurityProtocol] === undefined)
      throw new ConfigError(
        'listener.security.protocol.map',
        `listener.security.protocol.map: unknown protocol in "${entry}"`,
      )
    result.set(name, protocol as SecurityProtocol)
  }
  return result
}

function parseList(config: BrokerConfig, setting: 'listeners' | 'advertised.listeners'): ListenerConfig[] {
  const known = protocols(config)
  return config[setting].map(text => {
    const match = /^([A-Za-z][\w-]*):\/\/(.*)$/.exec(text)
    if (match === null) throw new ConfigError(setting, `${setting}: expected NAME://host:port, got "${text}"`)
    const name = (match[1] ?? '').toUpperCase()
    const securityProtocol = known.get(name)
    if (securityProtocol === undefined)
      throw new ConfigError(setting, `${setting}: listener ${name} has no entry in listener.security.protocol.map`)
    return { name, securityProtocol, ...hostAndPort(setting, match[2] ?? '') }
  })
}

/** An id@host:port entry of controller.quorum.voters. */
function parseVoter(text: string): Voter {
  const match = /^(\d+)@(.+)$/.exec(text)
  if (match === null)
    throw new ConfigError('controller.quorum.voters', `controller.quorum.voters: expected id@host:port, got "${text}"`)
  return { id: Number(match[1]), address: hostAndPort('controller.quorum.voters', match[2] ?? '') }
}

export const parseVoters = (config: BrokerConfig): Voter[] => config['controller.quorum.voters'].map(parseVoter)

export interface Listeners {
  /** What this node binds, broker listeners only; empty for a controller. */
  readonly broker: readonly ListenerConfig[]
  readonly controller: readonly ListenerConfig[]
  /** What is registered and told to clients. */
  readonly advertised: readonly ListenerConfig[]
  readonly interBrokerName: string
  /** Protocols of the listeners that nodes use among themselves: between brokers, and to controllers. */
  readonly interBrokerProtocol: SecurityProtocol
  readonly controllerName: string
  readonly controllerProtocol: SecurityProtocol
}

const anyHost = new Set(['', '0.0.0.0', '::'])

/** One port may serve an address of IPv4 and one of IPv6. */
function samePort(one: Address, other: Address): boolean {
  if (one === other) return true
  return one.port !== 0 && one.port === other.port && isIpv6(one) === isIpv6(other)
}

const isIpv6 = ({ host }: Address): boolean => host.includes(':')

/** Which listener serves what; throws ConfigError on a combination that cannot work. */
export function resolveListeners(config: BrokerConfig): Listeners {
  const isBroker = config['process.roles'].includes('broker')
  const isController = config['process.roles'].includes('controller')
  const controllerNames = config['controller.listener.names'].map(name => name.toUpperCase())
  const all = parseList(config, 'listeners')
  const duplicate = all.find((listener, index) => all.findIndex(other => other.name === listener.name) !== index)
  if (duplicate !== undefined) throw new ConfigError('listeners', `listeners: ${duplicate.name} is there twice`)
  const shared = all.find((listener, index) => all.findIndex(other => samePort(listener, other)) !== index)
  if (shared !== undefined)
    throw new ConfigError(
      'listeners',
      `listeners: Each listener must have a different port, ${shared.port} is there twice`,
    )
  const controller = isController ? all.filter(listener => controllerNames.includes(listener.name)) : []
  const broker = isBroker ? all.filter(listener => !controllerNames.includes(listener.name)) : []
  if (isController && controller.length === 0)
    throw new ConfigError('listeners', `listeners: a controller needs a listener named ${controllerNames.join(' or ')}`)
  if (isBroker && broker.length === 0)
    throw new ConfigError('listeners', 'listeners: a broker needs a listener for clients')
  const declared = parseList(config, 'advertised.listeners').filter(
    listener => !controllerNames.includes(listener.name),
  )
  const advertised = (declared.length > 0 ? declared : broker).map(listener =>
    anyHost.has(listener.host) ? { ...listener, host: 'localhost' } : listener,
  )
  const interBrokerName = (
    config['inter.broker.listener.name'] || config['security.inter.broker.protocol']
  ).toUpperCase()
  if (isBroker && !advertised.some(listener => listener.name === interBrokerName))
    throw new ConfigError(
      'inter.broker.listener.name',
      `inter.broker.listener.name: no advertised listener is named ${interBrokerName}`,
    )
  const known = protocols(config)
  const protocolOf = (name: string): SecurityProtocol => {
    const protocol = known.get(name)
    if (protocol !== undefined) return protocol
    throw new ConfigError(
      'listener.security.protocol.map',
      `listener.security.protocol.map: listener ${name} has no entry`,
    )
  }
  const [controllerName = 'CONTROLLER'] = controllerNames
  return {
    broker,
    controller,
    advertised,
    interBrokerName,
    interBrokerProtocol: isBroker ? protocolOf(interBrokerName) : 'PLAINTEXT',
    controllerName,
    controllerProtocol: protocolOf(controllerName),
  }
}
