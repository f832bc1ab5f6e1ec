/**
 * Which topics the patterns of consumer groups stand for, in RE2's syntax, kept for all groups of a broker. A topic is held against a pattern
 * once, whoever asks and how often; and as this happens on the broker's only thread, only so many times a second.
 * Source: KIP-848 (SubscribedTopicRegex).
 */
import { RE2JS } from 're2js'

interface Known {
  readonly pattern: RE2JS
  matches: Set<string>
  /** Topics that it was not held against yet. */
  untested: readonly string[]
  /** Some of `matches` may be gone. */
  hasGone: boolean
}

type Topics = ReadonlyMap<string, unknown>

/** A pattern that nobody asked for since this many others is forgotten. */
const patternsMax = 256
/** One costs some microseconds. A pattern that was begun is finished, however many topics there are. */
export const testsPerSecond = 50_000

export class TopicPatterns {
  /** The one that was asked for last is the last one. */
  readonly #known = new Map<string, Known>()
  #topics: Topics = new Map()
  #secondMs = -Infinity
  #testsInSecond = 0

  /** Why it is none; undefined: it is one. */
  error(regex: string): string | undefined {
    if (this.#known.has(regex)) return undefined
    try {
      RE2JS.compile(regex)
      return undefined
    } catch (error) {
      return `${regex} is no pattern in RE2's syntax: ${(error as Error).message}.`
    }
  }

  /**
   * @param topics  by name; the same object as last time: nothing came or went
   * @returns undefined: not now, too much was asked in this second
   */
  matching(regex: string, topics: Topics, nowMs: number): ReadonlySet<string> | undefined {
    this.#take(topics)
    const known = this.#get(regex)
    if (known.untested.length > 0) {
      if (!this.#mayTest(nowMs)) return undefined
      this.#testsInSecond += known.untested.length
      for (const name of known.untested) if (known.pattern.matches(name)) known.matches.add(name)
      known.untested = []
    }
    if (known.hasGone) known.matches = new Set([...known.matches].filter(name => topics.has(name)))
    known.hasGone = false
    return known.matches
  }

  #take(topics: Topics): void {
    if (topics === this.#topics) return
    const added = [...topics.keys()].filter(name => !this.#topics.has(name))
    const hasGone = topics.size < this.#topics.size + added.length
    for (const known of this.#known.values()) {
      if (added.length > 0) known.untested = [...known.untested, ...added]
      known.hasGone ||= hasGone
    }
    this.#topics = topics
  }

  #get(regex: string): Known {
    const known = this.#known.get(regex) ?? {
      pattern: RE2JS.compile(regex),
      matches: new Set<string>(),
      untested: [...this.#topics.keys()],
      hasGone: false,
    }
    this.#known.delete(regex)
    this.#known.set(regex, known)
    if (this.#known.size > patternsMax) {
      const [oldest] = this.#known.keys()
      if (oldest !== undefined) this.#known.delete(oldest)
    }
    return known
  }

  #mayTest(nowMs: number): boolean {
    if (nowMs - this.#secondMs >= 1000) {
      this.#secondMs = nowMs
      this.#testsInSecond = 0
    }
    return this.#testsInSecond < testsPerSecond
  }
}
