/** The port of a link that is cut is free: something else may have it when the link wants it back. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ToolkitError } from '#scripts/errors.ts'
import { FakeClient, patienceMs, Stage } from './peers.ts'

const host = '127.0.0.1'
let stage: Stage
/** The port of `client->1`, which is cut. */
let port: number
/** The port of `2->1`. */
let other: number
let cut: string
let thief: Server

beforeEach(async () => {
  stage = new Stage()
  await stage.open()
  port = await stage.port()
  const target = { host, port: stage.node.port }
  const peer = { from: 2, to: 1, listener: 'broker', listen: { host, port: 0 }, target, protocol: 'kafka' } as const
  other = (await stage.proxy.addLinks([peer]))[0]!.listen.port
  cut = (await stage.fault('cut')).id
  thief = createServer(socket => socket.destroy())
  thief.listen({ host, port })
  await once(thief, 'listening')
})
afterEach(async () => {
  thief.close()
  await stage.close()
})

const listed = async () => (await stage.proxy.faults()).map(({ id }) => id)

async function giveBack(): Promise<void> {
  thief.close()
  await once(thief, 'close')
}

async function served(): Promise<void> {
  const serves = async () => {
    const client = await stage.client()
    client.metadata()
    await Promise.race([client.closed, client.answered(1)])
    return client.ids.length
  }
  await expect.poll(serves, { timeout: patienceMs }).toBe(1)
}

describe('a cut whose link cannot have its port back', () => {
  test('is not healed, and says why; it is over when the port is free, without a further order', async () => {
    const healing = stage.proxy.heal([cut])
    await expect(healing).rejects.toThrow(`The fault ${cut} is healed, and its link refuses connections all the same.`)
    await expect(healing).rejects.toThrow(`cannot listen on ${host}:${port} (link client->1)`)
    await expect(healing).rejects.toBeInstanceOf(ToolkitError)
    expect(await listed()).toEqual([cut])
    await giveBack()
    await served()
    expect(await listed()).toEqual([])
  })

  test('is healed by a further order once the port is free', async () => {
    await expect(stage.proxy.heal([cut])).rejects.toThrow('cannot listen')
    await expect(stage.proxy.heal('all')).rejects.toThrow('cannot listen')
    await giveBack()
    await stage.proxy.heal('all')
    expect(await listed()).toEqual([])
    await served()
  })

  test('keeps no other link from its faults: what is held there goes on', async () => {
    const held = await stage.proxy.add({ kind: 'hold', from: [2], to: [1] })
    const peer = new FakeClient(other)
    stage.clients.push(peer)
    peer.metadata()
    const isHeld = async () => (await stage.state(held.id)).held
    await expect.poll(isHeld, { timeout: patienceMs }).toBe(1)
    await expect(stage.proxy.heal('all')).rejects.toThrow('cannot listen')
    expect(await peer.answered(1)).toEqual([1])
    expect(await listed()).toEqual([cut])
    const latency = await stage.proxy.add({ kind: 'latency', from: [2], to: [1], parameters: { delay: 1 } })
    expect(await listed()).toEqual([cut, latency.id])
    await stage.proxy.heal([latency.id])
  })

  test('leaves no fault behind that somebody wants on that link meanwhile', async () => {
    await expect(stage.proxy.heal([cut])).rejects.toThrow('cannot listen')
    const both = { from: ['client', 2], to: [1] } as const
    const added = stage.proxy.add({ kind: 'latency', ...both, parameters: { delay: 600_000 } })
    await expect(added).rejects.toThrow('cannot listen')
    expect(await listed()).toEqual([cut])
    const peer = new FakeClient(other)
    stage.clients.push(peer)
    peer.metadata()
    expect(await peer.answered(1)).toEqual([1])
  })

  test('can be cut again', async () => {
    await expect(stage.proxy.heal([cut])).rejects.toThrow('cannot listen')
    const again = await stage.fault('cut')
    expect(await listed()).toEqual([again.id])
    await expect(stage.proxy.heal([again.id])).rejects.toThrow('cannot listen')
    await giveBack()
    await served()
  })
})
