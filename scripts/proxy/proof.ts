/**
 * Proofs that a fault took effect: the link is probed before and after, and what changed is said. A fault on requests is proved with a twin of it
 * that is about the probe alone, so that no count (`nth`, `every`) is used up and no real request is hurt.
 */
import type { KafkaConfig } from 'kafkajs'
import { errorName } from '#broker/protocol/errors.ts'
import { errorCodeOf } from './kinds.ts'
import type { FaultControl, FaultRequest, FaultState, LinkState, Way } from './model.ts'
import { paddingBytesMax, probe, type Probe, type ProbeOptions } from './probe.ts'
import { probeClientId } from './request-faults.ts'

export interface Proof {
  readonly link: string
  /** undefined: it could not be looked at, and `text` says why. */
  readonly shown: boolean | undefined
  readonly text: string
}

export interface ProveOptions {
  readonly control: FaultControl
  readonly ssl?: KafkaConfig['ssl'] | undefined
  /** True where clients log in: before that a node answers one ApiVersions request and no more. */
  readonly sasl?: boolean
  /** True: the links cannot be reached from here, so that the proxy itself has to look. */
  readonly fromProxy?: boolean
}

/** How long an answer is waited for that should not come. */
const silenceMs = 700
const answerMs = 5_000
const repeats = 5

interface Target {
  readonly link: LinkState
  readonly ways: readonly Way[]
}

/** Looks at links before a fault is added to them, and again afterwards. */
export class Prover {
  readonly #options: ProveOptions
  readonly #before = new Map<string, readonly Probe[]>()

  constructor(options: ProveOptions) {
    this.#options = options
  }

  /** Links as they are without the fault. */
  async lookAtFirst(links: readonly LinkState[]): Promise<void> {
    await Promise.all(
      links.map(async link =>
        this.#before.set(link.name, await this.#repeat(link, { goodbye: true, timeoutMs: 2_000 })),
      ),
    )
  }

