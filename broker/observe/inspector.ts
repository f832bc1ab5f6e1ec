/**
 * The read-only HTTP view of this node: `/health` (200 when it serves), `/state` and `/requests` (JSON), `/metrics`
 * (Prometheus text). Off unless
 * `inspector.listener` says where. Never changes anything.
 */
import type { Address, Environment, Listener, Socket } from '../environment/environment.ts'
import { json, readHead, text, writeAnswer, type HttpAnswer } from './http.ts'

export interface NodeView {
  /** Undefined when it serves; else why not, in a few words. */
  unhealthy(): string | undefined
  state(): unknown
  /** Requests served so far, by API, version and client software. */
  requests(): unknown
  /** Name, type and value of each metric. */
  metrics(): readonly Metric[]
}

export interface Metric {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge'
  readonly values: readonly { readonly labels?: Readonly<Record<string, string>>; readonly value: number }[]
}

export class Inspector {
  readonly #environment: Environment
  readonly #view: NodeView
  #listener: Listener | undefined

  constructor(environment: Environment, view: NodeView) {
    this.#environment = environment
    this.#view = view
  }

  async listen(address: Address): Promise<void> {
    this.#listener = await this.#environment.network.listen(address, socket => this.#serve(socket))
  }

  async close(): Promise<void> {
    await this.#listener?.close()
  }

  #serve(socket: Socket): void {
    let head = ''
    socket.handle({
      data: chunk => {
        head += chunk.toString('latin1')
        const request = readHead(head)
        if (request === undefined) return
        socket.write([writeAnswer('path' in request ? this.#answer(request.path) : request)])
        socket.end()
      },
      // A view that was not waited for needs no answer.
      closed: () => undefined,
    })
  }

  #answer(path: string): HttpAnswer {
    switch (path) {
      case '/health': {
        const reason = this.#view.unhealthy()
        return reason === undefined ? text(200, 'ok') : text(503, reason)
      }
      case '/':
      case '/state':
        return json(200, this.#view.state())
      case '/requests':
        return json(200, this.#view.requests())
      case '/metrics':
        return { status: 200, contentType: 'text/plain; version=0.0.4', body: prometheusText(this.#view.metrics()) }
      default:
        return text(404, 'there is /health, /state, /requests and /metrics')
    }
  }
}

/** Prometheus text exposition format 0.0.4. */
export function prometheusText(metrics: readonly Metric[]): string {
  const lines: string[] = []
  for (const { name, help, type, values } of metrics) {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`)
    for (const { labels, value } of values) {
      const pairs = Object.entries(labels ?? {}).map(([key, each]) => `${key}="${escapeLabel(each)}"`)
      lines.push(`${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}`)
    }
  }
  return `${lines.join('\n')}\n`
}

const escapeLabel = (value: string): string =>
  value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
