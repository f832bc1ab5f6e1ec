/**
 * Reads EDN strictly, by its specification and not by what our writer does: anything else than one value of the kinds that a history needs is an error.
 * Keywords become `':name'` symbols of their own class, maps become `Map`.
 */

export class ParsedKeyword {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

export type Parsed = null | boolean | number | string | ParsedKeyword | Parsed[] | Map<unknown, Parsed>

export function parseEdn(text: string): Parsed {
  const parser = new Parser(text)
  const value = parser.value()
  parser.end()
  return value
}

class Parser {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  value(): Parsed {
    this.#space()
    const character = this.#text[this.#at]
    if (character === '[') return this.#list(']')
    if (character === '{') return this.#map()
    if (character === '"') return this.#string()
    return this.#atom()
  }

  end(): void {
    this.#space()
    if (this.#at !== this.#text.length) throw this.#error('the end')
  }

  #error(expected: string): Error {
    return new Error(
      `expected ${expected} at ${this.#at}, got ${JSON.stringify(this.#text.slice(this.#at, this.#at + 20))}`,
    )
  }

  #space(): void {
    while (/[\s,]/.test(this.#text[this.#at] ?? '')) this.#at += 1
  }

  #list(close: string): Parsed[] {
    this.#at += 1
    const values: Parsed[] = []
    for (;;) {
      this.#space()
      if (this.#text[this.#at] === close) break
      if (this.#at >= this.#text.length) throw this.#error(close)
      values.push(this.value())
    }
    this.#at += 1
    return values
  }

  #map(): Map<unknown, Parsed> {
    const values = this.#list('}')
    if (values.length % 2 === 1) throw this.#error('a value for every key')
    const map = new Map<unknown, Parsed>()
    for (let index = 0; index < values.length; index += 2) {
      const key = values[index]
      const name = key instanceof ParsedKeyword ? `:${key.name}` : key
      if (map.has(name)) throw this.#error('no key twice')
      map.set(name, values[index + 1] as Parsed)
    }
    return map
  }

  #string(): string {
    let value = ''
    for (this.#at += 1; ; this.#at += 1) {
      const character = this.#text[this.#at]
      if (character === undefined) throw this.#error('"')
      if (character === '"') break
      if (character !== '\\') {
        value += character
        continue
      }
      this.#at += 1
      const known = { t: '\t', r: '\r', n: '\n', '\\': '\\', '"': '"' }[this.#text[this.#at] ?? '']
      if (known === undefined) throw this.#error('one of the escapes \\t \\r \\n \\\\ \\"')
      value += known
    }
    this.#at += 1
    return value
  }

  #atom(): Parsed {
    const [token = ''] = /^[^\s,[\]{}()"]*/.exec(this.#text.slice(this.#at)) ?? []
    const value = atomOf(token)
    if (value === undefined) throw this.#error('a value')
    this.#at += token.length
    return value
  }
}

function atomOf(token: string): Parsed | undefined {
  if (token === 'nil') return null
  if (token === 'true' || token === 'false') return token === 'true'
  if (/^[+-]?(0|[1-9]\d*)(\.\d+)?$/.test(token)) return Number(token)
  const [, name] = /^:([A-Za-z*!_?$%&=<>.+-][\w*!?$%&=<>.+-]*)$/.exec(token) ?? []
  return name === undefined ? undefined : new ParsedKeyword(name)
}
