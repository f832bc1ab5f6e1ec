/**
 * Settings as a table: each is declared once, with Kafka's name, type, default, bounds and documentation, and the table feeds parsing,
 * types, DescribeConfigs and the reference page. A key that is not in the table is a start-up error that names the nearest known one.
 */

/** Kafka's ConfigDef types, as DescribeConfigs v3+ reports them. */
export type SettingType = 'boolean' | 'string' | 'int' | 'short' | 'long' | 'double' | 'list' | 'password'

/** When a change takes effect: at the next start, per broker, or cluster-wide too (KIP-226). */
export type UpdateMode = 'read-only' | 'per-broker' | 'cluster-wide'

export interface Setting<T> {
  readonly type: SettingType
  readonly defaultValue: T
  readonly parse: (text: string) => T
  format(value: T): string
  readonly update: UpdateMode
  readonly doc: string
  readonly sensitive: boolean
  /** The broker setting that gives a topic setting its default, e.g. log.segment.bytes for segment.bytes. */
  readonly brokerName?: string
}

export type Table = Readonly<Record<string, Setting<unknown>>>
export type Values<T> = { readonly [K in keyof T]: T[K] extends Setting<infer V> ? V : never }

/** A value that a setting cannot take: what was expected, what came. */
export class ConfigError extends Error {
  readonly setting: string
  constructor(setting: string, message: string) {
    super(message)
    this.name = 'ConfigError'
    this.setting = setting
  }
}

interface Options {
  readonly doc: string
  readonly update?: UpdateMode
  readonly brokerName?: string
}

interface NumberOptions extends Options {
  readonly default: number
  readonly min?: number
  readonly max?: number
}

function setting<T>(
  type: SettingType,
  options: Options & { readonly default: T },
  parse: (text: string) => T,
  format: (value: T) => string = String,
): Setting<T> {
  return {
    type,
    defaultValue: options.default,
    parse,
    format,
    update: options.update ?? 'read-only',
    doc: options.doc,
    sensitive: type === 'password',
    ...(options.brokerName === undefined ? {} : { brokerName: options.brokerName }),
  }
}

function integer(type: SettingType, options: NumberOptions, least: number, most: number): Setting<number> {
  const minimum = options.min ?? least
  const maximum = options.max ?? most
  return setting(
    type,
    options,
    text => {
      const trimmed = text.trim()
      const value = Number(trimmed)
      if (!/^[+-]?\d+$/.test(trimmed)) throw new TypeError(`expected a whole number, got "${text}"`)
      // Java's Long.MAX_VALUE stands for "no limit" and does not fit a number exactly.
      if (BigInt(trimmed) === 9223372036854775807n && maximum === Number.MAX_SAFE_INTEGER)
        return Number.MAX_SAFE_INTEGER
      if (value < minimum || value > maximum)
        throw new RangeError(`expected a number from ${minimum} to ${maximum}, got ${text}`)
      return value
    },
    value => (value === Number.MAX_SAFE_INTEGER ? '9223372036854775807' : String(value)),
  )
}

export const int = (options: NumberOptions): Setting<number> => integer('int', options, -2147483648, 2147483647)
export const short = (options: NumberOptions): Setting<number> => integer('short', options, -32768, 32767)
export const long = (options: NumberOptions): Setting<number> =>
  integer('long', options, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)

export const double = (options: NumberOptions): Setting<number> =>
  setting('double', options, text => {
    const value = Number(text)
    if (text.trim() === '' || !Number.isFinite(value)) throw new TypeError(`expected a number, got "${text}"`)
    if (value < (options.min ?? -Infinity) || value > (options.max ?? Infinity))
      throw new RangeError(`expected a number from ${options.min} to ${options.max}, got ${text}`)
    return value
  })

export const boolean = (options: Options & { readonly default: boolean }): Setting<boolean> =>
  setting('boolean', options, text => {
    const lower = text.trim().toLowerCase()
    if (lower !== 'true' && lower !== 'false') throw new TypeError(`expected true or false, got "${text}"`)
    return lower === 'true'
  })

export const string = (options: Options & { readonly default: string; readonly pattern?: RegExp }): Setting<string> =>
  setting('string', options, text => {
    const trimmed = text.trim()
    if (options.pattern !== undefined && !options.pattern.test(trimmed))
      throw new TypeError(`expected a value that matches ${options.pattern}, got "${text}"`)
    return trimmed
  })

export function oneOf<const T extends string>(
  values: readonly T[],
  options: Options & { readonly default: NoInfer<T> },
): Setting<T> {
  return setting<T>('string', options, text => {
    const found = values.find(value => value.toLowerCase() === text.trim().toLowerCase())
    if (found === undefined) throw new TypeError(`expected one of ${values.join(', ')}, got "${text}"`)
    return found
  })
}

export function list<T extends string = string>(
  options: Options & {
    readonly default: readonly NoInfer<T>[]
    readonly values?: readonly T[]
    readonly pattern?: RegExp
  },
): Setting<readonly T[]> {
  return setting<readonly T[]>(
    'list',
    options,
    text => {
      const parts = text
        .split(',')
        .map(part => part.trim())
        .filter(part => part !== '')
      const stranger = parts.find(part => options.values !== undefined && !options.values.some(value => value === part))
      if (stranger !== undefined)
        throw new TypeError(`expected values from ${options.values?.join(', ')}, got "${stranger}"`)
      if (options.pattern !== undefined && !options.pattern.test(parts.join(',')))
        throw new TypeError(`expected a value that matches ${options.pattern}, got "${text}"`)
      return parts as T[]
    },
    value => value.join(','),
  )
}

/** One value from its text, with the setting's name in the error. */
export function parseSetting<T>(name: string, definition: Setting<T>, text: string): T {
  try {
    return definition.parse(text)
  } catch (error) {
    throw new ConfigError(name, `${name}: ${(error as Error).message}`)
  }
}

/** All values of a table: the given ones parsed, the others at their defaults. Unknown keys throw ConfigError. */
export function parseTable<T extends Table>(table: T, given: ReadonlyMap<string, string>): Values<T> {
  const values: Record<string, unknown> = {}
  for (const [name, definition] of Object.entries(table)) {
    const text = given.get(name)
    values[name] = text === undefined ? definition.defaultValue : parseSetting(name, definition, text)
  }
  for (const name of given.keys()) {
    if (table[name] === undefined) throw new ConfigError(name, unknownSetting(name, Object.keys(table)))
  }
  return values as Values<T>
}

export function unknownSetting(name: string, known: readonly string[]): string {
  const nearest = known
    .map(candidate => ({ candidate, distance: editDistance(name, candidate) }))
    .reduce((best, next) => (next.distance < best.distance ? next : best), { candidate: '', distance: Infinity })
  const hint = nearest.distance <= Math.max(2, name.length / 4) ? `; did you mean ${nearest.candidate}?` : ''
  return `unknown setting ${name}${hint}`
}

/** Levenshtein distance, for the hint above. */
function editDistance(left: string, right: string): number {
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index)
  for (let i = 1; i <= left.length; i++) {
    const current = [i]
    for (let j = 1; j <= right.length; j++) {
      const substitution = (previous[j - 1] ?? 0) + (left[i - 1] === right[j - 1] ? 0 : 1)
      current.push(Math.min((previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1, substitution))
    }
    previous = current
  }
  return previous[right.length] ?? Infinity
}
