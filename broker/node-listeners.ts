/**
 * The listeners of clients and brokers of one node: bound when it starts, added and removed while it runs (KIP-226). Changes are made one after the
 * other, the first ones when the listeners of the start are bound: metadata may name some before.
 */
import { alteredListenersRefusal } from './config/altered-listeners.ts'
import type { BrokerConfig } from './config/broker-config.ts'
import { resolveListeners, type ListenerConfig, type Listeners } from './config/listeners.ts'
import { ConfigError } from './config/table.ts'
import { NetworkError, type Environment } from './environment/environment.ts'
import type { Server } from './net/listener.ts'
import type { NodeSecurity } from './node-security.ts'

export interface NodeListenersOptions {
  readonly environment: Environment
  readonly config: BrokerConfig
  readonly security: NodeSecurity
  readonly server: Server
}

export class NodeListeners {
  readonly #options: NodeListenersOptions
  #config: BrokerConfig
  #changes: Promise<void> | undefined
  #waiting: BrokerConfig | undefined
  #current: Listeners
  /** Names of those that are bound; a change that is under way works on it. */
  readonly #bound: Set<string>
  /** Names of those that could not be bound: the next change tries them again, with what it says of them. */
  readonly #failed = new Set<string>()

  constructor(options: NodeListenersOptions) {
    this.#options = options
    this.#config = options.config
    this.#current = resolveListeners(options.config)
    this.#bound = new Set(this.#current.broker.map(({ name }) => name))
  }

  /** As they are, or are about to be. */
  get current(): Listeners {
    return this.#current
  }

  /** Why this node cannot have the listeners of these settings instead; undefined when it can. */
  refusalOf(next: BrokerConfig): string | undefined {
    try {
      return alteredListenersRefusal(this.#config, next, this.#failed)
    } catch (error) {
      if (error instanceof ConfigError) return error.message
      throw error
    }
  }

  /** From now on changes are made; the listeners that the node was started with are bound. */
  bound(): void {
    this.#changes = Promise.resolve()
    if (this.#waiting !== undefined) this.follow(this.#waiting)
    this.#waiting = undefined
  }

  /** Listeners as these settings have them. What cannot be changes nothing, and the log says why. */
  follow(next: BrokerConfig): void {
    if (this.#changes === undefined) {
      this.#waiting = next
      return
    }
    const refusal = this.refusalOf(next)
    if (refusal !== undefined) {
      this.#options.environment.log.error('listeners could not be altered; they stay as they are', { reason: refusal })
      return
    }
    this.#config = next
    this.#current = resolveListeners(next)
    const { broker: wanted } = this.#current
    this.#changes = this.#changes.then(() => this.#change(wanted, next))
  }

  /** Those of the quorum are bound at the start alone. */
  async #change(wanted: readonly ListenerConfig[], config: BrokerConfig): Promise<void> {
    const names = new Set(wanted.map(({ name }) => name))
    for (const name of this.#failed) if (!names.has(name)) this.#failed.delete(name)
    await Promise.all([...this.#bound].filter(name => !names.has(name)).map(name => this.#remove(name)))
    for (const listener of wanted) if (!this.#bound.has(listener.name)) await this.#add(listener, config)
  }

  async #remove(name: string): Promise<void> {
    this.#options.environment.log.info('removing a listener, and its connections', { listener: name })
    await this.#options.server.closeListener(name)
    this.#options.security.remove(name)
    this.#bound.delete(name)
  }

  /** As in Kafka, what cannot be bound is in the log alone: the settings have been accepted by then. */
  async #add(listener: ListenerConfig, config: BrokerConfig): Promise<void> {
    const { environment, security, server } = this.#options
    const address = `${listener.name}://${listener.host}:${listener.port}`
    try {
      security.add(listener, config)
      const port = await server.listen(listener, 'broker')
      this.#bound.add(listener.name)
      this.#failed.delete(listener.name)
      environment.log.info('added a listener', { listener: listener.name, host: listener.host, port })
    } catch (error) {
      if (!(error instanceof ConfigError) && !(error instanceof NetworkError)) throw error
      security.remove(listener.name)
      this.#failed.add(listener.name)
      environment.log.error('a listener could not be added; correct the setting listeners', {
        listener: address,
        reason: error.message,
      })
    }
  }
}
