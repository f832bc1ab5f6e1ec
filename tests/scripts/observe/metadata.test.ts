import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { codec } from '#broker/protocol/codec.ts'
import { decodeRequestHeader, encodeResponseFrame } from '#broker/protocol/headers.ts'
import { metadataRequest, metadataResponse } from '#broker/protocol/messages/03-metadata.ts'
import { apiVersionsResponse } from '#broker/protocol/messages/18-api-versions.ts'
import { Reader } from '#broker/protocol/reader.ts'
import { realClock } from '#scripts/cluster/clock.ts'
import { Lines } from '#scripts/observe/lines.ts'
import { askTopics } from '#scripts/observe/metadata.ts'

const topicId = 'DcmhurIfTxGdSzyKKg9-VQ'
const orders = {
  errorCode: 0,
  name: 'orders',
  topicId,
  partitions: [
    {
      errorCode: 5,
      partitionIndex: 1,
      leaderId: -1,
      leaderEpoch: 7,
      replicaNodes: [2, 1],
      isrNodes: [2],
      offlineReplicas: [2, 1],
    },
    {
      errorCode: 0,
      partitionIndex: 0,
      leaderId: 3,
      leaderEpoch: 4,
      replicaNodes: [3, 1, 2],
      isrNodes: [3, 2],
      offlineReplicas: [1],
    },
  ],
}

/** Knows Metadata and no DescribeTopicPartitions, as Kafka 3.7 and before. */
class OldBroker {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly asked: (readonly string[] | null)[] = []
  newest = 12
  mayCreate = false

  constructor() {
    this.#server = createServer(socket => {
      this.#sockets.add(socket)
      socket.on('data', chunk => this.#reply(socket, chunk as Buffer))
    })
  }

  async listen(): Promise<string> {
    await new Promise<void>(resolve => this.#server.listen(0, '127.0.0.1', resolve))
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Small requests come in one piece on loopback. */
  #reply(socket: Socket, chunk: Buffer): void {
    const reader = new Reader(chunk.subarray(4))
    const { correlationId, requestApiKey, requestApiVersion: version } = decodeRequestHeader(reader)
    const answer = { version, correlationId }
    if (requestApiKey === 18) {
      const apiKeys = [{ apiKey: 3, minVersion: 0, maxVersion: this.newest }]
      socket.write(Buffer.concat(encodeResponseFrame(answer, apiVersionsResponse, { errorCode: 0, apiKeys })))
      return
    }
    const { topics, allowAutoTopicCreation } = codec(metadataRequest, version).decode(reader)
    this.mayCreate ||= allowAutoTopicCreation
    this.asked.push(topics === null ? null : topics.map(({ name }) => name ?? ''))
    const found = topics === null ? [orders] : topics.map(({ name }) => (name === 'orders' ? orders : absent(name)))
    const body = { brokers: [], topics: found }
    socket.write(Buffer.concat(encodeResponseFrame(answer, metadataResponse, body)))
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
  }
}

const absent = (name: string | null) => ({
  errorCode: name === 'secret' ? 29 : 3,
  name,
  topicId: 'AAAAAAAAAAAAAAAAAAAAAA',
  partitions: [],
})

const resources: { close(): void }[] = []
afterEach(() => resources.splice(0).forEach(resource => resource.close()))

async function scene() {
  const broker = new OldBroker()
  const cluster = { bootstrap: [await broker.listen()], clock: realClock, kafkaOptions: () => ({ brokers: [] }) }
  const lines = new Lines(cluster, 120_000)
  resources.push(lines, broker)
  return { broker, line: lines.of(1, 'state') }
}

describe('topics of a broker without DescribeTopicPartitions', () => {
  test('are asked for with Metadata, and nobody is an eligible leader', async () => {
    const { broker, line } = await scene()
    const topics = await askTopics(line, ['orders', 'letters', 'secret'])
    expect(broker.asked).toEqual([['letters', 'orders', 'secret']])
    expect(broker.mayCreate).toBe(false)
    expect(topics.get('letters')).toBeNull()
    expect(topics.get('secret')).toEqual({ unknown: 'broker 1 answers TOPIC_AUTHORIZATION_FAILED for secret' })
    const eligible = { elr: [], lastKnownElr: [] }
    expect(topics.get('orders')).toEqual({
      topicId,
      partitions: new Map([
        [1, { index: 1, leader: -1, leaderEpoch: 7, replicas: [2, 1], isr: [2], offline: [1, 2], ...eligible }],
        [0, { index: 0, leader: 3, leaderEpoch: 4, replicas: [3, 1, 2], isr: [2, 3], offline: [1], ...eligible }],
      ]),
    })
  })

  test('are all told when all are asked for, and none when none is', async () => {
    const { broker, line } = await scene()
    expect([...(await askTopics(line, 'all')).keys()]).toEqual(['orders'])
    expect(await askTopics(line, [])).toEqual(new Map())
    expect(broker.asked).toEqual([null])
  })

  test('are not told where Metadata knows no ids of topics', async () => {
    const { broker, line } = await scene()
    broker.newest = 9
    await expect(askTopics(line, ['orders'])).rejects.toThrow('broker 1 offers Metadata in versions 0 to 9')
  })
})
