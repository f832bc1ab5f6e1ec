/**
 * Bytes that no client sends, against a live broker: whatever comes in, it goes on serving the others, its memory stays within bounds, and
 * the log names the reason. What each check leaves behind is still there while a real client works beside it.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { isReference, oursAlone } from './engine.ts'
import { eventually, startCluster, type Cluster } from './harness.ts'
import { createTopics } from '#tests/topics.ts'

const MiB = 1 << 20
const smallHeap = 'it runs out of the small heap that these suites give it'
/** HOSTILE_CONNECTIONS=10000 needs as many descriptors (ulimit -n). */
const idleConnections = Number(process.env['HOSTILE_CONNECTIONS'] ?? 2_000)
const sockets = new Set<Socket>()
let cluster: Cluster

beforeAll(async () => {
  cluster = await startCluster()
  await serves()
})

afterEach(() => {
  for (const each of sockets) each.destroy()
  sockets.clear()
})

afterAll(async () => {
  await cluster?.stop()
})

async function open(port = cluster.broker().port): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port })
  // A broker that cuts us off may do so with a reset.
  socket.on('error', () => undefined)
  sockets.add(socket)
  await once(socket, 'connect')
  return socket
}

/** Sends, and resolves when the broker has closed the connection. */
async function closedAfter(bytes: Buffer, port?: number): Promise<void> {
  const socket = await open(port)
  const closed = once(socket, 'close')
  socket.resume()
  socket.write(bytes)
  await closed
}

const int16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}
const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
const framed = (...parts: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(parts)
  return Buffer.concat([int32(body.length), body])
}
/** Header v1: key, version, correlation id, client id. */
const request = (apiKey: number, version: number, ...body: readonly Buffer[]): Buffer =>
  framed(int16(apiKey), int16(version), int32(7), int16(7), Buffer.from('hostile'), ...body)

/** Header v2, which new versions have, ends with tagged fields. */
const noTags = Buffer.from([0])
const apiVersions = request(18, 0)
const produceKey = 0
const metadataKey = 3

/** A real client writes and reads through the same broker. */
async function serves(): Promise<void> {
  const kafka = new Kafka({
    clientId: 'bystander',
    brokers: cluster.addresses,
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 50, maxRetryTime: 1_000, retries: 20 },
  })
  const topic = `bystander-${randomBytes(6).toString('hex')}`
  const producer = kafka.producer()
  const admin = kafka.admin()
  await Promise.all([producer.connect(), admin.connect()])
  await createTopics(admin, [{ topic, numPartitions: 1 }])
  await producer.send({ topic, messages: [{ value: 'still here' }] })
  expect(await admin.fetchTopicOffsets(topic)).toMatchObject([{ high: '1' }])
  await admin.deleteTopics({ topics: [topic] })
  await Promise.all([producer.disconnect(), admin.disconnect()])
  expect(await cluster.broker().isHealthy()).toBe(true)
}

/** The log grew by a line that matches; Apache Kafka has other words. */
async function logs(reason: RegExp, from: number): Promise<void> {
  if (isReference) return
  await eventually(`the log says ${reason.source}`, () =>
    reason.test(cluster.broker().log().slice(from)) ? true : undefined,
  )
}

const logLength = (): number => cluster.broker().log().length

