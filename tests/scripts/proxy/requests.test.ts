import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { poll } from '#scripts/cluster/clock.ts'
import { collectedBytesMax } from '#scripts/proxy/frame-cutter.ts'
import { patienceMs, Stage, until } from './peers.ts'

let stage: Stage
beforeEach(async () => {
  stage = new Stage()
  await stage.open()
})
afterEach(() => stage.close())

const arrived = () => stage.node.requests.map(({ correlationId }) => correlationId)

describe('requests through a link', () => {
  test('come as they were sent when nothing is wrong', async () => {
    const client = await stage.client()
    for (let index = 0; index < 50; index++) client.produce('t', { bytes: index * 1000 })
    expect(await client.answered(50)).toEqual(Array.from({ length: 50 }, (_, index) => index + 1))
    const [link] = await stage.proxy.links()
    expect(link).toMatchObject({ name: 'client->1', connections: 1, requests: { Produce: 50 }, clientIds: ['test'] })
  })

  test('are dropped: the nth never arrives, what came before is answered, and the connection ends', async () => {
    const { id } = await stage.fault('drop', { api: 'Produce', nth: 3 })
    const client = await stage.client()
    client.metadata()
    for (let index = 0; index < 5; index++) client.produce('t')
    await client.closed
    expect(arrived()).toEqual([1, 2, 3])
    expect(client.ids).toEqual([1, 2, 3])
    expect((await stage.state(id)).hits).toBe(1)
    const next = await stage.client()
    next.produce('t')
    expect(await next.answered(1)).toEqual([1])
  })

  test('of which the response is dropped have happened', async () => {
    await stage.fault('drop', { api: 'Produce', nth: 2, on: 'response' })
    const client = await stage.client()
    for (let index = 0; index < 4; index++) client.produce('t')
    await client.closed
    expect(client.ids).toEqual([1])
    expect(arrived().slice(0, 2)).toEqual([1, 2])
  })

  test('stall when that is asked for, until the fault heals', async () => {
    const { id } = await stage.fault('drop', { api: 'Produce', then: 'stall', nth: 1 })
    const client = await stage.client()
    client.metadata()
    client.produce('t')
    client.metadata()
    expect(await client.answered(1)).toEqual([1])
    await until(() => stage.node.requests.length === 1, 'one request')
    await stage.proxy.heal([id])
    await client.closed
    expect(arrived()).toEqual([1])
  })

  test('come twice and are answered once', async () => {
    await stage.fault('duplicate', { api: 'Produce' })
    const client = await stage.client()
    client.produce('t')
    client.metadata()
    client.produce('t')
    expect(await client.answered(3)).toEqual([1, 2, 3])
    await until(() => stage.node.requests.length === 5, 'five requests')
    expect(arrived()).toEqual([1, 1, 2, 3, 3])
    client.metadata()
    expect(await client.answered(4)).toEqual([1, 2, 3, 4])
  })

  test('are held with all behind them, and go on in order when released', async () => {
    const { id } = await stage.fault('hold', { api: 'Produce', nth: 1 })
    const client = await stage.client()
    client.metadata()
    client.produce('t')
    client.metadata()
    expect(await client.answered(1)).toEqual([1])
    await until(() => stage.node.requests.length === 1, 'one request')
    expect((await stage.state(id)).held).toBe(1)
    expect(await stage.proxy.release(id)).toBe(1)
    expect(await client.answered(3)).toEqual([1, 2, 3])
    expect(arrived()).toEqual([1, 2, 3])
    expect((await stage.state(id)).held).toBe(0)
  })

  test('that are held arrive although their sender has gone', async () => {
    const { id } = await stage.fault('hold', { api: 'Produce' })
    const client = await stage.client()
    client.produce('t')
    await poll(async () => (await stage.state(id)).held === 1 || undefined, { everyMs: 2, timeoutMs: patienceMs })
    client.socket.destroy()
    await client.closed
    expect(arrived()).toEqual([])
    await stage.proxy.heal([id])
    await until(() => stage.node.requests.length === 1, 'the request')
  })

  test('come later, and what is behind them too', async () => {
    await stage.fault('delay', { api: 'Produce', delay: 150 })
    const client = await stage.client()
    client.metadata()
    await client.answered(1)
    const sinceMs = performance.now()
    client.produce('t')
    client.metadata()
    expect(await client.answered(3)).toEqual([1, 2, 3])
    expect(performance.now() - sinceMs).toBeGreaterThanOrEqual(148)
  })

  test('are answered with an error when their turn comes, and never arrive', async () => {
    await stage.fault('error', { api: 'Produce', topic: 'bad', code: 'NOT_LEADER_OR_FOLLOWER' })
    const client = await stage.client()
    for (const topic of ['good', 'bad', 'good', 'bad']) client.produce(topic)
    expect(await client.answered(4)).toEqual([1, 2, 3, 4])
    const codes = client.answers.map(({ body }) => {
      const [topic] = body['responses'] as { partitionResponses: { errorCode: number }[] }[]
      return topic?.partitionResponses[0]?.errorCode
    })
    expect(codes).toEqual([0, 6, 0, 6])
    expect(arrived()).toEqual([1, 3])
  })

  test('have happened where the error takes the place of the answer', async () => {
    await stage.fault('error', { api: 'Produce', on: 'response', code: 'REQUEST_TIMED_OUT' })
    const client = await stage.client()
    client.produce('t')
    await client.answered(1)
    expect(client.answers[0]?.body).toMatchObject({
      responses: [{ partitionResponses: [{ errorCode: 7, baseOffset: -1 }] }],
    })
    expect(arrived()).toEqual([1])
  })

  test('that the proxy answers itself are held like others, with all answers behind theirs', async () => {
    const { id } = await stage.fault('hold', { api: 'Produce', topic: 'bad' })
    await stage.fault('error', { api: 'Produce', topic: 'bad', code: 'NOT_LEADER_OR_FOLLOWER' })
    const client = await stage.client()
    for (const topic of ['good', 'bad', 'good']) client.produce(topic)
    await until(() => stage.node.requests.length === 2, 'two requests')
    await expect.poll(async () => (await stage.state(id)).held, { timeout: patienceMs }).toBe(1)
    expect(await client.answered(1)).toEqual([1])
    expect(await stage.proxy.release(id)).toBe(1)
    expect(await client.answered(3)).toEqual([1, 2, 3])
    expect(arrived()).toEqual([1, 3])
    expect(await stage.state(id)).toMatchObject({ hits: 1, held: 0, missed: 0 })
  })

  test('that the proxy answers itself are delayed like others', async () => {
    await stage.fault('delay', { api: 'Produce', delay: 150 })
    await stage.fault('error', { api: 'Produce', code: 'NOT_LEADER_OR_FOLLOWER' })
    const client = await stage.client()
    const sinceMs = performance.now()
    client.produce('t')
    await client.answered(1)
    expect(performance.now() - sinceMs).toBeGreaterThanOrEqual(148)
    expect(arrived()).toEqual([])
  })

  test('that nobody gets to see are neither held, delayed nor doubled, and counted as missed', async () => {
    const faults = [
      await stage.fault('hold', { api: 'Produce', 'client-id': 'silent' }),
      await stage.fault('delay', { api: 'Produce', 'client-id': 'silent', delay: 600_000 }),
      await stage.fault('duplicate', { api: 'Produce' }),
    ]
    await stage.fault('error', { api: 'Produce', code: 'NOT_LEADER_OR_FOLLOWER' })
    const client = await stage.client('silent')
    client.produce('t', { acks: 0 })
    client.metadata()
    expect(await client.answered(1)).toEqual([2])
    for (const { id } of faults) expect(await stage.state(id)).toMatchObject({ hits: 0, held: 0, missed: 1 })
  })

  test('are not answered by the proxy itself behind a response that is lost', async () => {
    const stall = await stage.fault('drop', { topic: 'lost', on: 'response', then: 'stall' })
    const { id } = await stage.fault('error', { topic: 'bad', code: 'NOT_LEADER_OR_FOLLOWER' })
    const client = await stage.client()
    const hits = (fault: string) => async () => (await stage.state(fault)).hits
    client.produce('lost')
    await expect.poll(hits(stall.id), { timeout: patienceMs }).toBe(1)
    client.produce('bad')
    await expect.poll(hits(id), { timeout: patienceMs }).toBe(1)
    await stage.proxy.heal([stall.id])
    await client.closed
    expect(client.ids).toEqual([])
  })

  test('too large to be looked at pass, are counted as missed, and keep their turn', async () => {
    const every = await stage.fault('error', { api: 'Produce', code: 6, every: 2 })
    const all = await stage.fault('error', { api: 'Produce', code: 7 })
    const topic = await stage.fault('hold', { api: 'Produce', topic: 'elsewhere' })
    const stranger = await stage.fault('hold', { api: 'Produce', 'client-id': '^stranger$' })
    const client = await stage.client()
    client.produce('t', { bytes: collectedBytesMax })
    client.produce('t')
    expect(await client.answered(2)).toEqual([1, 2])
    expect(arrived()).toEqual([1])
    expect(await stage.state(every.id)).toMatchObject({ hits: 1, missed: 0 })
    expect(await stage.state(all.id)).toMatchObject({ hits: 1, missed: 1 })
    expect(await stage.state(topic.id)).toMatchObject({ hits: 0, missed: 1 })
    expect(await stage.state(stranger.id)).toMatchObject({ hits: 0, missed: 0 })
  })

  test('of which the response is too large to be looked at are counted as missed', async () => {
    const { id } = await stage.fault('drop', { api: 'Produce', on: 'response' })
    stage.node.answers = false
    const client = await stage.client()
    const correlationId = client.produce('t')
    await until(() => stage.node.requests.length === 1, 'the request')
    const start = Buffer.alloc(8)
    start.writeInt32BE(collectedBytesMax + 1, 0)
    start.writeInt32BE(correlationId, 4)
    for (const socket of stage.node.sockets) socket.write(start)
    await expect.poll(async () => (await stage.state(id)).missed, { timeout: patienceMs }).toBe(1)
    expect((await stage.state(id)).hits).toBe(0)
  })

  test('with acks=0 keep nobody waiting', async () => {
    await stage.fault('error', { api: 'Produce', topic: 'bad', code: 'NOT_LEADER_OR_FOLLOWER' })
    const client = await stage.client()
    client.produce('good', { acks: 0 })
    client.produce('bad', { acks: 0 })
    client.produce('bad')
    client.metadata()
    expect(await client.answered(2)).toEqual([3, 4])
    expect(arrived()).toEqual([1, 4])
  })

  test('of other topics, partitions, clients and versions are left alone', async () => {
    await stage.fault('error', { api: 'Produce', topic: 't', partition: 1, code: 6 })
    await stage.fault('error', { api: 'Produce', 'client-id': '^other', code: 7 })
    await stage.fault('error', { api: 'Produce', versions: '10+', code: 8 })
    const client = await stage.client()
    client.produce('t')
    client.produce('t', { partition: 1 })
    client.produce('u', { partition: 1 })
    const other = await stage.client('other-1')
    other.produce('t')
    await client.answered(3)
    await other.answered(1)
    const codes = [...client.answers, ...other.answers].map(
      ({ body }) => JSON.stringify(body).match(/"errorCode":(\d+)/)?.[1],
    )
    expect(codes).toEqual(['0', '6', '0', '7'])
  })

  test('of probes use up no count, however broad the expression for client ids; one that names them is about them', async () => {
    const { id } = await stage.fault('error', { api: 'Produce', 'client-id': '.*', code: 6, nth: 1 })
    const twin = await stage.fault('error', { topic: 'u', 'client-id': '^faultline-probe-1$', code: 6, times: 1 })
    const probe = await stage.client('faultline-probe-1')
    probe.produce('t')
    probe.produce('u')
    expect(await probe.answered(2)).toEqual([1, 2])
    expect(arrived()).toEqual([1])
    expect([(await stage.state(id)).hits, (await stage.state(twin.id)).hits]).toEqual([0, 1])
    const client = await stage.client()
    client.produce('t')
    await client.answered(1)
    expect((await stage.state(id)).hits).toBe(1)
  })

  test('are hit every nth time, so often, or by a seeded chance', async () => {
    const every = await stage.fault('error', { api: 'Produce', topic: 'a', code: 6, every: 3, times: 2 })
    const chance = await stage.fault('error', { api: 'Produce', topic: 'b', code: 6, probability: 0.5, seed: 7 })
    const again = await stage.fault('error', { api: 'Produce', topic: 'c', code: 6, probability: 0.5, seed: 7 })
    const client = await stage.client()
    for (let index = 0; index < 12; index++) for (const topic of ['a', 'b', 'c']) client.produce(topic)
    await client.answered(36)
    expect((await stage.state(every.id)).hits).toBe(2)
    const { hits } = await stage.state(chance.id)
    expect(hits).toBeGreaterThan(1)
    expect(hits).toBeLessThan(11)
    expect((await stage.state(again.id)).hits).toBe(hits)
  })

  test('can be broken in the middle of a connection, and mended again', async () => {
    const client = await stage.client()
    client.produce('t', { bytes: 300_000 })
    await client.answered(1)
    const { id } = await stage.fault('error', { api: 'Produce', code: 6 })
    client.produce('t', { bytes: 300_000 })
    await client.answered(2)
    await stage.proxy.heal([id])
    client.produce('t')
    await client.answered(3)
    expect(arrived()).toEqual([1, 3])
  })
})
