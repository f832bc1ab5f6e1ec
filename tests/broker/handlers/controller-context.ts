/** A node with a controller of its own and a metadata image, as handlers see it. */
import { Controller } from '#broker/controller/controller-driver.ts'
import { brokerHeartbeat } from '#broker/controller/broker-heartbeat.ts'
import { createTopics } from '#broker/controller/create-topics.ts'
import { isRefusal } from '#broker/controller/operation.ts'
import { MetadataPublisher } from '#broker/controller/publisher.ts'
import { registerBroker } from '#broker/controller/register-broker.ts'
import type { ConnectionInfo, Handler, ListenerKind, RequestContext } from '#broker/handlers/handler.ts'
import { ServedRequest } from '#broker/handlers/request-context.ts'
import type { Services } from '#broker/handlers/services.ts'
import { MemoryPool } from '#broker/net/memory-pool.ts'
import { codec } from '#broker/protocol/codec.ts'
import type { DecodedFields, EncodableFields, Fields, Message } from '#broker/protocol/schema.ts'
import type { ErrorName } from '#broker/protocol/errors.ts'
import { FakeQuorum, FakeTime } from '#tests/broker/controller/fakes.ts'
import { clusterId, Harness, testConfig } from '#tests/broker/controller/harness.ts'

export class TestNode {
  readonly time = new FakeTime()
  readonly quorum = new FakeQuorum()
  readonly publisher = new MetadataPublisher(clusterId)
  readonly config
  readonly controller: Controller
  readonly autoCreated: string[] = []
  readonly #registrations = new Harness()

  constructor(config: Readonly<Record<string, string>> = {}) {
    this.config = testConfig(config)
    this.quorum.start(this.publisher)
    const { quorum, publisher } = this
    const { environment } = this.time
    this.controller = new Controller({ environment, config: this.config, nodeId: 1, clusterId, quorum, publisher })
    this.quorum.elect(1)
  }

  registration(id: number) {
    const request = this.#registrations.registration(id)
    const internal = { name: 'INTERNAL', host: 'inside', port: 19_092, securityProtocol: 0 }
    // Broker 3 lacks the second listener.
    return id === 3 ? request : { ...request, listeners: [...request.listeners, internal] }
  }

  async startBrokers(...ids: number[]): Promise<void> {
    for (const id of ids) {
      const reply = await this.controller.submit(registerBroker, this.registration(id))
      if (isRefusal(reply)) throw new Error(reply.message)
      await this.controller.submit(brokerHeartbeat, {
        brokerId: id,
        brokerEpoch: reply.brokerEpoch,
        currentMetadataOffset: this.publisher.deliveredOffset,
        wantFence: false,
        wantShutDown: false,
      })
    }
  }

  async createTopic(name: string, ...assignments: number[][]): Promise<void> {
    const manual = assignments.map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds }))
    const topic = { name, numPartitions: -1, replicationFactor: -1, assignments: manual, configs: [] }
    const reply = await this.controller.submit(createTopics, { topics: [topic], validateOnly: false })
    if (isRefusal(reply) || reply.topics[0]?.errorCode !== 0) throw new Error(JSON.stringify(reply))
  }

  /** Sends through the bytes of the version, both ways, as a connection would. */
  async ask<Q extends Fields, S extends Fields>(
    handler: Handler,
    [request, response]: readonly [Message<Q>, Message<S>],
    apiVersion: number,
    body: EncodableFields<Q>,
    as: { readonly listenerKind?: ListenerKind; readonly listenerName?: string } = {},
  ): Promise<DecodedFields<S>> {
    const decoded = codec(request, apiVersion).decode(codec(request, apiVersion).encodeToBuffer(body))
    const reply = await handler.handle(decoded as never, this.context(handler, apiVersion, as))
    const codecOut = codec(response, apiVersion)
    return codecOut.decode(codecOut.encodeToBuffer(reply as EncodableFields<S>))
  }

  context(
    { apiKey }: Handler,
    apiVersion: number,
    as: { readonly listenerKind?: ListenerKind; readonly listenerName?: string } = {},
  ): RequestContext {
    const services = {
      clusterId,
      nodeId: 1,
      quorum: this.quorum,
      controller: this.controller,
      metadata: () => this.publisher.image,
      broker: { autoTopics: { request: (names: Iterable<string>) => this.#autoCreate(names) } },
    }
    const connection = { listenerKind: as.listenerKind ?? 'broker', listenerName: as.listenerName ?? 'PLAINTEXT' }
    const { config } = this
    const { environment } = this.time
    const memory = new MemoryPool()
    const node = { services: services as unknown as Services, config, environment, memory }
    const header = { requestApiKey: apiKey, requestApiVersion: apiVersion, correlationId: 1, clientId: null }
    return new ServedRequest(header, Buffer.alloc(0), connection as ConnectionInfo, node)
  }

  #autoCreate(names: Iterable<string>): ReadonlyMap<string, ErrorName> {
    const asked = [...names]
    this.autoCreated.push(...asked)
    return new Map(asked.map(name => [name, 'UNKNOWN_TOPIC_OR_PARTITION']))
  }
}
