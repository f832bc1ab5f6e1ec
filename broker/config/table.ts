/**
 * Settings as a table: each is declared once, with Kafka's name, type, default, bounds and documentation, and the table feeds parsing,
 * types and DescribeConfigs. A key that is not in the table is passed over with a warning that names the nearest known one.
 */

/** Kafka's ConfigDef types, as DescribeConfigs v3+ reports them. */
export type SettingType = 'boolean' | 'string' | 'int' | 'short' | 'long' | 'double' | 'list' | 'class' | 'password'

/** When a change takes effect: at the next start, per broker, or cluster-wide too (KIP-226). */
export type UpdateMode = 'read-only' | 'per-broker' | 'cluster-wide'

export interface Setting<T> {
  readonly type: SettingType
  readonly defaultValue: T
  /** The default as Kafka reports it; null where Kafka has none. */
  readonly defaultText: string | null
  readonly parse: (text: string) => T
  format(value: T): string
  readonly update: UpdateMode
  readonly doc: string
  readonly sensitive: boolean
  /** The broker setting that gives a topic or group setting its default, e.g. log.segment.bytes for segment.bytes. */
  readonly brokerName?: string
}

export type Table = Readonly<Record<string, Setting<unknown>>>
export type Values<T> = { readonly [K in keyof T]: T[K] extends Setting<infer V> ? V : never }

/** A value that a setting cannot take; the message is Kafka's. */
export class ConfigError extends Error {
  readonly setting: string
  constructor(setting: string, message: string) {
    super(message)
    this.name = 'ConfigError'
    this.setting = setting
  }
}

/** What is wrong with a list as a whole, said of "Configuration 'name'". */
class ListError extends Error {}

interface Options {
  /** A setting that means nothing here begins with "No effect here". */
  readonly doc: string
  readonly update?: UpdateMode
  readonly brokerName?: string
  /** Kafka has no default: nothing is reported while nobody sets it. `default` is what holds then. */
  readonly unset?: true
  /** The default as Kafka writes it, where that is not how we write the value. */
  readonly defaultText?: string
}

interface NumberOptions extends Options {
  readonly default: number
  readonly min?: number
  readonly max?: number
  /** One value outside the range that is good too. */
  readonly or?: number
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
    defaultText: options.unset === true ? null : (options.defaultText ?? format(options.default)),
    parse,
    format,
    update: options.update ?? 'read-only',
    doc: options.doc,
    sensitive: type === 'password',
    ...(options.brokerName === undefined ? {} : { brokerName: options.brokerName }),
  }
}

function inRange(value: number, { min, max, or }: NumberOptions): number {
  if (value === or) return value
  if (or !== undefined && min !== undefined && max !== undefined && (value < min || value > max))
    throw new RangeError(`Value must be between ${min} and ${max} or equal to ${or}`)
  if (min !== undefined && value < min) throw new RangeError(`Value must be at least ${min}`)
  if (max !== undefined && value > max) throw new RangeError(`Value must be no more than ${max}`)
  return value
}

const longestLong = 9223372036854775807n

function integer(type: 'int' | 'short' | 'long', options: NumberOptions, bits: number): Setting<number> {
  return setting(
    type,
    options,
    text => {
      const trimmed = text.trim()
      const exact = /^[+-]?\d+$/.test(trimmed) ? BigInt(trimmed) : undefined
      if (exact === undefined || BigInt.asIntN(bits, exact) !== exact)
        throw new TypeError(`Not a number of type ${type.toUpperCase()}`)
      // Java's Long.MAX_VALUE stands for "no limit"; longs beyond the exact numbers are as good as that.
      const value = Math.max(Math.min(Number(exact), Number.MAX_SAFE_INTEGER), Number.MIN_SAFE_INTEGER)
      return inRange(value, options)
    },
    value => (value === Number.MAX_SAFE_INTEGER ? String(longestLong) : String(value)),
  )
}

export const int = (options: NumberOptions): Setting<number> => integer('int', options, 32)
export const short = (options: NumberOptions): Setting<number> => integer('short', options, 16)
export const long = (options: NumberOptions): Setting<number> => integer('long', options, 64)

export const double = (options: NumberOptions): Setting<number> =>
  setting(
    'double',
    options,
    text => {
      const value = Number(text)
      if (text.trim() === '' || Number.isNaN(value)) throw new TypeError('Not a number of type DOUBLE')
      return inRange(value, options)
    },
    javaDouble,
  )

