/** One wire connection per broker, opened when needed and dropped on the first failure, with a limit on how long a question may take. */
import type { Cluster } from '../cluster/cluster.ts'
import { endpointOf, WireClient, type Endpoint } from '../cluster/wire.ts'

export class NoAnswerError extends Error {}

export class Links {
  readonly #cluster: Cluster
  readonly #timeoutMs: number
  readonly #clientId: string | undefined
  readonly #open = new Map<number, Promise<WireClient>>()
  /** Those of `#open` that have been opened. */
  readonly #clients = new Map<Promise<WireClient>, WireClient>()

  /** @param clientId  left out: that of the toolkit */
  constructor(cluster: Cluster, timeoutMs: number, clientId?: string) {
    this.#cluster = cluster
    this.#timeoutMs = timeoutMs
    this.#clientId = clientId
  }

  /** Ids of all brokers, whether they run or not. */
  get brokers(): readonly number[] {
    const { brokerAddresses, bootstrap } = this.#cluster
    return brokerAddresses === undefined ? bootstrap.map((_, index) => index + 1) : [...brokerAddresses.keys()]
  }

  /** Asks one broker. A failure or a late answer closes the connection, because answers come in order. */
  async ask<T>(broker: number, question: (client: WireClient) => Promise<T>): Promise<T> {
    const connecting = this.#connection(broker)
    try {
      return await this.#within(connecting.then(question), broker)
    } catch (error) {
      this.#forget(broker, connecting)
      throw error
    }
  }

  /** A new one where the broker has ended the one of before, as with its restart. */
  #connection(broker: number): Promise<WireClient> {
    const before = this.#open.get(broker)
    if (before !== undefined && this.#clients.get(before)?.isOpen !== false) return before
    if (before !== undefined) this.#forget(broker, before)
    const options = {
      ...this.#cluster.kafkaOptions(),
      ...(this.#clientId === undefined ? {} : { clientId: this.#clientId }),
    }
    const connecting = WireClient.open(this.#endpoint(broker), options)
    this.#open.set(broker, connecting)
    // Whoever asks is told of a failure.
    connecting.then(
      client => this.#clients.set(connecting, client),
      () => undefined,
    )
    return connecting
  }

  close(): void {
    for (const [broker, connecting] of this.#open) this.#forget(broker, connecting)
  }

  #forget(broker: number, connecting: Promise<WireClient>): void {
    if (this.#open.get(broker) === connecting) this.#open.delete(broker)
    this.#clients.delete(connecting)
    // A connection that never opened has nothing to close, and whoever asked has been told.
    connecting.then(
      client => client.close(),
      () => undefined,
    )
  }

  #endpoint(broker: number): Endpoint {
    const { brokerAddresses, bootstrap } = this.#cluster
    const address = brokerAddresses === undefined ? bootstrap[broker - 1] : brokerAddresses.get(broker)
    if (address === undefined)
      throw new Error(`there is no broker ${broker}: the cluster has ${this.#cluster.bootstrap.length}`)
    return endpointOf(address)
  }

  #within<T>(answer: Promise<T>, broker: number): Promise<T> {
    const late = this.#cluster.clock.sleep(this.#timeoutMs).then(() => {
      throw new NoAnswerError(`broker ${broker} gave no answer within ${this.#timeoutMs} ms`)
    })
    return Promise.race([answer, late])
  }
}