describe('a frame', () => {
  test.each([
    ['of negative length', int32(-1), /length of -1/],
    ['of the most negative length', int32(-(2 ** 31)), /length of -2147483648/],
    ['of two gigabytes', int32(2 ** 31 - 1), /length of 2147483647/],
    ['that is an HTTP request', Buffer.from('GET / HTTP/1.1\r\nHost: broker\r\n\r\n'), /length of 1195725856/],
    ['that is a TLS handshake', Buffer.from('160301020001000001fc0303', 'hex'), /length of \d+/],
    ['without a header', int32(0), /broke the protocol/],
    ['that ends within its header', framed(int16(3), int16(9), int32(1)), /broke the protocol/],
    ['of an API that nobody has', request(9_999, 0), /key 9999/],
    ['of a negative API', request(-1, 0), /key -1/],
    ['of a version from the future', request(metadataKey, 99, noTags), /version 99/],
    ['of a negative version', request(metadataKey, -1), /version -1/],
    ['of a version that Kafka has removed', request(produceKey, 1, int16(1), int32(1), int32(0)), /version 1 /],
    ['of the controller’s API on a listener for clients', request(52, 0, int32(0)), /Vote \(key 52\)/],
  ])('%s closes its connection, and the log says why', async (_, bytes, reason) => {
    const from = logLength()
    await closedAfter(bytes)
    await logs(reason, from)
  })

  test.each([
    ['a count of two billion', request(metadataKey, 1, int32(2 ** 31 - 1))],
    ['a count that fills the frame and no more', request(metadataKey, 1, int32(1_000_000), Buffer.alloc(1_000))],
    ['a negative count where an array has to be', request(metadataKey, 0, int32(-7))],
    ['a varint that never ends', request(metadataKey, 9, Buffer.from([0]), Buffer.alloc(64, 0xff))],
    ['a string longer than the frame', request(metadataKey, 1, int32(1), int16(32_000), Buffer.from('short'))],
    ['a string of negative length', request(metadataKey, 1, int32(1), int16(-2))],
    ['a produce request that is cut off', request(produceKey, 3, int16(-1), int16(-1), int32(1_000), int32(1))],
    ['a client id longer than the frame', framed(int16(metadataKey), int16(1), int32(1), int16(30_000))],
  ])('with %s closes its connection', async (_, bytes) => {
    const from = logLength()
    await closedAfter(bytes)
    await logs(/broke the protocol/, from)
  })

  test('with a negative count where null may be is answered: every negative length is null', async () => {
    const socket = await open()
    socket.write(request(metadataKey, 1, int32(-7)))
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer.readInt32BE(4)).toBe(7)
  })

  const tooMany = 'with more elements than any request has closes its connection before they are made'
  test.skipIf(isReference)(oursAlone(tooMany, smallHeap), async () => {
    const from = logLength()
    const before = cluster.broker().residentBytes() ?? 0
    // Two bytes of length and a letter: thirty million topics in ninety megabytes.
    await closedAfter(request(metadataKey, 1, int32(30_000_000), Buffer.alloc(90_000_000, Buffer.from([0, 1, 0x61]))))
    await logs(/at most 2000000 elements/, from)
    expect((cluster.broker().residentBytes() ?? 0) - before).toBeLessThan(400 * MiB)
    await serves()
  })

  test.skipIf(isReference).each([
    ['asks for a million topics', 0],
    ['would have a million topics created', 1],
  ])(oursAlone('that %s is answered', smallHeap), async (_, allowAutoTopicCreation) => {
    const before = cluster.broker().residentBytes() ?? 0
    const count = 1_000_000
    const names = Buffer.alloc(count * 8)
    for (let index = 0; index < count; index++) {
      names.writeInt16BE(6, index * 8)
      names.write(String(index).padStart(6, '0'), index * 8 + 2)
    }
    const socket = await open()
    let received = 0
    let length = Infinity
    const answered = new Promise<void>((resolve, reject) => {
      socket.on('close', () => reject(new Error('closed instead')))
      socket.on('data', (chunk: Buffer) => {
        if (received === 0) length = chunk.readInt32BE(0) + 4
        received += chunk.length
        if (received >= length) resolve()
      })
    })
    socket.write(request(metadataKey, 4, int32(count), names, Buffer.from([allowAutoTopicCreation])))
    await answered
    expect(length).toBeGreaterThan(8_000_000)
    await serves()
    const more = (cluster.broker().residentBytes() ?? 0) - before
    console.log(`a million topics: ${more >> 20} MiB more`)
    expect(more).toBeLessThan(1_500 * MiB)
  })

  test('with UNKNOWN in a filter of access control entries closes its connection, forwarded or not', async () => {
    const everything = Buffer.from([0, 255, 255, 3, 255, 255, 255, 255, 1, 1])
    for (const bytes of [request(29, 1, everything), request(31, 1, int32(1), everything)]) {
      const from = logLength()
      await closedAfter(bytes)
      await logs(/UNKNOWN elements/, from)
    }
  })

  const longest = 'with the longest client id there is joins a group, under an id that can be told'
  test.skipIf(isReference)(
    oursAlone(longest, 'its member id is too long to be told: UNKNOWN_SERVER_ERROR'),
    async () => {
      const clientId = Buffer.alloc(32_767, 'x')
      const socket = await open()
      const text = (value: string): Buffer => Buffer.concat([int16(value.length), Buffer.from(value)])
      const parts = [text('long'), int32(10_000), int32(10_000), text(''), int16(-1), text('consumer')]
      // JoinGroup v5: without a member id, one is given.
      const join = [...parts, int32(1), text('range'), int32(0)]
      const coordinatorIsComing = new Set([14, 15, 16])
      await eventually('the group has a coordinator', async () => {
        socket.write(request(10, 0, text('long')))
        await once(socket, 'data')
        socket.write(framed(int16(11), int16(5), int32(7), int16(clientId.length), clientId, ...join))
        const [answer] = (await once(socket, 'data')) as [Buffer]
        // Length, correlation id, throttle time, error code.
        const code = answer.readInt16BE(12)
        if (coordinatorIsComing.has(code)) return undefined
        // MEMBER_ID_REQUIRED, and the id is behind it.
        expect(code).toBe(79)
        return true
      })
    },
  )

  test('with an unknown version of ApiVersions is answered, so that a newer client can step down', async () => {
    const socket = await open()
    socket.write(request(18, 99, noTags))
    const [answer] = (await once(socket, 'data')) as [Buffer]
    const unsupportedVersion = 35
    expect(answer.readInt32BE(4)).toBe(7)
    expect(answer.readInt16BE(8)).toBe(unsupportedVersion)
  })

  test('of zeros, noise or mangled requests never ends the broker', async () => {
    const produce = request(produceKey, 3, int16(-1), int16(-1), int32(1_000), int32(1), int16(1), Buffer.from('t'))
    for (let round = 0; round < 150; round++) {
      const noise =
        round % 3 === 0 ? randomBytes(1 + (round % 90)) : Buffer.from(round % 3 === 1 ? apiVersions : produce)
      if (round % 3 > 0) noise[4 + (round % (noise.length - 4))] = randomBytes(1)[0] ?? 0
      const socket = await open()
      socket.resume()
      socket.end(round % 3 === 0 ? framed(noise) : noise)
      await once(socket, 'close')
    }
    await serves()
  })

  test('with records that are garbage is refused as corrupt and stores nothing', async () => {
    const kafka = new Kafka({ clientId: 'victim', brokers: cluster.addresses, logLevel: logLevel.NOTHING })
    const admin = kafka.admin()
    await admin.connect()
    await createTopics(admin, [{ topic: 'victim', numPartitions: 1 }])
    const socket = await open()
    const topic = Buffer.concat([int32(1), int16(6), Buffer.from('victim'), int32(1), int32(0)])
    const acks = Buffer.concat([int16(-1), int16(-1), int32(1_000)])
    for (const bytes of [randomBytes(200), Buffer.alloc(61), Buffer.alloc(5), Buffer.alloc(0)]) {
      socket.write(request(produceKey, 7, acks, topic, int32(bytes.length), bytes))
      const [answer] = (await once(socket, 'data')) as [Buffer]
      // Size, correlation id, one topic and its name, one partition and its index; then the error.
      expect(answer.readInt16BE(4 + 4 + 4 + 2 + 6 + 4 + 4)).not.toBe(0)
    }
    expect(await admin.fetchTopicOffsets('victim')).toMatchObject([{ high: '0' }])
    await admin.disconnect()
  })

  test('on the controller’s listener closes its connection too', async () => {
    const { controllerPort } = cluster.broker()
    await closedAfter(int32(-1), controllerPort)
    await closedAfter(request(produceKey, 9, Buffer.alloc(10)), controllerPort)
    await serves()
  })
})