  /** One proof for each link of the fault. */
  async prove(fault: FaultState, request: FaultRequest): Promise<readonly Proof[]> {
    const links = await this.#options.control.links()
    const targets = fault.links.flatMap(text => {
      const [name, way] = text.split(' ')
      const link = links.find(candidate => candidate.name === name)
      const ways: readonly Way[] = way === undefined ? ['request', 'response'] : [way as Way]
      return link === undefined ? [] : [{ link, ways }]
    })
    return await Promise.all(
      targets.map(async target => ({ link: target.link.name, ...(await this.#proveOn(target, fault, request)) })),
    )
  }

  async #proveOn(target: Target, fault: FaultState, request: FaultRequest): Promise<Omit<Proof, 'link'>> {
    const before = this.#before.get(target.link.name) ?? []
    const answered = before.find(({ ending }) => ending === 'answered')
    if (answered === undefined)
      return {
        shown: undefined,
        text: `the link did not answer before (${before[0]?.ending ?? 'not asked'}): nothing to compare with`,
      }
    const usualMs = median(before.map(({ tookMs }) => tookMs))
    const number = (name: string) => Number(fault.parameters[name])
    switch (fault.name) {
      case 'cut':
        return ended(await this.#probe(target, { timeoutMs: answerMs }), 'refused', 'a connection is refused')
      case 'reset':
        return ended(await this.#idle(target, number('after')), 'reset', 'a connection is reset')
      case 'partition':
      case 'black-hole':
        return ended(
          await this.#probe(target, { timeoutMs: silenceMs }),
          'silent',
          `no answer in ${silenceMs} ms, before in ${ms(usualMs)}`,
        )
      case 'latency': {
        const least = leastDelayMs(fault) * target.ways.length
        const now = median(
          (await this.#repeat(target.link, { timeoutMs: answerMs + 4 * (number('delay') + number('jitter')) })).map(
            ({ tookMs }) => tookMs,
          ),
        )
        return {
          shown: now >= least,
          text: `a round trip took ${ms(usualMs)} before, ${ms(now)} now (at least ${ms(least)})`,
        }
      }
      case 'bandwidth':
        return await this.#proveBandwidth(target, number('rate'), usualMs)
      case 'loss':
        return await this.#proveLoss(target, fault, usualMs)
      case 'slice':
        return await this.#proveSlices(target, fault)
      case 'slow-close': {
        const least = number('delay') * target.ways.length
        const { closeMs = 0, ending } = await this.#probe(target, { goodbye: true, timeoutMs: answerMs + 2 * least })
        const usual = answered?.closeMs ?? 0
        return {
          shown: ending === 'answered' && closeMs >= least,
          text: `a goodbye was answered in ${ms(usual)} before, ${ms(closeMs)} now (at least ${ms(least)})`,
        }
      }
      default:
        return await this.#proveOnRequest(target, fault, { request, usualMs })
    }
  }

  /** Padding in the client id makes requests as long as they need to be; answers have a few hundred bytes. */
  async #proveBandwidth(target: Target, rate: number, usualMs: number): Promise<Omit<Proof, 'link'>> {
    const isRequest = target.ways.includes('request')
    const bytes = Math.min(Math.max(2_000, rate / 2), 300_000)
    const found = isRequest
      ? await this.#probe(target, {
          clientId: padded(Math.min(bytes, paddingBytesMax)),
          requests: Math.ceil(bytes / paddingBytesMax),
        })
      : await this.#probe(target, { requests: Math.min(300, Math.ceil(bytes / 500)) })
    const moved = isRequest ? found.sentBytes : found.receivedBytes
    const leastMs = (moved / rate) * 1000
    if (found.ending === 'silent')
      return { shown: leastMs > answerMs, text: `${moved} bytes did not come through in ${answerMs} ms` }
    const text = `${moved} bytes took ${ms(found.tookMs)}, one short request before ${ms(usualMs)} (at least ${ms(leastMs)})`
    // What a probe can move may be too little to tell a limit from a busy machine.
    return { shown: leastMs < usualMs ? undefined : found.tookMs >= leastMs * 0.9, text }
  }

  async #proveLoss(target: Target, fault: FaultState, usualMs: number): Promise<Omit<Proof, 'link'>> {
    const chance = Number(fault.parameters['probability'])
    const requests = 10
    const tries = this.#options.sasl === true ? 1 : requests
    if (chance * tries * (paddingBytesMax / 1460) < 4 || !target.ways.includes('request'))
      return { shown: undefined, text: 'too rare for a probe; "fault list" counts the hits' }
    const stallMs = Number(fault.parameters['timeout'])
    const found = await this.#probe(target, {
      clientId: padded(paddingBytesMax),
      requests,
      timeoutMs: answerMs,
    })
    return {
      shown: found.tookMs >= stallMs,
      text: `${found.sentBytes} bytes took ${ms(found.tookMs)}, one request before ${ms(usualMs)} (a lost segment costs ${stallMs} ms)`,
    }
  }

  async #proveSlices(target: Target, fault: FaultState): Promise<Omit<Proof, 'link'>> {
    const piece = Number(fault.parameters['size']) + Number(fault.parameters['variation'])
    const delayMs = Number(fault.parameters['delay'])
    const found = await this.#probe(target, { timeoutMs: answerMs })
    const bytes = target.ways.includes('response') ? found.receivedBytes : found.sentBytes
    const least = Math.floor(bytes / piece)
    const text = `${bytes} bytes took ${ms(found.tookMs)} in ${target.ways.includes('response') ? found.pieces : 'several'} pieces (at least ${least} pieces, ${delayMs} ms between two)`
    if (delayMs === 0 || least < 2)
      return { shown: undefined, text: `${text}; without a pause the system may put pieces together` }
    return { shown: found.tookMs >= (least - 1) * delayMs * 0.9, text }
  }

  async #proveOnRequest(
    target: Target,
    fault: FaultState,
    { request, usualMs }: { readonly request: FaultRequest; readonly usualMs: number },
  ): Promise<Omit<Proof, 'link'>> {
    const { control } = this.#options
    const clientId = `${probeClientId}-${fault.id}-${target.link.from}-${target.link.to}`
    const own = ['on', 'then', 'delay', 'code', 'place'].filter(name => fault.parameters[name] !== undefined)
    const twin = await control.add({
      kind: request.kind,
      from: [target.link.from],
      to: [target.link.to],
      listener: target.link.listener,
      parameters: {
        api: 'ApiVersions',
        'client-id': `^${clientId}$`,
        times: 1,
        ...Object.fromEntries(own.map(name => [name, fault.parameters[name] ?? ''])),
      },
    })
    const hitsOf = async () => (await control.faults()).find(({ id }) => id === twin.id)?.hits ?? 0
    try {
      if (fault.name === 'hold') return await this.#proveHold(target, twin, clientId)
      const delayMs = Number(fault.parameters['delay'] ?? 0)
      const isSilent = fault.parameters['then'] === 'stall'
      const found = await this.#probe(target, { clientId, timeoutMs: isSilent ? silenceMs : answerMs + delayMs })
      const hits = await hitsOf()
      const how = `a probe (ApiVersions), ${hits} of 1 hit:`
      switch (fault.name) {
        case 'drop': {
          const wanted = isSilent ? 'silent' : 'closed'
          const isGone = found.ending === wanted || (wanted === 'closed' && found.ending === 'reset')
          return {
            shown: hits === 1 && isGone,
            text: `${how} ${isSilent ? `no answer in ${silenceMs} ms` : `connection ${found.ending} without an answer`}`,
          }
        }
        case 'delay':
          return {
            shown: hits === 1 && found.tookMs >= delayMs,
            text: `${how} answered in ${ms(found.tookMs)}, usually ${ms(usualMs)}`,
          }
        case 'duplicate':
          return { shown: hits === 1 && found.ending === 'answered', text: `${how} sent twice, answered once` }
        case 'error': {
          const code = errorCodeOf(String(fault.parameters['code']))
          const said = found.errorCode === undefined ? found.ending : errorName(found.errorCode)
          return { shown: hits === 1 && found.errorCode === code, text: `${how} answered with ${said}` }
        }
        default:
          return { shown: undefined, text: 'there is no probe for this kind' }
      }
    } finally {
      await control.heal([twin.id])
    }
  }

  async #proveHold(target: Target, twin: FaultState, clientId: string): Promise<Omit<Proof, 'link'>> {
    const { control } = this.#options
    const asked = this.#probe(target, { clientId, timeoutMs: answerMs })
    const heldMs = performance.now()
    let released = 0
    while (released === 0 && performance.now() - heldMs < answerMs) {
      const [held = 0] = (await control.faults()).filter(({ id }) => id === twin.id).map(state => state.held)
      if (held > 0) released = await control.release(twin.id)
    }
    const found = await asked
    return {
      shown: released === 1 && found.ending === 'answered',
      text: `a probe (ApiVersions) was held, and ${found.ending} ${ms(found.tookMs)} after it was sent, once released`,
    }
  }

  async #repeat(link: LinkState, options: Partial<ProbeOptions>): Promise<readonly Probe[]> {
    const found: Probe[] = []
    for (let round = 0; round < repeats; round++) {
      const one = await this.#probe({ link, ways: [] }, { ...options })
      found.push(one)
      if (one.ending !== 'answered') break
    }
    return found
  }

  /** Asks nothing, and waits for the connection to be reset. */
  #idle(target: Target, afterMs: number): Promise<Probe> {
    return this.#probe(target, { requests: 0, timeoutMs: afterMs + answerMs })
  }

  #probe({ link }: Target, options: Partial<ProbeOptions>): Promise<Probe> {
    const { ssl, sasl, control, fromProxy } = this.#options
    const given = { clientId: probeClientId, timeoutMs: answerMs, ssl, ...options }
    const wanted = sasl === true ? { ...given, requests: Math.min(given.requests ?? 1, 1) } : given
    return fromProxy === true ? control.probe(link.name, wanted) : probe(link.listen, wanted)
  }
}

function ended(found: Probe, wanted: Probe['ending'], text: string): Omit<Proof, 'link'> {
  return found.ending === wanted
    ? { shown: true, text }
    : { shown: false, text: `a probe was ${found.ending}, expected: ${text}` }
}

/** What nearly every delay reaches; half of several must. */
function leastDelayMs({ parameters }: FaultState): number {
  const delayMs = Number(parameters['delay'])
  const jitterMs = Number(parameters['jitter'])
  if (parameters['distribution'] === 'pareto') return delayMs
  return Math.max(0, delayMs - jitterMs)
}

function padded(bytes: number): string {
  return probeClientId.padEnd(Math.floor(bytes), '-')
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

function ms(value: number): string {
  return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`
}
