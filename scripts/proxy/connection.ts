/**
 * One connection through a link: two sockets and the two ways between them. Bytes pass from chunk to chunk; requests and responses are
 * looked at only where a fault of the link wants to.
 *
 * Transitions: held (nothing passes on the link: the node is not even dialled) or dialling → open → breaking (the request or response that was
 * dropped was the last that passes) → gone when both sockets are closed.
 */
import { connect, type Socket } from 'node:net'
import { collectedBytesMax, FrameCutter, type FrameAction, type FrameHandler } from './frame-cutter.ts'
import type { FrameStart } from './frame-start.ts'
import { blocksOpening, type LinkPlan } from './link-plan.ts'
import type { Address, Way } from './model.ts'
import { Outlet, type Gate } from './outlet.ts'
import { PendingRequests, type PendingRequest } from './pending-requests.ts'
import type { RequestFault, Sender } from './request-faults.ts'
import { judgeRequest, judgeResponse, type Waiting } from './verdict.ts'

/** What a connection tells its link. */
export interface ConnectionOwner {
  readonly target: Address
  readonly isKafka: boolean
  readonly plan: LinkPlan
  count(way: Way, bytes: number): void
  request(apiKey: number): void
  named(clientId: string | null): void
  /** Nobody listens at the node. */
  refused(): void
  gone(connection: ProxiedConnection): void
}

/** How it shows that a node is down: its port is closed, or, of a container, its address and then its name are gone. */
const nobodyThere: ReadonlySet<string> = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENOTFOUND', 'EAI_AGAIN'])

export class ProxiedConnection {
  readonly #owner: ConnectionOwner
  readonly #client: Socket
  #node: Socket | undefined
  readonly #pending = new PendingRequests()
  readonly #outlets: Readonly<Record<Way, Outlet>>
  readonly #cutters: Readonly<Record<Way, FrameCutter>>
  readonly #acceptedMs = performance.now()
  #resetTimer: NodeJS.Timeout | undefined
  #isNamed = false
  /** The node has taken the connection. */
  #wasOpen = false
  /** Nothing more of this way is taken: the connection breaks, or stands still until the fault is healed. */
  readonly #isDeaf: Record<Way, boolean> = { request: false, response: false }
  #isBreaking = false
  readonly #stalledBy = new Set<RequestFault>()
  readonly #gates = new Set<Gate>()
  /** The request that the response under way belongs to. */
  #answered: ReturnType<PendingRequests['take']>
  readonly #closed: Record<'client' | 'node', boolean> = { client: false, node: false }