describe('a connection', () => {
  const largeClaim = 'that claims a large frame and never sends it costs no memory'
  test.skipIf(isReference)(oursAlone(largeClaim, 'it makes room for the claim at once'), async () => {
    const before = cluster.broker().residentBytes() ?? 0
    for (let index = 0; index < 100; index++) {
      const socket = await open()
      socket.write(Buffer.concat([int32(100 * MiB), Buffer.alloc(100)]))
    }
    await serves()
    // Had the claims been believed, ten gigabytes.
    expect((cluster.broker().residentBytes() ?? 0) - before).toBeLessThan(150 * MiB)
  })

  test('that stops in the middle of a frame, or is half closed, disturbs nobody', async () => {
    for (let length = 0; length < apiVersions.length; length++) {
      const socket = await open()
      socket.write(apiVersions.subarray(0, length))
      if (length % 2 === 0) socket.end()
      if (length % 3 === 0) socket.resetAndDestroy()
    }
    await serves()
  })

  test('that sends byte by byte is served', async () => {
    const socket = await open()
    socket.setNoDelay(true)
    const answered = once(socket, 'data') as Promise<[Buffer]>
    for (const byte of apiVersions) {
      await new Promise(resolve => socket.write(Buffer.from([byte]), resolve))
    }
    const [answer] = await answered
    expect(answer.readInt32BE(4)).toBe(7)
  })

  test(`among ${idleConnections} idle ones is served, and they cost little`, async () => {
    const before = cluster.broker().residentBytes() ?? 0
    for (let round = 0; round < idleConnections / 100; round++) {
      await Promise.all(
        Array.from({ length: 100 }, async () => {
          const socket = await open()
          socket.write(apiVersions)
          await once(socket, 'data')
        }),
      )
    }
    await serves()
    expect([...sockets].filter(({ destroyed }) => !destroyed)).toHaveLength(idleConnections)
    const resident = cluster.broker().residentBytes() ?? 0
    console.log(`${idleConnections} idle connections: ${before >> 20} MiB before, ${resident >> 20} MiB with them`)
    expect(resident - before).toBeLessThan(40 * MiB + idleConnections * 32 * 1024)
  })

  test('that never reads its responses is held back, not its neighbours', async () => {
    const before = cluster.broker().residentBytes() ?? 0
    const socket = await open()
    socket.pause()
    // Some 400 bytes of answer for 17 of question: without a limit, a hundred megabytes of answers.
    const questions = Buffer.concat(Array.from({ length: 1_000 }, () => apiVersions))
    let sent = 0
    while (sent < 400 && socket.write(questions)) sent++
    await serves()
    const more = Array.from({ length: 200 }, () => questions)
    for (const each of more) socket.write(each)
    await serves()
    expect((cluster.broker().residentBytes() ?? 0) - before).toBeLessThan(100 * MiB)
    // We hold what the broker did not take: it has stopped reading.
    expect(socket.writableLength).toBeGreaterThan(0)
    socket.resume()
    let received = 0
    socket.on('data', (chunk: Buffer) => (received += chunk.length))
    await eventually('the answers flow again', () => (received > 4 * MiB ? true : undefined))
  })
})

