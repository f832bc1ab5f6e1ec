/** Links that come and go while a proxy is at work, through its control interface. */
import { createServer, type Server } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { poll } from '#scripts/cluster/clock.ts'
import { portIsFree } from '#scripts/cluster/ports.ts'
import { ProxyClient } from '#scripts/proxy/client.ts'
import { serveControl } from '#scripts/proxy/control.ts'
import type { LinkDescription, LinkState } from '#scripts/proxy/model.ts'
import { FakeClient, FakeNode, Stage } from './peers.ts'

const host = '127.0.0.1'
let stage: Stage
let second: FakeNode
let port: number
let control: ProxyClient
const clients: FakeClient[] = []
const servers: Server[] = []

beforeEach(async () => {
  stage = new Stage()
  second = new FakeNode()
  await stage.open()
  await second.listen()
  port = await serveControl(stage.proxy)
  control = new ProxyClient(port)
})
afterEach(async () => {
  for (const { socket } of clients.splice(0)) socket.destroy()
  for (const server of servers.splice(0)) server.close()
  await stage.close()
  second.close()
})

/** A link to the second node; it may have any port. */
const toSecond = (description: Partial<LinkDescription> = {}): LinkDescription => ({
  ...({ from: 'client', to: 2, listener: 'client', listen: { host, port: 0 }, protocol: 'kafka' } as const),
  target: { host, port: second.port },
  ...description,
})

async function opened(link: LinkState | undefined): Promise<FakeClient> {
  const client = new FakeClient(link!.listen.port)
  clients.push(client)
  client.metadata()
  await client.answered(1)
  return client
}

const names = async () => (await control.links()).map(({ name }) => name)

/** A port of this machine that somebody listens on. */
async function takenPort(): Promise<number> {
  const server = createServer()
  servers.push(server)
  await new Promise<void>(resolve => server.listen(0, host, resolve))
  return (server.address() as { port: number }).port
}

async function statusOf(method: string, body: string): Promise<{ status: number; error: string }> {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(`http://${host}:${port}/links`, { method, headers, body })
  return { status: answer.status, error: ((await answer.json()) as { error: string }).error }
}

