/** A fault proxy in another process, under the same interface as one in this. */
import { codeOf, failure, ToolkitError, type ExitCode } from '../errors.ts'
import type { Refusal } from './control-protocol.ts'
import type { FaultRequest, FaultState, LinkDescription, LinkState, ProxyControl } from './model.ts'
import type { Probe, ProbeOptions } from './probe.ts'

export class ProxyClient implements ProxyControl {
  readonly #port: number
  readonly #patienceMs: number

  /** @param patienceMs  how long an answer may take, beyond what a probe waits for itself */
  constructor(controlPort: number, patienceMs = 10_000) {
    this.#port = controlPort
    this.#patienceMs = patienceMs
  }

  async links(): Promise<readonly LinkState[]> {
    return (await this.#ask('GET', '/links')) as readonly LinkState[]
  }

  async faults(): Promise<readonly FaultState[]> {
    return (await this.#ask('GET', '/faults')) as readonly FaultState[]
  }

  async add(request: FaultRequest): Promise<FaultState> {
    return (await this.#ask('POST', '/faults', request)) as FaultState
  }

  async heal(ids: readonly string[] | 'all'): Promise<readonly FaultState[]> {
    if (ids === 'all') return (await this.#ask('DELETE', '/faults')) as readonly FaultState[]
    const healed: FaultState[] = []
    for (const id of ids)
      healed.push(...((await this.#ask('DELETE', `/faults/${encodeURIComponent(id)}`)) as readonly FaultState[]))
    return healed
  }

  async release(id: string): Promise<number> {
    const answer = await this.#ask('POST', `/faults/${encodeURIComponent(id)}/release`)
    return (answer as { readonly released: number }).released
  }

  async probe(link: string, options: ProbeOptions): Promise<Probe> {
    return (await this.#ask('POST', '/probe', { link, options }, options.timeoutMs)) as Probe
  }

  async addLinks(links: readonly LinkDescription[]): Promise<readonly LinkState[]> {
    return (await this.#ask('POST', '/links', { links })) as readonly LinkState[]
  }

  async removeLinks(names: readonly string[]): Promise<void> {
    await this.#ask('DELETE', '/links', { links: names })
  }

  async #ask(method: string, path: string, body?: object, longerMs = 0): Promise<unknown> {
    let response: Response
    let answer: unknown
    const patienceMs = this.#patienceMs + longerMs
    try {
      response = await fetch(`http://127.0.0.1:${this.#port}${path}`, {
        method,
        signal: AbortSignal.timeout(patienceMs),
        ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      })
      answer = await response.json()
    } catch (error) {
      if (error instanceof Error && error.name === 'TimeoutError')
        throw failure(
          `The fault proxy gave no answer on its control port ${this.#port} within ${patienceMs / 1_000} s: it is frozen or busy.`,
          './faultline status shows its process; ./faultline down, then up, begins anew.',
          error,
        )
      const cause = error instanceof Error && error.cause !== undefined ? codeOf(error.cause) : undefined
      throw failure(
        `The fault proxy does not answer on its control port ${this.#port} (${cause ?? String(error)}).`,
        './faultline doctor tells whether it runs; ./faultline fault heal --all starts it again.',
        error,
      )
    }
    if (response.ok) return answer
    const { error, remedy, exitCode } = answer as Refusal
    throw new ToolkitError(exitCode as ExitCode, error, { remedy })
  }
}