describe('two hundred readers that do not read', () => {
  test('hold little of the broker’s memory, however much they ask for', async () => {
    const kafka = new Kafka({ clientId: 'filler', brokers: cluster.addresses, logLevel: logLevel.NOTHING })
    const [admin, producer] = [kafka.admin(), kafka.producer()]
    await Promise.all([admin.connect(), producer.connect()])
    await createTopics(admin, [{ topic: 'much', numPartitions: 1 }])
    for (let batch = 0; batch < 40; batch++)
      await producer.send({ topic: 'much', messages: [{ value: Buffer.alloc(900_000, batch) }] })
    await Promise.all([admin.disconnect(), producer.disconnect()])
    await serves()
    const before = cluster.broker().residentBytes() ?? 0
    const all = int32(50 * MiB)
    const fromStart = Buffer.concat([int32(0), Buffer.alloc(8), all])
    const topics = Buffer.concat([int32(1), int16(4), Buffer.from('much'), int32(1), fromStart])
    // Fetch v4: a consumer, no wait, one byte at least, all there is.
    const everything = request(1, 4, int32(-1), int32(0), int32(1), all, Buffer.from([0]), topics)
    const readers = await Promise.all(Array.from({ length: 200 }, () => open()))
    for (const reader of readers) {
      reader.pause()
      for (let asked = 0; asked < 5; asked++) reader.write(everything)
    }
    await serves()
    await serves()
    const more = (cluster.broker().residentBytes() ?? 0) - before
    console.log(`200 readers that do not read 34 MiB five times each: ${more >> 20} MiB more`)
    // 128 MiB are shared by all.
    expect(more).toBeLessThan(300 * MiB)
    const one = await open()
    let received = 0
    one.on('data', (chunk: Buffer) => (received += chunk.length))
    for (let asked = 0; asked < 5; asked++) one.write(everything)
    // Each of its fetches brings a batch at least.
    await eventually('who does read is answered', () => (received > 5 * 900_000 ? true : undefined))
  })
})

test.skipIf(isReference)(
  oursAlone('after all of it the broker is the same process, and stops as asked', 'other log lines'),
  async () => {
    await serves()
    expect(cluster.broker().log()).not.toMatch(/unhandled|uncaught|the node could not|a request failed|met a bug/i)
    expect(await cluster.broker().stop()).toBe(0)
  },
)
