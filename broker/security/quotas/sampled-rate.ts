/**
 * Rates as Kafka measures them for quotas: events are added up in samples of one time span each, and the rate is their sum over the time the
 * samples cover, at least all spans but one. A sample is forgotten when its last event is older than all spans together (KIP-13; Kafka's
 * SampledStat and Rate). Pure: the time comes from the caller.
 */

export interface SampleWindow {
  /** Spans looked back upon. */
  readonly samples: number
  readonly sampleMs: number
}

interface Sample {
  startMs: number
  lastMs: number
  value: number
}

export class SampledRate {
  readonly #window: SampleWindow
  readonly #samples: Sample[] = []
  #current = 0

  constructor(window: SampleWindow) {
    this.#window = window
  }

  record(value: number, nowMs: number): void {
    let sample = this.#at(nowMs)
    if (nowMs - sample.startMs >= this.#window.sampleMs) sample = this.#next(nowMs)
    sample.value += value
    sample.lastMs = nowMs
  }

  /** Per second. */
  measure(nowMs: number): number {
    this.#forget(nowMs)
    let sum = 0
    for (const { value } of this.#samples) sum += value
    return sum / (this.windowMs(nowMs) / 1000)
  }

  /** Time the rate is measured over, ms. */
  windowMs(nowMs: number): number {
    this.#forget(nowMs)
    this.#at(nowMs)
    const { samples, sampleMs } = this.#window
    const elapsedMs = nowMs - Math.min(...this.#samples.map(({ startMs }) => startMs))
    const missing = samples - 1 - Math.floor(elapsedMs / sampleMs)
    return Math.max(1, missing > 0 ? elapsedMs + missing * sampleMs : elapsedMs)
  }

  #at(nowMs: number): Sample {
    let sample = this.#samples[this.#current]
    if (sample === undefined) this.#samples.push((sample = { startMs: nowMs, lastMs: nowMs, value: 0 }))
    return sample
  }

  #next(nowMs: number): Sample {
    // One more than the spans looked back upon: the oldest one is partly inside.
    this.#current = (this.#current + 1) % (this.#window.samples + 1)
    const sample = this.#at(nowMs)
    begin(sample, nowMs)
    return sample
  }

  #forget(nowMs: number): void {
    const { samples, sampleMs } = this.#window
    for (const sample of this.#samples) if (nowMs - sample.lastMs >= samples * sampleMs) begin(sample, nowMs)
  }
}

function begin(sample: Sample, nowMs: number): void {
  sample.startMs = nowMs
  sample.lastMs = nowMs
  sample.value = 0
}

/** How long a client must be silent for its rate to fall to the bound, ms; 0 while the rate is within. */
export function throttleTimeMs(rate: SampledRate, bound: number, nowMs: number): number {
  const value = rate.measure(nowMs)
  return value <= bound ? 0 : Math.round(((value - bound) / bound) * rate.windowMs(nowMs))
}