/** As Java prints a double: at least one digit after the point, an exponent from ten million on. */
function javaDouble(value: number): string {
  const size = Math.abs(value)
  if (size !== 0 && (size >= 1e7 || size < 1e-3)) {
    const [digits = '', exponent = ''] = value.toExponential().split('e')
    return `${digits.includes('.') ? digits : `${digits}.0`}E${Number(exponent)}`
  }
  return Number.isInteger(value) ? `${value}.0` : String(value)
}

export const boolean = (options: Options & { readonly default: boolean }): Setting<boolean> =>
  setting('boolean', options, text => {
    const lower = text.trim().toLowerCase()
    if (lower !== 'true' && lower !== 'false') throw new TypeError('Expected value to be either true or false')
    return lower === 'true'
  })

interface TextOptions extends Options {
  readonly default: string
  readonly nonEmpty?: true
  /** What is wrong with the text; undefined when nothing is. */
  readonly check?: (text: string) => string | undefined
}

function textual(type: 'string' | 'class' | 'password', options: TextOptions): Setting<string> {
  return setting(type, options, text => {
    const trimmed = text.trim()
    if (options.nonEmpty === true && trimmed === '') throw new TypeError('String must be non-empty')
    const wrong = options.check?.(trimmed)
    if (wrong !== undefined) throw new TypeError(wrong)
    return trimmed
  })
}

export const string = (options: TextOptions): Setting<string> => textual('string', options)
/** The name of a Java class: kept and shown, never loaded. */
export const className = (options: Options & { readonly default?: string }): Setting<string> =>
  textual(
    'class',
    options.default === undefined ? { ...options, default: '', unset: true } : { default: '', ...options },
  )
/** Never shown to anybody. Empty: not set. */
export const password = (options: Options): Setting<string> =>
  textual('password', { ...options, default: '', unset: true })

export function oneOf<const T extends string>(
  values: readonly T[],
  options: Options & { readonly default: NoInfer<T>; readonly anyCase?: true },
): Setting<T> {
  return setting<T>('string', options, text => {
    const trimmed = text.trim()
    const isAnyCase = options.anyCase === true
    const found = values.find(value => (isAnyCase ? value.toLowerCase() === trimmed.toLowerCase() : value === trimmed))
    if (found === undefined)
      throw new TypeError(`String must be one of${isAnyCase ? ' (case insensitive)' : ''}: ${values.join(', ')}`)
    return found
  })
}

export function list<T extends string = string>(
  options: Options & {
    readonly default: readonly NoInfer<T>[]
    readonly values?: readonly T[]
    readonly nonEmpty?: true
    /** A string in Kafka, which only we take apart. */
    readonly type?: 'string'
    readonly check?: (parts: readonly string[]) => string | undefined
  },
): Setting<readonly T[]> {
  const { values, nonEmpty } = options
  return setting<readonly T[]>(
    options.type ?? 'list',
    options,
    text => {
      const parts = text.trim() === '' ? [] : text.split(',').map(part => part.trim())
      if (nonEmpty === true && parts.length === 0) {
        const choices = values === undefined ? 'any non-empty value' : `[${values.join(', ')}]`
        throw new ListError(`must not be empty. Valid values include: ${choices}`)
      }
      if (new Set(parts).size !== parts.length) throw new ListError('values must not be duplicated.')
      if (parts.includes('')) throw new ListError('values must not be empty.')
      const stranger = parts.find(part => values !== undefined && !values.some(value => value === part))
      if (stranger !== undefined) throw new TypeError(`String must be one of: ${values?.join(', ')}`)
      const wrong = options.check?.(parts)
      if (wrong !== undefined) throw new TypeError(wrong)
      return parts as T[]
    },
    value => value.join(','),
  )
}

/** One value from its text. @throws ConfigError with Kafka's message */
export function parseSetting<T>(name: string, definition: Setting<T>, text: string): T {
  try {
    return definition.parse(text)
  } catch (error) {
    const { message } = error as Error
    if (error instanceof ListError) throw new ConfigError(name, `Configuration '${name}' ${message}`)
    // What is secret stays so when it is wrong.
    const shown = definition.sensitive ? '[hidden]' : text
    throw new ConfigError(name, `Invalid value ${shown} for configuration ${name}: ${message}`)
  }
}

/** All values of a table: the given ones parsed, the others at their defaults. Keys that are not in it are passed over. */
export function parseTable<T extends Table>(table: T, given: ReadonlyMap<string, string>): Values<T> {
  const values: Record<string, unknown> = {}
  for (const [name, definition] of Object.entries(table)) {
    const text = given.get(name)
    values[name] = text === undefined ? definition.defaultValue : parseSetting(name, definition, text)
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