  constructor(client: Socket, owner: ConnectionOwner) {
    this.#owner = owner
    this.#client = client
    this.#outlets = {
      request: new Outlet(() => this.#client.resume()),
      response: new Outlet(() => this.#node?.resume()),
    }
    this.#cutters = {
      request: new FrameCutter('request', this.#requestHandler()),
      response: new FrameCutter('response', this.#responseHandler()),
    }
    this.#outlets.response.attach(client)
    client.on('error', () => this.#lost('client'))
    client.on('close', () => this.#socketClosed('client'))
    client.on('end', () => this.#ended('request'))
    client.on('data', (chunk: Buffer) => this.#receive('request', chunk))
    if (blocksOpening(owner.plan)) {
      client.pause()
      for (const { hit } of [...owner.plan.bytes.request, ...owner.plan.bytes.response]) hit()
    } else this.#dial()
    this.replan()
  }

  /** The faults of the link changed. */
  replan(): void {
    const { plan } = this.#owner
    if (this.#node === undefined && !this.#closed.client && !blocksOpening(plan)) {
      // Attempts of that time never reached anybody: what was sent on them must not arrive now.
      this.#client.resetAndDestroy()
      return
    }
    const known = [...plan.requests.request, ...plan.requests.response]
    for (const fault of this.#stalledBy) if (!known.includes(fault)) return this.destroy()
    this.#outlets.request.replan(plan.bytes.request)
    this.#outlets.response.replan(plan.bytes.response)
    this.#flow()
    this.#planReset()
  }

  /** Both sides see the end of the connection. */
  destroy(): void {
    this.#client.destroy()
    this.#node?.destroy()
    if (this.#node === undefined) this.#closed.node = true
  }

  /** Both sides see RST. */
  reset(): void {
    this.#client.resetAndDestroy()
    this.#node?.resetAndDestroy()
  }

  #dial(): void {
    const { host, port } = this.#owner.target
    const node = connect({ host, port, noDelay: true, allowHalfOpen: true })
    this.#node = node
    node.on('connect', () => (this.#wasOpen = true))
    node.on('error', (error: NodeJS.ErrnoException) => {
      if (nobodyThere.has(error.code ?? '')) this.#owner.refused()
      this.#lost('node')
    })
    node.on('close', () => this.#socketClosed('node'))
    node.on('end', () => this.#ended('response'))
    node.on('data', (chunk: Buffer) => this.#receive('response', chunk))
    this.#outlets.request.attach(node)
  }

  #receive(way: Way, chunk: Buffer): void {
    this.#owner.count(way, chunk.length)
    if (this.#owner.isKafka) this.#cutters[way].push(chunk)
    else this.#outlets[way].push(chunk)
    this.#flow()
  }

  /** Sources read on, or wait until there is room. */
  #flow(): void {
    for (const [way, source] of [
      ['request', this.#client],
      ['response', this.#node],
    ] as const) {
      if (source === undefined || source.destroyed) continue
      if (this.#outlets[way].isFull()) source.pause()
      else if (source.isPaused() && this.#node !== undefined) source.resume()
    }
  }

  // --------------------------------------------------------------------------------------------------------------- ends

  /** The source of a way has said its last word; it is passed on when all before it is out. */
  #ended(way: Way): void {
    const sink = way === 'request' ? this.#node : this.#client
    const rest = this.#cutters[way].takeRest()
    if (rest !== undefined) this.#outlets[way].push(rest)
    this.#outlets[way].finish(() => sink?.end())
  }

  /** A socket broke: an error, or a reset. Its `close` follows. */
  #lost(side: 'client' | 'node'): void {
    // What the other side gets of it is decided when the socket is closed.
    this.#outlets[side === 'client' ? 'response' : 'request'].discard()
  }

  #socketClosed(side: 'client' | 'node'): void {
    this.#closed[side] = true
    clearTimeout(this.#resetTimer)
    const [out, back] = side === 'client' ? (['request', 'response'] as const) : (['response', 'request'] as const)
    this.#outlets[back].discard()
    const other = side === 'client' ? this.#node : this.#client
    if (other === undefined) this.#closed[side === 'client' ? 'node' : 'client'] = true
    else if (side === 'node' && !this.#wasOpen) this.#client.resetAndDestroy()
    else if (!other.destroyed) {
      // What is still to be delivered is: a request that was sent before its sender died arrives all the same.
      this.#outlets[out].finish(() => other.destroySoon())
      other.resume()
    }
    if (!this.#closed.client || !this.#closed.node) return
    for (const outlet of Object.values(this.#outlets)) outlet.discard()
    for (const gate of this.#gates) gate.passed()
    this.#owner.gone(this)
  }

  #planReset(): void {
    const { reset } = this.#owner.plan
    clearTimeout(this.#resetTimer)
    if (reset === undefined || this.#closed.client) return
    const leftMs = () => reset.afterMs - (performance.now() - this.#acceptedMs)
    this.#resetTimer = setTimeout(
      () => {
        // A timer may fire a little before its time.
        if (leftMs() > 0) return this.#planReset()
        reset.hit()
        this.reset()
      },
      Math.max(0, Math.ceil(leftMs())),
    )
  }

  /** The connection ends once what came before has been answered. */
  #break(): void {
    this.#isBreaking = true
    this.#isDeaf.request = true
    this.#breakIfAnswered()
  }

  #breakIfAnswered(): void {
    if (!this.#isBreaking || !this.#pending.isEmpty || !this.#cutters.response.atBoundary) return
    this.#isBreaking = false
    this.#hangUp()
  }

  /** What passed already is delivered, both ways; nothing more is. */
  #hangUp(): void {
    this.#isDeaf.request = true
    this.#isDeaf.response = true
    this.#outlets.response.finish(() => this.#client.destroySoon())
    this.#outlets.request.finish(() => this.#node?.destroySoon())
  }

  #stall(way: Way, fault: RequestFault): void {
    this.#isDeaf[way] = true
    this.#stalledBy.add(fault)
  }

  /** What holds or delays a piece holds all behind it, so one gate after the other is as good as all at once. */
  #gatesOf({ holds, delays }: Waiting, way: Way): readonly Gate[] {
    const opened = () => this.#outlets[way].pump()
    const gates = [
      ...holds.map(fault => fault.gate(undefined, opened)),
      ...delays.map(({ fault, delayMs }) => fault.gate(performance.now() + delayMs, opened)),
    ]
    for (const gate of gates) this.#gates.add(gate)
    return gates
  }

  #wait(way: Way, gates: readonly Gate[]): void {
    for (const gate of gates) this.#outlets[way].wait(gate, () => this.#passed(gate))
  }

  #passed(gate: Gate): void {
    this.#gates.delete(gate)
    gate.passed()
  }

  // ----------------------------------------------------------------------------------------------- requests and responses

  #requestHandler(): FrameHandler {
    return {
      wantsBoundaries: () => false,
      wantsClientIds: () => !this.#isNamed || this.#hasRequestFaults,
      begin: start => this.#beginRequest(start),
      pass: bytes => this.#outlets.request.push(bytes),
      frame: (bytes, start) => this.#request(bytes, start),
      boundary: () => undefined,
    }
  }

  #responseHandler(): FrameHandler {
    return {
      wantsBoundaries: () => this.#pending.hasAnswers || this.#isBreaking,
      wantsClientIds: () => false,
      begin: start => this.#beginResponse(start),
      pass: bytes => this.#outlets.response.push(bytes),
      frame: bytes => this.#response(bytes),
      boundary: () => this.#answerInTurn(),
    }
  }

  get #hasRequestFaults(): boolean {
    const { request, response } = this.#owner.plan.requests
    return request.length > 0 || response.length > 0
  }

  #beginRequest(start: FrameStart): FrameAction {
    if (this.#isDeaf.request) return 'skip'
    this.#owner.request(start.apiKey)
    if (start.clientId !== undefined && !this.#isNamed) {
      this.#isNamed = true
      this.#owner.named(start.clientId)
    }
    const { apiKey, apiVersion, clientId } = start
    const request = { apiKey, apiVersion, clientId: clientId ?? null }
    const action = actionOn(this.#owner.plan.requests.request, request, start)
    if (action === 'pass') this.#expectAnswer(start)
    return action
  }

  #expectAnswer(start: FrameStart, more: Pick<PendingRequest, 'answer' | 'isExtra'> = {}): void {
    if (!start.isAnswered) return
    const { correlationId, apiKey, apiVersion, clientId } = start
    this.#pending.add({ correlationId, apiKey, apiVersion, clientId: clientId ?? null, ...more })
  }

  #request(bytes: Buffer, start: FrameStart): void {
    const verdict = judgeRequest(this.#owner.plan.requests.request, bytes, start)
    switch (verdict.do) {
      case 'drop':
        return verdict.then === 'close' ? this.#break() : this.#stall('request', verdict.fault)
      case 'answer':
        return this.#answer(start, verdict)
      case 'forward': {
        for (let copy = 0; copy < verdict.copies; copy++) this.#expectAnswer(start, copy === 0 ? {} : { isExtra: true })
        this.#send('request', bytes, verdict)
      }
    }
  }

  /** It waits as its request would have, of which nobody gets to see more. */
  #answer(start: FrameStart, verdict: Waiting & { readonly answer: Buffer }): void {
    if (start.isAnswered) {
      const gates = this.#gatesOf(verdict, 'response')
      this.#expectAnswer(start, { answer: { bytes: verdict.answer, gates } })
      return this.#answerInTurn()
    }
    for (const fault of [...verdict.holds, ...verdict.delays.map(delay => delay.fault)]) fault.miss()
  }

  #beginResponse(start: FrameStart): FrameAction {
    const request = this.#pending.take(start.correlationId)
    this.#answered = request
    if (this.#isDeaf.response || request?.isExtra === true) return 'skip'
    if (request === undefined) return 'pass'
    return actionOn(this.#owner.plan.requests.response, request, start)
  }

  #response(bytes: Buffer): void {
    const request = this.#answered
    if (request === undefined) return
    const verdict = judgeResponse(this.#owner.plan.requests.response, bytes, request)
    if (verdict.do === 'drop') {
      if (verdict.then === 'stall') this.#stall('response', verdict.fault)
      else this.#hangUp()
      return
    }
    this.#send('response', verdict.do === 'answer' ? verdict.answer : bytes, verdict)
  }

  #send(way: Way, bytes: Buffer, verdict: Waiting & { readonly copies: number }): void {
    this.#wait(way, this.#gatesOf(verdict, way))
    for (let copy = 0; copy < verdict.copies; copy++) this.#outlets[way].push(bytes)
  }

  /** Answers of the proxy itself go out between two responses, when all requests before theirs have been answered. */
  #answerInTurn(): void {
    if (!this.#cutters.response.atBoundary) return
    for (const { bytes, gates } of this.#pending.takeAnswers()) {
      // Behind a response that was lost nothing comes through, whoever says it.
      if (this.#isDeaf.response) for (const gate of gates) this.#passed(gate)
      else {
        this.#wait('response', gates)
        this.#outlets.response.push(bytes)
      }
    }
    this.#breakIfAnswered()
  }
}

/** What none of the faults is about passes as it is, and so does what is too large to be looked at. */
function actionOn(faults: readonly RequestFault[], request: Sender, { frameBytes }: FrameStart): FrameAction {
  const concerned = faults.filter(fault => fault.mayConcern(request.apiKey, request.apiVersion))
  if (frameBytes <= collectedBytesMax) return concerned.length > 0 ? 'collect' : 'pass'
  for (const fault of concerned) fault.overlook(request)
  return 'pass'
}
