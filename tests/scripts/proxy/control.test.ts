import { once } from 'node:events'
import { createServer, request, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ToolkitError } from '#scripts/errors.ts'
import { ProxyClient } from '#scripts/proxy/client.ts'
import { serveControl } from '#scripts/proxy/control.ts'
import { linkFaultKinds } from '#scripts/proxy/kinds.ts'
import { Stage } from './peers.ts'

const stage = new Stage()
let port = 0
let control: ProxyClient
beforeAll(async () => {
  await stage.open()
  port = await serveControl(stage.proxy)
  control = new ProxyClient(port)
})
afterAll(() => stage.close())

async function raw(
  method: string,
  path: string,
  headers: Record<string, string>,
  body = '',
): Promise<{ status: number; text: string }> {
  const asked = request({ host: '127.0.0.1', port, method, path, headers })
  asked.end(body)
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  let text = ''
  for await (const chunk of answer.setEncoding('utf8')) text += chunk as string
  return { status: answer.statusCode ?? 0, text }
}

const fault = { kind: 'latency', from: ['client'], to: [1], parameters: { delay: 5 } } as const

describe('the control interface of a proxy', () => {
  test('adds, lists, releases and heals faults as the proxy itself does', async () => {
    const added = await control.add(fault)
    expect(added).toMatchObject({ name: 'latency', links: ['client->1'], parameters: { delay: 5, jitter: 0 }, hits: 0 })
    const hold = await control.add({ ...fault, kind: 'hold', parameters: { api: 'Produce' } })
    expect((await control.faults()).map(({ id }) => id)).toEqual([added.id, hold.id])
    expect(await control.release(hold.id)).toBe(0)
    expect((await control.heal([added.id])).map(({ id }) => id)).toEqual([added.id])
    await control.heal('all')
    expect(await control.faults()).toEqual([])
    expect((await control.links()).map(({ name }) => name)).toEqual(['client->1'])
  })

  test('probes a link from where the proxy is', async () => {
    // Asks nothing: it is about the connection alone.
    const options = { clientId: 'looker', timeoutMs: 2_000, requests: 0 }
    expect((await control.probe('client->1', options)).ending).toBe('silent')
    await control.add({ kind: 'cut', from: ['client'], to: [1] })
    expect((await control.probe('client->1', options)).ending).toBe('refused')
    await control.heal('all')
    await expect(control.probe('1->7', options)).rejects.toThrow('There is no link 1->7')
    const { status, text } = await raw(
      'POST',
      '/probe',
      { 'content-type': 'application/json' },
      '{"link": "client->1"}',
    )
    expect(text).toContain('options with clientId and timeoutMs')
    expect(status).toBe(400)
  })

  test('tells the kinds with their parameters', async () => {
    const { text } = await raw('GET', '/kinds', {})
    expect((JSON.parse(text) as { name: string }[]).map(({ name }) => name)).toEqual(
      linkFaultKinds.map(({ name }) => name),
    )
  })

  test('refuses as the toolkit does: what was expected, and the exit code', async () => {
    const refused = control.add({ ...fault, parameters: {} })
    await expect(refused).rejects.toThrow('The fault latency needs --delay')
    await expect(refused).rejects.toBeInstanceOf(ToolkitError)
    await expect(refused).rejects.toMatchObject({ exitCode: 2 })
    await expect(control.heal(['latency-99'])).rejects.toThrow('There is no fault latency-99')
    await expect(control.release('latency-99')).rejects.toThrow('There is no fault latency-99')
  })

  test.each([
    [
      'a web page of somebody else',
      'POST',
      '/faults',
      { host: 'evil.example' },
      JSON.stringify(fault),
      'not to evil.example',
    ],
    [
      'a form',
      'POST',
      '/faults',
      { 'content-type': 'text/plain' },
      JSON.stringify(fault),
      'content-type application/json',
    ],
    ['half a body', 'POST', '/faults', { 'content-type': 'application/json' }, '{"kind":', 'no JSON'],
    [
      'a fault without links',
      'POST',
      '/faults',
      { 'content-type': 'application/json' },
      '{"kind": "cut"}',
      'kind, from and to',
    ],
    ['null', 'POST', '/faults', { 'content-type': 'application/json' }, 'null', 'kind, from and to'],
    ['half a letter', 'POST', '/faults/%zz/release', {}, '', '"%zz" in the path cannot be decoded'],
    ['something else', 'GET', '/secrets', {}, '', 'nothing that a fault proxy knows'],
  ])('does not listen to %s', async (_, method, path, headers, body, why) => {
    const { status, text } = await raw(method, path, headers, body)
    expect(status).toBe(400)
    expect((JSON.parse(text) as { error: string }).error).toContain(why)
    expect(await stage.proxy.faults()).toEqual([])
  })

  test('that is frozen is a failure with a way out, and not waited for without end', async () => {
    const frozen = createServer(() => undefined).listen(0, '127.0.0.1')
    await once(frozen, 'listening')
    const { port: mute } = frozen.address() as AddressInfo
    const asked = new ProxyClient(mute, 50).faults()
    await expect(asked).rejects.toThrow('gave no answer on its control port')
    await expect(asked).rejects.toMatchObject({ exitCode: 1, remedy: expect.stringContaining('status') as string })
    frozen.closeAllConnections()
    frozen.close()
  })

  test('that is gone is a failure with a way out', async () => {
    await expect(new ProxyClient(1).faults()).rejects.toThrow('does not answer on its control port 1')
  })
})
