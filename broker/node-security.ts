/** The security of one node: what its listeners ask for, what it shows to others, and how both follow settings that change while it runs (KIP-226). */
import type { BrokerConfig } from './config/broker-config.ts'
import type { ListenerConfig, Listeners } from './config/listeners.ts'
import { ConfigError } from './config/table.ts'
import type { MetadataImage } from './controller/image.ts'
import type { UserScramCredentialRecord } from './controller/metadata-record.ts'
import { NetworkError, type Environment } from './environment/environment.ts'
import type { Server, ServerSecurity } from './net/listener.ts'
import type { PeerSecurity } from './net/peer-security.ts'
import { CredentialStore } from './security/authentication/credential-store.ts'
import { listenerSecurity, ListenerSecurity } from './security/authentication/listener-security.ts'
import { Peer } from './security/authentication/peer.ts'
import { scramUsers } from './security/authentication/scram-users.ts'
import { StartupError } from './startup-error.ts'

export interface NodeSecurityOptions {
  readonly environment: Environment
  readonly config: BrokerConfig
  readonly listeners: Listeners
  readonly metadata: () => MetadataImage
}

export class NodeSecurity {
  /** Users of bootstrap.scram.credentials, for a cluster that is new. */
  readonly bootstrapUsers: readonly UserScramCredentialRecord[]
  readonly #environment: Environment
  readonly #credentials: CredentialStore
  readonly #listeners: Map<string, ListenerSecurity>
  readonly #controllers: Peer
  readonly #brokers: Peer | undefined

  /** @throws StartupError when the settings cannot work */
  constructor({ environment, config, listeners, metadata }: NodeSecurityOptions) {
    this.#environment = environment
    const { clock, random } = environment
    const tokenSecret = config['delegation.token.secret.key']
    const credentials = new CredentialStore({ metadata, clock, random, tokenSecret })
    this.#credentials = credentials
    const { interBrokerName, interBrokerProtocol, controllerName, controllerProtocol } = listeners
    try {
      this.bootstrapUsers = scramUsers(config['bootstrap.scram.credentials'], random)
      this.#listeners = listenerSecurity(config, listeners, { environment, credentials })
      const controllers = { listener: controllerName, protocol: controllerProtocol }
      this.#controllers = new Peer(environment, config, {
        ...controllers,
        mechanism: 'sasl.mechanism.controller.protocol',
      })
      const brokers = { listener: interBrokerName, protocol: interBrokerProtocol }
      this.#brokers =
        listeners.broker.length === 0
          ? undefined
          : new Peer(environment, config, { ...brokers, mechanism: 'sasl.mechanism.inter.broker.protocol' })
    } catch (error) {
      if (error instanceof ConfigError) throw new StartupError(`configuration: ${error.message}`, error)
      throw error
    }
  }

  get server(): Pick<ServerSecurity, 'tls' | 'authenticate'> {
    return {
      tls: ({ name }) => this.#listeners.get(name)?.tls(),
      authenticate: ({ name }, connection) => this.#listeners.get(name)?.authenticate(connection),
    }
  }

  get toControllers(): PeerSecurity {
    return this.#controllers
  }

  get toBrokers(): PeerSecurity {
    return this.#brokers ?? {}
  }

  /** A listener that comes later. Throws ConfigError. */
  add(listener: ListenerConfig, config: BrokerConfig): void {
    const options = { environment: this.#environment, credentials: this.#credentials }
    this.#listeners.set(listener.name, new ListenerSecurity(config, listener, options))
  }

  /** A listener that is gone. */
  remove(name: string): void {
    this.#listeners.delete(name)
  }

  /** Why a listener of this node could not use these settings; undefined when all could. */
  refusalOf(config: BrokerConfig): string | undefined {
    for (const [name, security] of this.#listeners) {
      try {
        security.check(config)
      } catch (error) {
        if (!(error instanceof ConfigError) && !(error instanceof NetworkError)) throw error
        return `Listener ${name} cannot use these settings: ${error.message}`
      }
    }
    return undefined
  }

  /** Other settings, or the same ones with other files behind them. What cannot be used changes nothing, and the log says why. */
  reconfigure(config: BrokerConfig, server: Server): void {
    for (const [name, security] of this.#listeners) {
      this.#attempt(`listener ${name}`, () => {
        security.update(config)
        const tls = security.tls()
        if (tls !== undefined) server.renewTls(name, tls)
      })
    }
    for (const peer of [this.#controllers, this.#brokers])
      this.#attempt('connections to other nodes', () => peer?.update(config))
  }

  #attempt(what: string, change: () => void): void {
    try {
      change()
    } catch (error) {
      if (!(error instanceof ConfigError) && !(error instanceof NetworkError)) throw error
      this.#environment.log.error('security settings could not be applied; the former ones stay', {
        for: what,
        reason: error.message,
      })
    }
  }
}
