/** The least of HTTP/1.1 that a browser, curl, Prometheus and a health check need: GET, one answer, close. Pure. */

export interface HttpAnswer {
  readonly status: 200 | 400 | 404 | 405 | 503
  readonly contentType: string
  readonly body: string
}

const reasons: Readonly<Record<HttpAnswer['status'], string>> = {
  200: 'OK',
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  503: 'Service Unavailable',
}

/** Longest request head that is read before the peer is sent away. */
export const maxHeadBytes = 8192

/** The request's path, a refusal, or undefined while the head is not complete. */
export function readHead(head: string): { readonly path: string } | HttpAnswer | undefined {
  if (!head.includes('\r\n\r\n')) return head.length > maxHeadBytes ? text(400, 'request head too long') : undefined
  const match = /^([A-Z]+) (\S+) HTTP\/1\.[01]\r\n/.exec(head)
  if (match === null) return text(400, 'expected an HTTP/1.1 request')
  if (match[1] !== 'GET') return text(405, 'only GET is served: this view is read-only')
  return { path: (match[2] ?? '/').replace(/\?.*$/, '') }
}

export const text = (status: HttpAnswer['status'], body: string): HttpAnswer => ({
  status,
  contentType: 'text/plain; charset=utf-8',
  body: `${body}\n`,
})

export const json = (status: HttpAnswer['status'], value: unknown): HttpAnswer => ({
  status,
  contentType: 'application/json; charset=utf-8',
  body: `${JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? String(each) : each), 2)}\n`,
})

export function writeAnswer({ status, contentType, body }: HttpAnswer): Buffer {
  const head = [
    `HTTP/1.1 ${status} ${reasons[status]}`,
    `content-type: ${contentType}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'cache-control: no-store',
    'connection: close',
  ]
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`)
}
