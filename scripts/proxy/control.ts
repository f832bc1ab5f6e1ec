/** The HTTP side of a fault proxy; see control-protocol.ts for what it answers. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exitCodes, messageOf, ToolkitError, usageError } from '../errors.ts'
import { checkedFault, checkedLinks, checkedNames, checkedProbe } from './control-bodies.ts'
import type { Refusal } from './control-protocol.ts'
import { linkFaultKinds } from './kinds.ts'
import type { Address, ProxyControl } from './model.ts'

const bodyBytesMax = 1 << 16
const loopback = '127.0.0.1'

/**
 * Serves until the process ends; by default on any port of the loopback address, which is all it answers to anyway.
 *
 * @returns the port
 */
export async function serveControl(
  control: ProxyControl,
  address: Address = { host: loopback, port: 0 },
): Promise<number> {
  const server = createServer((incoming, outgoing) => void respond(control, incoming, outgoing))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(address, resolve)
  })
  return (server.address() as AddressInfo).port
}

async function respond(control: ProxyControl, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  let status = 200
  let answer: unknown
  try {
    answer = await perform(control, incoming)
  } catch (error) {
    status = error instanceof ToolkitError ? 400 : 500
    answer = {
      error: messageOf(error),
      remedy: error instanceof ToolkitError ? error.remedy : undefined,
      exitCode: error instanceof ToolkitError ? error.exitCode : exitCodes.failed,
    } satisfies Refusal
  }
  outgoing.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
}

async function perform(control: ProxyControl, incoming: IncomingMessage): Promise<unknown> {
  const host = (incoming.headers.host ?? '').replace(/:\d+$/, '')
  if (host !== loopback && host !== 'localhost') throw usageError(`This answers to ${loopback} only, not to ${host}.`)
  const { pathname } = new URL(incoming.url ?? '/', `http://${loopback}`)
  const [, collection = '', id = '', verb = ''] = pathname.split('/').map(decoded)
  const asked = `${incoming.method} /${[collection, id === '' ? '' : 'ID', verb].filter(part => part !== '').join('/')}`
  switch (asked) {
    case 'GET /links':
      return await control.links()
    case 'POST /links':
      return await control.addLinks(checkedLinks(await readBody(incoming)))
    case 'DELETE /links':
      await control.removeLinks(checkedNames(await readBody(incoming)))
      return {}
    case 'GET /kinds':
      return linkFaultKinds
    case 'GET /faults':
      return await control.faults()
    case 'POST /faults':
      return await control.add(checkedFault(await readBody(incoming)))
    case 'POST /probe': {
      const { link, options } = checkedProbe(await readBody(incoming))
      return await control.probe(link, options)
    }
    case 'POST /faults/ID/release':
      return { released: await control.release(id) }
    case 'DELETE /faults/ID':
      return await control.heal([id])
    case 'DELETE /faults':
      return await control.heal('all')
    default:
      throw usageError(
        `${incoming.method} ${pathname} is nothing that a fault proxy knows.`,
        'docs/fault-proxy.md lists it.',
      )
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch (error) {
    throw usageError(`${JSON.stringify(part)} in the path cannot be decoded: ${messageOf(error)}.`)
  }
}

async function readBody(incoming: IncomingMessage): Promise<unknown> {
  if (!(incoming.headers['content-type'] ?? '').startsWith('application/json'))
    throw usageError('Expected the content-type application/json.')
  let text = ''
  for await (const chunk of incoming.setEncoding('utf8')) {
    text += chunk as string
    if (text.length > bodyBytesMax) throw usageError(`A request has at most ${bodyBytesMax} characters.`)
  }
  try {
    return JSON.parse(text)
  } catch (error) {
    throw usageError(`The body is no JSON: ${messageOf(error)}`)
  }
}
