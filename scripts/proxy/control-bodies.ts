/** The bodies of requests to a fault proxy, as whoever sent them wrote them: refused in words where they are nothing that was agreed on. */
import { usageError } from '../errors.ts'
import { listenerKinds, type Address, type FaultRequest, type LinkDescription } from './model.ts'
import type { ProbeOptions } from './probe.ts'

type Loose<T> = Partial<Record<keyof T, unknown>>

export function checkedProbe(value: unknown): { readonly link: string; readonly options: ProbeOptions } {
  const { link, options } = (value ?? {}) as { readonly link?: unknown; readonly options?: Partial<ProbeOptions> }
  if (typeof link !== 'string' || typeof options?.clientId !== 'string' || typeof options.timeoutMs !== 'number')
    throw usageError('A probe has a link, and options with clientId and timeoutMs.')
  return { link, options: options as ProbeOptions }
}

const faultExample = 'For example: {"kind": "latency", "from": [1], "to": [2], "parameters": {"delay": 100}}'

export function checkedFault(value: unknown): FaultRequest {
  const request = value as Loose<FaultRequest> | null
  const isList = (list: unknown) =>
    Array.isArray(list) && list.every(item => typeof item === 'number' || item === 'client' || item === 'all')
  const { kind, from, to, parameters = {} } = request ?? {}
  if (typeof kind !== 'string' || !isList(from) || !isList(to))
    throw usageError('A fault has a kind, from and to.', faultExample)
  if (typeof parameters !== 'object' || parameters === null) throw usageError('parameters is an object.', faultExample)
  return request as FaultRequest
}

const linkExample =
  'For example: {"links": [{"from": 2, "to": 1, "listener": "broker", "listen": {"host": "127.0.0.1", "port": 9410}, "target": {"host": "127.0.0.1", "port": 9411}, "protocol": "kafka"}]}'

/** Of links that come. */
export function checkedLinks(value: unknown): readonly LinkDescription[] {
  const list = listIn(value)
  const strange = list.find(link => !isLink(link))
  if (strange !== undefined)
    throw usageError(
      `${JSON.stringify(strange)} is no link: it has from, to, listener, listen, target and protocol.`,
      linkExample,
    )
  return list as readonly LinkDescription[]
}

/** Names of links that go. */
export function checkedNames(value: unknown): readonly string[] {
  const list = listIn(value)
  const strange = list.find(name => typeof name !== 'string')
  if (strange !== undefined)
    throw usageError(`${JSON.stringify(strange)} is no name of a link.`, 'For example: {"links": ["4->1"]}')
  return list as readonly string[]
}

function listIn(value: unknown): readonly unknown[] {
  const { links } = (value ?? {}) as { readonly links?: unknown }
  if (Array.isArray(links)) return links
  throw usageError('Expected a list of links.', linkExample)
}

function isLink(value: unknown): boolean {
  const { from, to, listener, listen, target, protocol } = (value ?? {}) as Loose<LinkDescription>
  return (
    (Number.isInteger(from) || from === 'client') &&
    Number.isInteger(to) &&
    listenerKinds.some(kind => kind === listener) &&
    (from === 'client') === (listener === 'client') &&
    isAddress(listen) &&
    isAddress(target) &&
    (protocol === 'kafka' || protocol === 'tls')
  )
}

function isAddress(value: unknown): boolean {
  const { host, port } = (value ?? {}) as Loose<Address>
  return typeof host === 'string' && Number.isInteger(port) && Number(port) >= 0 && Number(port) <= 65_535
}
