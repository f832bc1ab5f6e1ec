import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { decodeRequestHeader, encodeResponseFrame } from '#broker/protocol/headers.ts'
import { apiVersionsResponse } from '#broker/protocol/messages/18-api-versions.ts'
import { listGroupsRequest, listGroupsResponse } from '#broker/protocol/messages/16-list-groups.ts'
import { Reader } from '#broker/protocol/reader.ts'
import { realClock } from '#scripts/cluster/clock.ts'
import { Lines, NoAnswer, attempt } from '#scripts/observe/lines.ts'
import { observeOnce } from '#scripts/observe/observe.ts'
import { hasLeader } from '#scripts/observe/predicates.ts'
import { when } from '#scripts/observe/when.ts'

const question = { request: listGroupsRequest, response: listGroupsResponse }
/** Long where an answer comes, so that a busy machine decides nothing. */
const patientMs = 120_000
/** Where none comes. */
const shortMs = 100
const polled = { timeout: 120_000 }

/** A broker of two APIs that answers ListGroups only while it is told to. */
class FakeBroker {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  answers = true
  /** False: takes connections, and says nothing at all. */
  saysVersions = true
  versions = { min: 0, max: 5 }
  asked = 0
  /** Connections so far. */
  accepted = 0

  constructor() {
    this.#server = createServer(socket => {
      this.accepted++
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      socket.on('data', chunk => this.#reply(socket, chunk as Buffer))
    })
  }

  /** `127.0.0.1:port` */
  async listen(): Promise<string> {
    await new Promise<void>(resolve => this.#server.listen(0, '127.0.0.1', resolve))
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Small requests come in one piece on loopback. */
  #reply(socket: Socket, chunk: Buffer): void {
    const header = decodeRequestHeader(new Reader(chunk.subarray(4)))
    const { correlationId, requestApiKey, requestApiVersion: version } = header
    const answer = { version, correlationId }
    if (requestApiKey === 18 && !this.saysVersions) return
    if (requestApiKey === 18) {
      const apiKeys = [{ apiKey: 16, minVersion: this.versions.min, maxVersion: this.versions.max }]
      socket.write(Buffer.concat(encodeResponseFrame(answer, apiVersionsResponse, { errorCode: 0, apiKeys })))
      return
    }
    this.asked++
    if (this.answers)
      socket.write(Buffer.concat(encodeResponseFrame(answer, listGroupsResponse, { errorCode: 0, groups: [] })))
  }

  get connections(): number {
    return this.#sockets.size
  }

  endConnections(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  close(): void {
    this.endConnections()
    this.#server.close()
  }
}

const resources: { close(): void }[] = []
afterEach(() => resources.splice(0).forEach(resource => resource.close()))

async function scene(answerMs = patientMs) {
  const broker = new FakeBroker()
  const cluster = { bootstrap: [await broker.listen()], clock: realClock, kafkaOptions: () => ({ brokers: [] }) }
  const lines = new Lines(cluster, answerMs)
  resources.push(lines, broker)
  const ask = async () => await attempt(async () => await lines.of(1, 'groups').ask(question, {}))
  return { broker, cluster, lines, ask }
}

describe('a line to a broker', () => {
  test('asks in a version that both sides know', async () => {
    const { broker, ask } = await scene()
    broker.versions = { min: 0, max: 2 }
    expect(await ask()).toMatchObject({ errorCode: 0, groups: [] })
  })

  test('says so when there is none', async () => {
    const { broker, ask, lines } = await scene()
    broker.versions = { min: 7, max: 9 }
    expect(await ask()).toEqual({ unknown: 'broker 1 offers ListGroups in versions 7 to 9' })
    const other = {
      request: { ...listGroupsRequest, key: 77, name: 'ShareGroupDescribeRequest' },
      response: listGroupsResponse,
    }
    await expect(lines.of(1, 'groups').ask(other, {})).rejects.toThrow('broker 1 offers ShareGroupDescribe not at all')
  })

  test('waits no longer than the limit, then not at all until the broker answers again', async () => {
    const { broker, ask } = await scene(shortMs)
    broker.answers = false
    const late = { unknown: `broker 1 gave no answer within ${shortMs} ms` }
    const startMs = performance.now()
    expect(await ask()).toEqual(late)
    // A timer may fire a millisecond before its time, by another clock than this one.
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(shortMs - 2)
    // Told at once, and asked on the side.
    const asked = broker.asked
    expect(await ask()).toEqual(late)
    broker.answers = true
    await expect.poll(ask, polled).toMatchObject({ groups: [] })
    expect(broker.asked).toBeGreaterThan(asked)
  })

  test('keeps no connection to a broker that takes them and says nothing', async () => {
    const { broker, ask, lines } = await scene(shortMs)
    broker.saysVersions = false
    const late = { unknown: `broker 1 gave no answer within ${shortMs} ms` }
    expect(await ask()).toEqual(late)
    await expect.poll(() => broker.connections, polled).toBe(0)
    // Asked on the side, by a connection of its own each time, which does not last.
    const { accepted } = broker
    expect(await ask()).toEqual(late)
    await expect.poll(() => broker.accepted, polled).toBeGreaterThan(accepted)
    lines.close()
    await expect.poll(() => broker.connections, polled).toBe(0)
  })

  test('connects again at once when the broker has ended the connection', async () => {
    const { broker, ask } = await scene()
    expect(await ask()).toMatchObject({ groups: [] })
    broker.endConnections()
    await expect.poll(() => broker.connections, polled).toBe(0)
    await expect.poll(ask, polled).toMatchObject({ groups: [] })
    expect(broker.connections).toBe(1)
  })

  test('tells why nobody is there', async () => {
    const { broker, ask, cluster } = await scene()
    broker.close()
    await expect.poll(ask, polled).toEqual({ unknown: `broker 1: connect ECONNREFUSED ${cluster.bootstrap[0]}` })
  })

  test('does not take an error of ours for silence', async () => {
    const bug = async () => await attempt(() => Promise.reject(new TypeError('a bug')))
    await expect(bug()).rejects.toThrow('a bug')
    expect(await attempt(() => Promise.reject(new NoAnswer('broker 9: gone')))).toEqual({ unknown: 'broker 9: gone' })
  })

  test('is closed with the others, and opens no connection afterwards', async () => {
    const { broker, ask, lines } = await scene()
    await ask()
    lines.close()
    await expect.poll(() => broker.connections, polled).toBe(0)
    expect(await ask()).toEqual({ unknown: 'nobody listens to broker 1 any more' })
    expect(broker.connections).toBe(0)
  })
})

describe('the lines to brokers', () => {
  test('lead to each by its id, also where ids do not count from 1', async () => {
    const brokers = [new FakeBroker(), new FakeBroker(), new FakeBroker()]
    const addresses = await Promise.all(brokers.map(broker => broker.listen()))
    const cluster = {
      bootstrap: addresses,
      brokerAddresses: new Map(addresses.map((address, id) => [id, address])),
      clock: realClock,
      kafkaOptions: () => ({ brokers: [] }),
    }
    const lines = new Lines(cluster, patientMs)
    resources.push(lines, ...brokers)
    expect(lines.brokers).toEqual([0, 1, 2])
    await lines.of(2, 'groups').ask(question, {})
    expect(brokers.map(({ asked }) => asked)).toEqual([0, 0, 1])
    expect(lines.endpointOf(0)).toMatchObject({ port: Number(addresses[0]?.split(':')[1]) })
  })
})

describe('observing a cluster of which nobody answers', () => {
  test('says so of everything that was asked for', async () => {
    const { broker, cluster } = await scene()
    broker.close()
    const refused = `broker 1: connect ECONNREFUSED ${cluster.bootstrap[0]}`
    const seen = await observeOnce(cluster, { topics: ['orders'], groups: ['g'], quorum: true, transactions: ['t'] })
    expect(seen).toMatchObject({
      brokers: [{ id: 1, answers: { unknown: refused }, registration: { unknown: refused } }],
      quorum: { unknown: refused },
      topics: { orders: { unknown: refused } },
      groups: { g: { unknown: `nobody who answers coordinates it; ${refused}` } },
      transactions: { t: { unknown: `nobody who answers coordinates it; ${refused}` } },
      changes: [],
    })
  })

  test('ends in time, with what was seen last in words', async () => {
    const { broker, cluster } = await scene()
    broker.close()
    const waiting = when(cluster, hasLeader('orders', 0), { timeoutMs: 2_000, intervalMs: 100 })
    await expect(waiting).rejects.toThrow(
      /^Waited 2000 ms in vain until orders-0 has a leader\. Whether it holds could not be told\. The last of \d+ observations:\nbrokers: 1 silent \(broker 1: connect ECONNREFUSED 127\.0\.0\.1:\d+\)\norders: unknown/,
    )
  })

  test('ends at once when it is told to, with the reason', async () => {
    const { broker, cluster } = await scene()
    broker.answers = false
    const stop = new AbortController()
    const waiting = when(cluster, hasLeader('orders', 0), { timeoutMs: 60_000, signal: stop.signal })
    stop.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    await expect.poll(() => broker.connections, polled).toBe(0)
  })

  test('refuses a time that is none', async () => {
    const { cluster } = await scene()
    await expect(observeOnce(cluster, { answerMs: 0 })).rejects.toThrow(
      'answerMs: expected a number of milliseconds above 0, got 0',
    )
  })
})
