/**
 * Writes EDN, the notation of Clojure's data: what Jepsen and Elle read histories in.
 *
 * Source: the EDN specification (edn-format/edn): strings in double quotes with \t, \r, \n, \\ and \"; keywords begin with a colon; numbers without a
 * fraction are integers; commas are white space.
 */

export class Keyword {
  readonly name: string

  /** @throws Error when the name cannot stand behind the colon of a keyword */
  constructor(name: string) {
    if (!/^[A-Za-z][\w*!?+.<>=-]*$/.test(name))
      throw new Error(`expected a name for an EDN keyword, got ${JSON.stringify(name)}`)
    this.name = name
  }
}

export type Edn = Keyword | string | number | boolean | null | readonly Edn[] | EdnMap

/** Pairs in the order in which they are to be written. */
export interface EdnMap {
  readonly entries: readonly (readonly [Edn, Edn])[]
}

export function keyword(name: string): Keyword {
  return new Keyword(name)
}

/** A map with keywords as its keys; what is undefined is left out. */
export function ednMap(fields: Readonly<Record<string, Edn | undefined>>): EdnMap {
  const entries = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [[keyword(name), value] as const],
  )
  return { entries }
}

export function formatEdn(value: Edn): string {
  if (value === null) return 'nil'
  if (typeof value === 'boolean') return String(value)
  if (typeof value === 'number') return formatNumber(value)
  if (typeof value === 'string') return formatString(value)
  if (value instanceof Keyword) return `:${value.name}`
  if ('entries' in value && !Array.isArray(value)) {
    const { entries } = value as EdnMap
    return `{${entries.map(([key, each]) => `${formatEdn(key)} ${formatEdn(each)}`).join(', ')}}`
  }
  return `[${(value as readonly Edn[]).map(formatEdn).join(' ')}]`
}

function formatNumber(value: number): string {
  if (!Number.isFinite(value)) throw new Error(`expected a finite number to write as EDN, got ${value}`)
  const text = String(value)
  if (text.includes('e')) throw new Error(`expected a number that is written without an exponent, got ${text}`)
  return text
}

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n', '\r': '\\r', '\t': '\\t' }

function formatString(value: string): string {
  return `"${value.replaceAll(/[\\"\n\r\t]/g, character => escapes[character] as string)}"`
}