describe('links that a proxy gets while it is at work', () => {
  test('lead to their node, and leave connections of others open', async () => {
    const [first] = await control.links()
    const before = await opened(first)
    const added = await control.addLinks([toSecond(), toSecond({ from: 1, listener: 'broker' })])
    expect(added.map(({ name }) => name)).toEqual(['client->2', '1->2'])
    expect(await names()).toEqual(['client->1', 'client->2', '1->2'])
    await opened(added[0])
    expect(second.requests).toHaveLength(1)
    before.metadata()
    await before.answered(2)
    expect((await control.links())[0]).toMatchObject({ accepted: 1, connections: 1 })
  })

  test('have none of the faults that were there, which stay where they are, and all that come later', async () => {
    const [first] = await control.links()
    const before = await control.add({ kind: 'hold', from: ['all'], to: ['all'] })
    const waiting = new FakeClient(first!.listen.port)
    clients.push(waiting)
    waiting.metadata()
    const held = async () => (await control.faults())[0]?.held === 1 || undefined
    expect(await poll(held, { everyMs: 2, timeoutMs: 10_000 })).toBe(true)
    const [link] = await control.addLinks([toSecond()])
    await opened(link)
    expect(await control.faults()).toMatchObject([{ id: before.id, links: ['client->1'], held: 1, hits: 1 }])
    expect(waiting.answers).toEqual([])
    const cut = await control.add({ kind: 'cut', from: ['client'], to: [2] })
    expect(cut.links).toEqual(['client->2'])
    const probe = { clientId: 'looker', timeoutMs: 500, requests: 0 }
    expect((await control.probe('client->2', probe)).ending).toBe('refused')
    await control.heal([cut.id])
    expect((await control.probe('client->2', probe)).ending).toBe('silent')
    await control.release(before.id)
    await waiting.answered(1)
  })

  test('are left alone where they are there already, and refused where they are others', async () => {
    const [link] = await control.addLinks([toSecond(), toSecond()])
    const client = await opened(link)
    expect(await control.addLinks([toSecond(), toSecond({ listen: link!.listen })])).toEqual([])
    const elsewhere = control.addLinks([toSecond({ to: 3 }), toSecond({ target: { host, port: 1 } })])
    await expect(elsewhere).rejects.toThrow(
      `The link client->2 is there already, from ${host}:${link!.listen.port} to ${host}:${second.port} (kafka)`,
    )
    await expect(elsewhere).rejects.toMatchObject({ exitCode: 2 })
    expect(await names()).toEqual(['client->1', 'client->2'])
    client.metadata()
    await client.answered(2)
  })

  test('come all, or none when one port is taken', async () => {
    const [free] = await control.addLinks([toSecond()])
    await control.removeLinks(['client->2'])
    const taken = await takenPort()
    const both = [toSecond({ listen: free!.listen }), toSecond({ to: 3, listen: { host, port: taken } })]
    await expect(control.addLinks(both)).rejects.toThrow(`cannot listen on ${host}:${taken} (link client->3)`)
    expect(await names()).toEqual(['client->1'])
    expect(await portIsFree(free!.listen.port)).toBe(true)
    expect((await control.addLinks([both[0]!])).map(({ name }) => name)).toEqual(['client->2'])
  })

  test.each([
    ['{}', 'Expected a list of links'],
    ['null', 'Expected a list of links'],
    ['{"links": [1]}', '1 is no link'],
    [
      '{"links": [{"from": 1, "to": 2, "listener": "broker"}]}',
      'it has from, to, listener, listen, target and protocol',
    ],
    [JSON.stringify({ links: [{ ...link(), listener: 'client' }] }), 'is no link'],
    [JSON.stringify({ links: [{ ...link(), listen: { host, port: 70_000 } }] }), 'is no link'],
    [JSON.stringify({ links: [{ ...link(), protocol: 'http' }] }), 'is no link'],
  ])('are nothing else: %s', async (body, why) => {
    const { status, error } = await statusOf('POST', body)
    expect(error).toContain(why)
    expect(status).toBe(400)
    expect(await names()).toEqual(['client->1'])
  })
})

function link(): LinkDescription {
  return { from: 1, to: 2, listener: 'broker', listen: { host, port: 0 }, target: { host, port: 1 }, protocol: 'kafka' }
}

describe('links that a proxy loses while it is at work', () => {
  test('end with their connections, and free their port; others stay', async () => {
    const [first] = await control.links()
    const stays = await opened(first)
    const [added] = await control.addLinks([toSecond()])
    const goes = await opened(added)
    await control.removeLinks(['client->2'])
    await goes.closed
    expect(await portIsFree(added!.listen.port)).toBe(true)
    expect(await names()).toEqual(['client->1'])
    stays.metadata()
    await stays.answered(2)
  })

  test('take the faults with them that are at work nowhere else', async () => {
    await control.addLinks([toSecond()])
    const both = await control.add({ kind: 'latency', from: ['client'], to: ['all'], parameters: { delay: 1 } })
    await control.add({ kind: 'hold', from: ['client'], to: [2] })
    await control.removeLinks(['client->2'])
    expect(await control.faults()).toMatchObject([{ id: both.id, links: ['client->1'] }])
    // One of that name that comes later has nothing of the one that went.
    const [again] = await control.addLinks([toSecond()])
    await opened(again)
    expect(await control.faults()).toMatchObject([{ id: both.id, links: ['client->1'] }])
  })

  test('are named as they are called', async () => {
    await expect(control.removeLinks(['client->1', 'client->9'])).rejects.toThrow('There is no link client->9')
    expect(await statusOf('DELETE', '{"links": [1]}')).toEqual({ status: 400, error: '1 is no name of a link.' })
    expect(await names()).toEqual(['client->1'])
  })
})
