/**
 * The files by which faults get into Apache Kafka: `rules`, which the toolkit writes and the library in front of the JVM reads, and
 * `state`, where it says what has come of them (images/apache-kafka/faults.c). The rules hold all that the toolkit has to remember, as comments.
 */
import type { Parameters } from '#broker/environment/faulty/parameters.ts'
import { failure, usageError } from '../../errors.ts'

/** One fault of a node. */
export interface RuleEntry {
  readonly id: string
  readonly kind: string
  readonly parameters: Parameters
  /** Where the library counts it. */
  readonly slot: number
  /** The generation that brought it: a slot that is used again counts from the start. */
  readonly born: number
  /** Which run of the node has it: of faults that end with it. */
  readonly startedAt?: string
}

export interface RuleBook {
  /** Rises with every change. */
  readonly generation: number
  /** So many faults were added so far; ids are not used again. */
  readonly added: number
  readonly entries: readonly RuleEntry[]
}

export const emptyBook: RuleBook = { generation: 0, added: 0, entries: [] }

/** Kinds that the library carries out. */
const libraryKinds: ReadonlySet<string> = new Set([
  ...['slow-disk', 'full-disk', 'disk-error', 'crash-at', 'torn-write', 'bit-flip'],
  ...['clock-jump', 'clock-drift', 'clock-strobe'],
])

export function isOfLibrary(kind: string): boolean {
  return libraryKinds.has(kind)
}

const slots = 32

/** A slot that none of these has. */
export function freeSlot(entries: readonly RuleEntry[]): number {
  const slot = Array.from({ length: slots }, (_, index) => index).find(
    each => !entries.some(entry => entry.slot === each),
  )
  if (slot !== undefined) return slot
  throw usageError(`A node has at most ${slots} faults inside it at a time.`, 'Heal some of them.')
}

export function formatRules({ generation, added, entries }: RuleBook): string {
  const lines = entries.flatMap(entry => [
    `# ${JSON.stringify(entry)}`,
    ...(isOfLibrary(entry.kind) ? [ruleLine(entry)] : []),
  ])
  return [`faultline ${generation}`, `# ${JSON.stringify({ added })}`, ...lines, 'end', ''].join('\n')
}

const firstLine = /^faultline (\d+)\n/

/** Whether they were written to their end. */
export function areWhole(text: string): boolean {
  return firstLine.test(text) && text.endsWith('\nend\n')
}

export function parseRules(text: string): RuleBook {
  if (!areWhole(text))
    throw failure('The rules of the faults in a node are damaged.', './faultline wipe and start make the node anew.')
  const generation = Number(firstLine.exec(text)?.[1])
  const [{ added } = { added: 0 }, ...entries] = [...text.matchAll(/^# (\{.*\})$/gm)].map(
    ([, json = '']) => JSON.parse(json) as { readonly added: number },
  )
  return { generation, added, entries: entries as unknown as readonly RuleEntry[] }
}

/** Numbers that Linux has for them on every machine. */
const errorNumbers: Readonly<Record<string, number>> = {
  EIO: 5,
  EACCES: 13,
  EMFILE: 24,
  ENOSPC: 28,
  EROFS: 30,
  EDQUOT: 122,
}

export function errorNumber(code: unknown): number {
  const number = errorNumbers[String(code)]
  if (number === undefined) throw usageError(`There is no number for the error ${String(code)}.`)
  return number
}

export function ruleLine({ slot, born, kind, parameters }: Pick<RuleEntry, 'slot' | 'born' | 'kind' | 'parameters'>) {
  const { path, code, ...others } = parameters
  const words = Object.entries(others).map(([name, value]) => `${name}=${String(value)}`)
  return [
    slot,
    born,
    kind,
    ...words,
    ...(code === undefined ? [] : [`errno=${errorNumber(code)}`]),
    ...(path === undefined ? [] : [`path=${String(path)}`]),
  ].join(' ')
}

const pathMax = 1_000

/** The library has regular expressions of POSIX; they mean the same as ours where both have them. */
export function requirePosix(path: unknown): void {
  const text = String(path)
  if (text.length > pathMax || /[\r\n]/.test(text))
    throw usageError(`--path: expected at most ${pathMax} characters on one line.`)
  const stranger = /\\[A-Za-z0-9]|\(\?|[*+?}][?+]/.exec(text)?.[0]
  if (stranger !== undefined)
    throw usageError(
      `--path: ${stranger} is nothing that is known inside Apache Kafka, where regular expressions are those of POSIX.`,
      'Write [0-9] for \\d and [A-Za-z0-9_] for \\w.',
    )
}

export interface ClockOffset {
  /** By how much that time is off because of this fault alone. */
  readonly offsetMs: number
  /** How long the fault had been there. */
  readonly sinceMs: number
}

/** What the library says. */
export interface RuleState {
  readonly generation: number
  /** What a fault of the clock made of the last time that the JVM was told; undefined: that was before it. */
  clockOf(entry: Pick<RuleEntry, 'slot' | 'born'>): ClockOffset | undefined
  /** Of a slot: how often it took effect, and whether it has ended the process. Of another fault than this one: nothing yet. */
  of(entry: Pick<RuleEntry, 'slot' | 'born'>): { readonly hits: number; readonly isSpent: boolean }
}

const head = 16
const slotBytes = 48
const toldAt = head + slots * slotBytes

export function parseState(bytes: Buffer): RuleState {
  const number = (at: number): number => (at + 8 <= bytes.length ? Number(bytes.readBigInt64LE(at)) : 0)
  const of = ({ slot, born }: Pick<RuleEntry, 'slot' | 'born'>) => {
    const at = head + slot * slotBytes
    if (number(at) !== born) return { hits: 0, isSpent: false }
    return { hits: number(at + 24), isSpent: number(at + 40) !== 0 }
  }
  return {
    generation: number(0),
    of,
    clockOf(entry) {
      if (of(entry).hits === 0) return undefined
      const beganMs = number(head + entry.slot * slotBytes + 8)
      return { offsetMs: number(toldAt + 8 + 8 * entry.slot), sinceMs: number(toldAt) - beganMs }
    },
  }
}
