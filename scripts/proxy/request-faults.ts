/**
 * Faults that read Kafka's protocol: which requests or responses one is about, which of those it hits, and what becomes of them. Decides only;
 * `ProxiedConnection` carries it out.
 */
import type { Random } from '#broker/environment/environment.ts'
import { mentionsTopic, type TopicTarget } from './body-topics.ts'
import { fraction } from './distributions.ts'
import type { AnswerError } from './error-answer.ts'
import { apisOf, errorCodeOf } from './kinds.ts'
import type { Way } from './model.ts'
import type { Gate } from './outlet.ts'
import type { Parameters } from './parameters.ts'
import type { Message } from '#broker/protocol/schema.ts'

export type RequestAction =
  | { readonly do: 'drop'; readonly then: 'close' | 'stall' }
  | { readonly do: 'delay'; readonly delayMs: number }
  | { readonly do: 'duplicate' }
  | { readonly do: 'hold' }
  | { readonly do: 'error'; readonly error: AnswerError }

/** What the first bytes of a request tell. */
export interface Sender {
  readonly apiKey: number
  readonly apiVersion: number
  readonly clientId: string | null
}

/** What a fault may look at of a request, or of a response and the request it belongs to. */
export interface Candidate extends Sender {
  /** Decoded when somebody asks; undefined when it cannot be. */
  body(): { readonly message: Message; readonly value: Readonly<Record<string, unknown>> } | undefined
}

const kinds = new Set(['drop', 'delay', 'duplicate', 'hold', 'error'])

/** Requests of the toolkit that prove a fault; only a fault whose expression begins with it is about them. */
export const probeClientId = 'faultline-probe'

export class RequestFault {
  readonly id: string
  readonly way: Way
  readonly action: RequestAction
  readonly topic: TopicTarget | undefined
  readonly #apiKeys: ReadonlySet<number> | undefined
  readonly #versions: { readonly min: number; readonly max: number }
  readonly #clientId: RegExp | undefined
  readonly #parameters: Parameters
  readonly #random: Random
  readonly #gates = new Set<Gate & { readonly opened: () => void }>()
  #matches = 0
  hits = 0
  missed = 0

  constructor(id: string, kind: string, parameters: Parameters, random: Random) {
    this.id = id
    this.way = parameters['on'] === 'response' ? 'response' : 'request'
    this.action = actionOf(id, kind, parameters)
    this.topic = topicOf(parameters)
    const apis = apisOf(parameters['api'])
    this.#apiKeys = apis && new Set(apis.map(({ key }) => key))
    this.#versions = rangeOf(parameters['versions'])
    this.#clientId = parameters['client-id'] === undefined ? undefined : new RegExp(String(parameters['client-id']))
    this.#parameters = parameters
    this.#random = random
  }

  /** Undefined for kinds that work on bytes. */
  static of(id: string, kind: string, parameters: Parameters, random: Random): RequestFault | undefined {
    return kinds.has(kind) ? new RequestFault(id, kind, parameters, random) : undefined
  }

  get held(): number {
    return [...this.#gates].filter(({ untilMs }) => untilMs === undefined).length
  }

  /** What can be told from the first bytes: whether it is worth to wait for the whole frame. */
  mayConcern(apiKey: number, apiVersion: number): boolean {
    if (this.#apiKeys !== undefined && !this.#apiKeys.has(apiKey)) return false
    return apiVersion >= this.#versions.min && apiVersion <= this.#versions.max && !this.#isSpent
  }

  /** Counts what matches; true when this one is hit. */
  hitsNow(candidate: Candidate): boolean {
    if (!this.mayConcern(candidate.apiKey, candidate.apiVersion) || !this.#isFor(candidate)) return false
    if (!this.#isDue()) return false
    this.hits++
    return true
  }

  /** It is too large to be looked into, and passes. Counted as missed where it would have been hit, or may name the topic that is meant. */
  overlook(sender: Sender): void {
    if (!this.#isFrom(sender)) return
    if (this.topic !== undefined || this.#isDue()) this.missed++
  }

  /** It was hit, but what should happen to it cannot. */
  miss(): void {
    this.hits--
    this.missed++
  }

  /**
   * A gate for what this fault delays or holds.
   *
   * @param untilMs  opens by itself then; undefined: when it is released
   * @param opened   told when the fault opened it early
   */
  gate(untilMs: number | undefined, opened: () => void): Gate {
    const gate = { isOpen: false, untilMs, opened, passed: () => void this.#gates.delete(gate) }
    this.#gates.add(gate)
    return gate
  }

  /** Lets go what is held at this moment. @returns how many */
  release(): number {
    return this.#open(gate => gate.untilMs === undefined)
  }

  /** The fault is gone: nothing waits for it any more. */
  heal(): void {
    this.#open(() => true)
  }

  #open(which: (gate: Gate) => boolean): number {
    const gates = [...this.#gates].filter(which)
    for (const gate of gates) {
      gate.isOpen = true
      this.#gates.delete(gate)
    }
    for (const gate of gates) gate.opened()
    return gates.length
  }

  get #isSpent(): boolean {
    const { times, nth } = this.#parameters
    return (times !== undefined && this.hits >= Number(times)) || (nth !== undefined && this.#matches >= Number(nth))
  }

  /** Of those that match. */
  #isDue(): boolean {
    this.#matches++
    const { nth, every, probability } = this.#parameters
    if (nth !== undefined && this.#matches !== nth) return false
    if (every !== undefined && this.#matches % Number(every) !== 0) return false
    return probability === undefined || fraction(this.#random) < Number(probability)
  }

  #isFrom({ clientId: id }: Sender): boolean {
    const clientId = id ?? ''
    if (clientId.startsWith(probeClientId) && this.#clientId?.source.startsWith(`^${probeClientId}`) !== true)
      return false
    return this.#clientId?.test(clientId) !== false
  }

  #isFor(candidate: Candidate): boolean {
    if (!this.#isFrom(candidate)) return false
    if (this.topic === undefined) return true
    const body = candidate.body()
    return body !== undefined && mentionsTopic(body.message, body.value, this.topic)
  }
}

function actionOf(id: string, kind: string, parameters: Parameters): RequestAction {
  switch (kind) {
    case 'drop':
      return { do: 'drop', then: parameters['then'] === 'stall' ? 'stall' : 'close' }
    case 'delay':
      return { do: 'delay', delayMs: Number(parameters['delay']) }
    case 'duplicate':
      return { do: 'duplicate' }
    case 'hold':
      return { do: 'hold' }
    case 'error': {
      const code = errorCodeOf(String(parameters['code']))
      if (code === undefined) throw new Error(`${String(parameters['code'])} is no error code`)
      const message = `injected by the fault ${id} of the proxy`
      return { do: 'error', error: { code, message, place: parameters['place'] === 'top' ? 'top' : 'parts' } }
    }
    default:
      throw new Error(`${kind} is not about requests`)
  }
}

function topicOf(parameters: Parameters): TopicTarget | undefined {
  const { topic, partition } = parameters
  if (topic === undefined) return undefined
  const id = parameters['topic-id']
  return {
    name: String(topic),
    ...(id === undefined ? {} : { id: String(id) }),
    ...(partition === undefined ? {} : { partition: Number(partition) }),
  }
}

function rangeOf(value: Parameters[string] | undefined): { min: number; max: number } {
  const match = /^(\d+)(?:(\+)|-(\d+))?$/.exec(value === undefined ? '0+' : String(value))
  const min = Number(match?.[1] ?? 0)
  return { min, max: match?.[2] === '+' ? Infinity : Number(match?.[3] ?? min) }
}
