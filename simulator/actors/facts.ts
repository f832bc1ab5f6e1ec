/**
 * What a client knows of things that it changes one after the other: each has a value or is not there. An acknowledged change holds; a
 * refused one does not; when nobody answered, either may be true, and the thing is left alone from then on, since the change may still come.
 */
import { errorName, errorTable, type ErrorName } from '#broker/protocol/errors.ts'

/** `idle`: acknowledged, but a controller that was deposed may say so of a change that changes nothing by what it knows. */
export type Outcome = 'done' | 'refused' | 'unknown' | 'idle'

/**
 * Said of things that nobody else changes, these come of the change itself: a controller that was deposed made it and could not say so, and the
 * broker asked the next one.
 */
const echoes: ReadonlySet<ErrorName> = new Set<ErrorName>([
  'TOPIC_ALREADY_EXISTS',
  'INVALID_PARTITIONS',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'RESOURCE_NOT_FOUND',
])

/** Of one request with one error code. */
export async function outcomeOf(ask: () => Promise<number>): Promise<Outcome> {
  let error: ErrorName
  try {
    error = errorName(await ask())
  } catch {
    // The connection broke or the answer is late: the change may have been made.
    return 'unknown'
  }
  if (error === 'NONE') return 'done'
  return errorTable[error].definite && !echoes.has(error) ? 'refused' : 'unknown'
}

interface Fact {
  /** Undefined: it is not there. */
  readonly possible: readonly (string | undefined)[]
  readonly isSettled: boolean
}

export class Facts {
  readonly #facts = new Map<string, Fact>()

  get count(): number {
    return this.#facts.size
  }

  /** Things that may be changed again, with their values. */
  open(): [name: string, value: string][] {
    return [...this.#facts].flatMap(([name, { possible, isSettled }]) =>
      isSettled || possible[0] === undefined ? [] : [[name, possible[0]] as [string, string]],
    )
  }

  /** Takes note of an attempt to give it this value. A thing that was removed never comes back. */
  changed(name: string, value: string | undefined, outcome: Outcome): void {
    const before = this.#facts.get(name)?.possible ?? [undefined]
    if (outcome === 'refused') return
    const possible = outcome === 'done' ? [value] : [...before, value]
    this.#facts.set(name, { possible, isSettled: outcome !== 'done' || value === undefined })
  }

  /** @returns what is wrong with what somebody sees, undefined for nothing */
  contradiction(seen: ReadonlyMap<string, string>): string | undefined {
    for (const [name, { possible }] of this.#facts)
      if (!possible.includes(seen.get(name)))
        return `${name} is ${seen.get(name) ?? 'not there'}, expected ${possible.map(value => value ?? 'nothing').join(' or ')}`
    for (const [name, value] of seen) if (!this.#facts.has(name)) return `${name} is ${value}, and nobody made it so`
    return undefined
  }
}
