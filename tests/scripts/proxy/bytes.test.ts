import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { poll } from '#scripts/cluster/clock.ts'
import { patienceMs, Stage, until, type FakeClient } from './peers.ts'
import { queuedBytesMax } from '#scripts/proxy/outlet.ts'

let stage: Stage
beforeEach(async () => {
  stage = new Stage()
  await stage.open()
})
afterEach(() => stage.close())

/** ms until a further answer. */
async function roundTripMs(client: FakeClient): Promise<number> {
  const sinceMs = performance.now()
  client.metadata()
  await client.answered(client.ids.length + 1)
  return performance.now() - sinceMs
}

/** Bytes of requests that the proxy has read. */
const received = async () => (await stage.proxy.links())[0]!.bytes.request

async function noConnections(): Promise<void> {
  const gone = async () => (await stage.proxy.links())[0]?.connections === 0 || undefined
  expect(await poll(gone, { everyMs: 2, timeoutMs: patienceMs })).toBe(true)
}

describe('bytes through a link', () => {
  test('come later by the latency each way, in order', async () => {
    const client = await stage.client()
    await roundTripMs(client)
    const { id } = await stage.fault('latency', { delay: 60, jitter: 30 })
    expect(await roundTripMs(client)).toBeGreaterThanOrEqual(58)
    for (let index = 0; index < 20; index++) client.produce('t')
    const ids = await client.answered(22)
    expect(ids).toEqual(ids.toSorted((a, b) => a - b))
    await stage.proxy.heal([id])
    // On a busy machine one may be late by itself; with the latency each would be.
    const afterwards: number[] = []
    for (let index = 0; index < 10; index++) afterwards.push(await roundTripMs(client))
    expect(Math.min(...afterwards)).toBeLessThan(58)
  })

  test('that wait go out at once when the latency heals', async () => {
    const client = await stage.client()
    await roundTripMs(client)
    const { id } = await stage.fault('latency', { delay: 600_000, direction: 'request' })
    const before = await received()
    client.metadata()
    expect(
      await poll(async () => (await received()) > before || undefined, { everyMs: 2, timeoutMs: patienceMs }),
    ).toBe(true)
    expect(stage.node.requests).toHaveLength(1)
    await stage.proxy.heal([id])
    await client.answered(2)
  })

  test('share the bandwidth of the link', async () => {
    await stage.fault('bandwidth', { rate: 200_000, direction: 'request' })
    const [first, second] = [await stage.client(), await stage.client()]
    const sinceMs = performance.now()
    first.produce('t', { bytes: 30_000 })
    second.produce('t', { bytes: 30_000 })
    await Promise.all([first.answered(1), second.answered(1)])
    expect(performance.now() - sinceMs).toBeGreaterThanOrEqual(290)
  })

  test('stand still while a segment is lost', async () => {
    const { id } = await stage.fault('loss', { probability: 1, timeout: 20, direction: 'request' })
    const client = await stage.client()
    const sinceMs = performance.now()
    client.metadata()
    await client.answered(1)
    // Six losses in a row: 20 + 40 + … + 640.
    expect(performance.now() - sinceMs).toBeGreaterThanOrEqual(1258)
    expect((await stage.state(id)).hits).toBeGreaterThanOrEqual(1)
  })

  test('come in slices, and whole', async () => {
    await stage.fault('slice', { size: 100, variation: 50, delay: 1 })
    const client = await stage.client()
    const sinceMs = performance.now()
    client.produce('t', { bytes: 5_000 })
    await client.answered(1)
    expect(performance.now() - sinceMs).toBeGreaterThanOrEqual(33)
    expect((stage.node.requests[0]!.body['topicData'] as object[])[0]).toMatchObject({
      partitionData: [{ records: Buffer.alloc(5_000, 7) }],
    })
  })

  test('wait in a black hole and are all there when it heals; connections made meanwhile are reset', async () => {
    const client = await stage.client()
    await roundTripMs(client)
    const { id, links } = await stage.fault('black-hole', { direction: 'request' })
    expect(links).toEqual(['client->1 request'])
    for (let index = 0; index < 5; index++) client.produce('t')
    const late = await stage.client()
    late.produce('t')
    await until(() => late.socket.bytesWritten > 0 && !late.socket.connecting, 'it connects')
    expect(stage.node.requests).toHaveLength(1)
    await stage.proxy.heal([id])
    expect(await client.answered(6)).toEqual([1, 2, 3, 4, 5, 6])
    await late.closed
    expect(late.error).toBe('ECONNRESET')
    expect(stage.node.requests).toHaveLength(6)
  })

  test('of a sender that is not heard wait with it: memory is bounded', async () => {
    const client = await stage.client()
    await roundTripMs(client)
    await stage.fault('latency', { delay: 3_600_000, direction: 'request' })
    for (let index = 0; index < 60; index++) client.produce('t', { bytes: 1_000_000 })
    await until(() => client.socket.writableNeedDrain, 'the sender waits')
    let before = -1
    // On a busy machine it may stand still before it has come so far.
    const steady = async () => {
      const now = await received()
      const isSteady = now === before && now > queuedBytesMax / 2
      before = now
      return isSteady || undefined
    }
    expect(await poll(steady, { everyMs: 100, timeoutMs: patienceMs })).toBe(true)
    expect(before).toBeLessThan(queuedBytesMax + 300_000)
  })

  test('are refused and cut off, until that heals', async () => {
    const client = await stage.client()
    await roundTripMs(client)
    const { id } = await stage.fault('cut')
    await client.closed
    const refused = await stage.client()
    await refused.closed
    expect(refused.error).toBe('ECONNREFUSED')
    await stage.proxy.heal([id])
    await roundTripMs(await stage.client())
  })

  test('end with a reset, at once or when the connection is older', async () => {
    const client = await stage.client()
    await roundTripMs(client)
    const { id } = await stage.fault('reset', { after: 100 })
    const sinceMs = performance.now()
    const late = await stage.client()
    late.metadata()
    await late.answered(1)
    await Promise.all([client.closed, late.closed])
    expect([client.error, late.error]).toEqual(['ECONNRESET', 'ECONNRESET'])
    expect(performance.now() - sinceMs).toBeGreaterThanOrEqual(98)
    expect((await stage.state(id)).hits).toBe(2)
  })

  test('end later where the close is slow', async () => {
    await stage.fault('slow-close', { delay: 120, direction: 'request' })
    const client = await stage.client()
    await roundTripMs(client)
    const sinceMs = performance.now()
    client.socket.end()
    await client.closed
    expect(performance.now() - sinceMs).toBeGreaterThanOrEqual(118)
  })

  test('to a node that went down: one more connection is reset, the next are refused, until it is back', async () => {
    const port = stage.node.port
    stage.node.close()
    const first = await stage.client()
    await first.closed
    expect(first.error).toBe('ECONNRESET')
    const second = await stage.client()
    await second.closed
    expect(second.error).toBe('ECONNREFUSED')
    await noConnections()
    const { id } = await stage.fault('cut')
    await stage.node.listen(port)
    await stage.proxy.heal([id])
    const serves = async () => {
      const client = await stage.client()
      client.metadata()
      await Promise.race([client.closed, client.answered(1)])
      return client.ids.length > 0 || undefined
    }
    expect(await poll(serves, { everyMs: 20, timeoutMs: patienceMs })).toBe(true)
  })

  test('leave nothing behind when both sides have gone', async () => {
    const client = await stage.client()
    await roundTripMs(client)
    client.socket.end()
    await client.closed
    await until(() => stage.node.sockets.size === 0, 'the node sees it')
    await noConnections()
  })
})

describe('a link that is encrypted', () => {
  test('passes bytes, has faults of bytes, and refuses those of requests', async () => {
    const secret = new Stage('tls')
    await secret.open()
    try {
      await expect(secret.fault('drop', { api: 'Produce' })).rejects.toThrow('is encrypted (TLS)')
      expect(await secret.proxy.faults()).toEqual([])
      await secret.fault('latency', { delay: 30 })
      expect(await roundTripMs(await secret.client())).toBeGreaterThanOrEqual(58)
      expect((await secret.proxy.links())[0]?.requests).toEqual({})
    } finally {
      await secret.close()
    }
  })
})
