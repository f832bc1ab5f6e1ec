/**
 * Requests of single APIs, word for word, for claims that no client library shows: what a group answers to a member in just this situation.
 * Speaks with the broker's own codecs, which codec-golden.test.ts holds against Kafka's.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { nodeEnvironment } from '#broker/environment/node/node-environment.ts'
import { NetworkRequestClient } from '#broker/net/request-client.ts'
import { errorName, type ErrorName } from '#broker/protocol/errors.ts'

const requestTimeoutMs = 60_000
const patienceMs = 60_000
const findCoordinator = 10

/** The coordinator is not there yet: its topic is being made, or it loads. */
const notYet: ReadonlySet<ErrorName> = new Set<ErrorName>([
  'COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR',
  'COORDINATOR_LOAD_IN_PROGRESS',
])

export class RawClient {
  readonly #client: NetworkRequestClient
  readonly #address: { readonly host: string; readonly port: number }

  constructor(port: number, clientId = 'raw') {
    this.#client = new NetworkRequestClient(nodeEnvironment(), clientId)
    this.#address = { host: '127.0.0.1', port }
  }

  /** @param maxVersion  default: the highest that both sides know */
  async send<Response>(api: number, body: object, maxVersion?: number): Promise<Response> {
    const options = { timeoutMs: requestTimeoutMs, ...(maxVersion === undefined ? {} : { maxVersion }) }
    return (await this.#client.send<Response>(this.#address, api, body, options)).response
  }

  /** Again while the coordinator is not there; looking for it makes its topic. */
  async ask<Response extends { readonly errorCode: number }>(
    api: number,
    body: { readonly groupId: string; readonly [field: string]: unknown },
    maxVersion?: number,
  ) {
    const deadline = Date.now() + patienceMs
    for (;;) {
      const response = await this.send<Response>(api, body, maxVersion)
      const error = errorName(response.errorCode)
      if (!notYet.has(error) || Date.now() > deadline) return { ...response, error }
      await this.send(findCoordinator, { key: body.groupId, keyType: 0 }, 3)
      await delay(50)
    }
  }

  close(): void {
    this.#client.close()
  }
}
