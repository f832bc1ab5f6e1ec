/** One link: the port that its source connects to, the connections through it, what passed, and the faults that are at work on it. */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { apiByKey } from '#broker/protocol/apis.ts'
import { lacking, messageOf } from '../errors.ts'
import { ProxiedConnection, type ConnectionOwner } from './connection.ts'
import { emptyPlan, type LinkPlan } from './link-plan.ts'
import { linkName, type Address, type LinkDescription, type LinkState, type Way } from './model.ts'

/** Client ids that are remembered, for people who want to see who uses a link. */
const clientIdsMax = 20
const backlog = 1024
const watchEveryMs = 50

export class Link implements ConnectionOwner {
  description: LinkDescription
  readonly name: string
  readonly isKafka: boolean
  plan: LinkPlan = emptyPlan
  #server: Server | undefined
  /** The node refused a connection, or something else has the port: when the node takes one, the link listens, or tries to. */
  #watch: NodeJS.Timeout | undefined
  #lacksPort = false
  #binding: Promise<void> | undefined
  #isClosed = false
  readonly #connections = new Set<ProxiedConnection>()
  #accepted = 0
  readonly #bytes: Record<Way, number> = { request: 0, response: 0 }
  readonly #requests = new Map<number, number>()
  readonly #clientIds = new Set<string>()

  constructor(description: LinkDescription) {
    this.description = description
    this.name = linkName(description)
    this.isKafka = description.protocol === 'kafka'
  }

  get target(): Address {
    return this.description.target
  }

  /** True: it should listen, and could not when it tried last, since something else has its port. It tries again. */
  get lacksPort(): boolean {
    return this.#lacksPort
  }

  /** Resolves when the port is bound. */
  async listen(): Promise<void> {
    const { host, port } = this.description.listen
    const server = createServer({ allowHalfOpen: true, noDelay: true }, socket => this.#accept(socket))
    await new Promise<void>((resolve, reject) => {
      server.once('error', error =>
        reject(
          lacking(
            `The fault proxy cannot listen on ${host}:${port} (link ${this.name}): ${error.message}.`,
            'Stop what listens there (ss -ltnp shows it).',
            error,
          ),
        ),
      )
      server.listen({ host, port, backlog }, resolve)
    })
    this.#server = server
    // A port that the system picked stays the link's.
    const { port: bound } = server.address() as AddressInfo
    this.description = { ...this.description, listen: { host, port: bound } }
  }

  /** Resolves when the port is free and every connection is gone. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#watch)
    await this.#unlisten()
    for (const connection of this.#connections) connection.destroy()
  }

  /** The faults of this link from now on. Resolves when they are at work; rejects when it cannot listen any more, and tries that again by itself. */
  async apply(plan: LinkPlan): Promise<void> {
    this.plan = plan
    if (plan.refusal !== undefined) {
      const { hit } = plan.refusal
      this.#needNoPort()
      await this.#unlisten()
      for (const connection of this.#connections) {
        hit()
        connection.destroy()
      }
      return
    }
    for (const connection of this.#connections) connection.replan()
    const isNodeDown = this.#watch !== undefined && !this.#lacksPort
    if (this.#server === undefined && !isNodeDown) await this.#bind()
  }

  /** Where nobody listens behind the link, nobody listens at it: a node that is down looks so to its peers. */
  refused(): void {
    if (this.#watch !== undefined || this.#isClosed) return
    this.#watchNode()
    void this.#unlisten()
  }

  #watchNode(): void {
    this.#watch = setTimeout(() => {
      const { host, port } = this.target
      const attempt = connect({ host, port })
      attempt.once('connect', () => {
        attempt.destroy()
        void this.#nodeIsBack()
      })
      attempt.once('error', () => {
        if (this.#isClosed || this.#server !== undefined) this.#watch = undefined
        else this.#watchNode()
      })
    }, watchEveryMs)
  }

  async #nodeIsBack(): Promise<void> {
    const wasTold = this.#lacksPort
    try {
      // The watch is over only when that is done: nobody else may begin to listen meanwhile.
      if (!this.#isClosed && this.plan.refusal === undefined && this.#server === undefined) await this.#bind()
      this.#watch = undefined
    } catch (error) {
      if (!wasTold) console.error(`link ${this.name}: ${messageOf(error)}`)
      if (!this.#isClosed) this.#watchNode()
    }
    // Closed, or cut, while it began to listen.
    if (this.#isClosed || this.plan.refusal !== undefined) await this.#unlisten()
  }

  /** One attempt at a time, whoever wants it. Where it fails, the watch goes on or begins. */
  async #bind(): Promise<void> {
    this.#binding ??= this.listen().finally(() => (this.#binding = undefined))
    try {
      await this.#binding
      this.#lacksPort = false
    } catch (error) {
      this.#lacksPort = this.plan.refusal === undefined
      if (!this.#isClosed && this.#watch === undefined) this.#watchNode()
      throw error
    }
  }

  /** It is cut: whoever has its port may keep it until that heals. */
  #needNoPort(): void {
    if (!this.#lacksPort) return
    this.#lacksPort = false
    clearTimeout(this.#watch)
    this.#watch = undefined
  }

  state(): LinkState {
    return {
      ...this.description,
      name: this.name,
      connections: this.#connections.size,
      accepted: this.#accepted,
      bytes: { ...this.#bytes },
      requests: Object.fromEntries(
        [...this.#requests].map(([key, count]) => [apiByKey(key)?.name ?? `API ${key}`, count]),
      ),
      clientIds: [...this.#clientIds],
    }
  }

  count(way: Way, bytes: number): void {
    this.#bytes[way] += bytes
  }

  request(apiKey: number): void {
    this.#requests.set(apiKey, (this.#requests.get(apiKey) ?? 0) + 1)
  }

  named(clientId: string | null): void {
    const name = clientId ?? ''
    this.#clientIds.delete(name)
    this.#clientIds.add(name)
    const [oldest] = this.#clientIds
    if (this.#clientIds.size > clientIdsMax && oldest !== undefined) this.#clientIds.delete(oldest)
  }

  gone(connection: ProxiedConnection): void {
    this.#connections.delete(connection)
  }

  #accept(socket: Socket): void {
    this.#accepted++
    this.#connections.add(new ProxiedConnection(socket, this))
  }

  async #unlisten(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (server === undefined) return
    // The port is free at once; the callback waits for connections as well, which is not asked for.
    server.close()
    await new Promise<void>(resolve => setImmediate(resolve))
  }
}
