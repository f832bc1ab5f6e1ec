/**
 * Parameters of faults: each has a type, a default, bounds and one line of explanation, so that lists, options and checks say the same. Faults
 * inside a node are described with them here, faults of links and processes in the toolkit.
 */
export type ParameterValue = string | number | boolean

interface Common {
  readonly name: string
  readonly summary: string
}

export interface NumberParameter extends Common {
  readonly type: 'number'
  readonly unit: 'ms' | 'ms/s' | 'bytes' | 'bytes/s' | 'MiB' | 'cores' | 'probability' | 'count' | 'port'
  /** Left out: must be given, unless `optional`. */
  readonly default?: number
  readonly optional?: true
  readonly min: number
  readonly max: number
  /** True: no fractions. */
  readonly whole?: true
}

export interface ChoiceParameter extends Common {
  readonly type: 'choice'
  readonly choices: readonly string[]
  readonly default: string
}

export interface TextParameter extends Common {
  readonly type: 'text'
  readonly default?: string
  readonly optional?: true
  /** Says what is expected, of a text that is not it. */
  readonly check?: (text: string) => string | undefined
}

export interface FlagParameter extends Common {
  readonly type: 'flag'
  readonly default: false
}

export type Parameter = NumberParameter | ChoiceParameter | TextParameter | FlagParameter
export type Parameters = Readonly<Record<string, ParameterValue>>

/** What was asked for cannot be meant: what was expected, what came, and what to do. */
export class FaultRefused extends Error {
  readonly remedy: string | undefined
  constructor(message: string, remedy?: string) {
    super(message)
    this.name = 'FaultRefused'
    this.remedy = remedy
  }
}

/** Fills in defaults; refuses (FaultRefused) names that the kind does not have, wrong types and values out of bounds. */
export function checkParameters(kind: string, known: readonly Parameter[], given: Parameters): Parameters {
  const stranger = Object.keys(given).find(name => !known.some(parameter => parameter.name === name))
  if (stranger !== undefined) {
    const names = known.map(({ name }) => `--${name}`).join(', ')
    throw new FaultRefused(
      `The fault ${kind} has no --${stranger}.`,
      `It takes ${names === '' ? 'no parameters' : names}.`,
    )
  }
  const complete: Record<string, ParameterValue> = {}
  for (const parameter of known) {
    const value = given[parameter.name] ?? parameter.default
    if (value !== undefined) complete[parameter.name] = checked(kind, parameter, value)
    else if (!('optional' in parameter && parameter.optional))
      throw new FaultRefused(`The fault ${kind} needs --${parameter.name}: ${parameter.summary}.`)
  }
  return complete
}

function checked(kind: string, parameter: Parameter, value: ParameterValue): ParameterValue {
  const refuse = (expected: string): never => {
    throw new FaultRefused(`--${parameter.name} of ${kind}: expected ${expected}, got ${JSON.stringify(value)}.`)
  }
  switch (parameter.type) {
    case 'number': {
      const { min, max, whole, unit } = parameter
      const number = typeof value === 'number' ? value : typeof value === 'string' && value !== '' ? Number(value) : NaN
      const fits = number >= min && number <= max && (whole !== true || Number.isInteger(number))
      return fits ? number : refuse(`a ${whole === true ? 'whole ' : ''}number from ${min} to ${max} (${unit})`)
    }
    case 'choice':
      return typeof value === 'string' && parameter.choices.includes(value)
        ? value
        : refuse(`one of ${parameter.choices.join(', ')}`)
    case 'flag':
      return typeof value === 'boolean' ? value : refuse('true or false')
    case 'text': {
      if (typeof value !== 'string' && typeof value !== 'number') return refuse('a text')
      const text = String(value)
      const problem = parameter.check?.(text)
      return problem === undefined ? text : refuse(problem)
    }
  }
}

export const choice = (name: string, summary: string, choices: readonly [string, ...string[]]): ChoiceParameter => ({
  name,
  summary,
  type: 'choice',
  choices,
  default: choices[0],
})

/** A whole number from 1 that may be left out. */
export const count = (name: string, summary: string): NumberParameter => ({
  name,
  summary,
  type: 'number',
  unit: 'count',
  optional: true,
  min: 1,
  max: Number.MAX_SAFE_INTEGER,
  whole: true,
})

/** For `check` of a text: what is wrong with a regular expression. */
export function checkExpression(value: string): string | undefined {
  try {
    return RegExp(value) instanceof RegExp ? undefined : 'a regular expression'
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return `a regular expression (${error.message})`
  }
}
