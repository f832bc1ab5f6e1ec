/** Parameters of faults: each has a type, a default, bounds and one line of explanation, so that lists, options and checks say the same. */
import { usageError } from '../errors.ts'
import type { ParameterValue } from './model.ts'

interface Common {
  readonly name: string
  readonly summary: string
}

export interface NumberParameter extends Common {
  readonly type: 'number'
  readonly unit: 'ms' | 'bytes' | 'bytes/s' | 'probability' | 'count'
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
  /** Says what is wrong with a text, if anything. */
  readonly check?: (text: string) => string | undefined
}

export interface FlagParameter extends Common {
  readonly type: 'flag'
  readonly default: false
}

export type Parameter = NumberParameter | ChoiceParameter | TextParameter | FlagParameter
export type Parameters = Readonly<Record<string, ParameterValue>>

/** Fills in defaults; refuses names that the kind does not have, wrong types and values out of bounds. */
export function checkParameters(kind: string, known: readonly Parameter[], given: Parameters): Parameters {
  const stranger = Object.keys(given).find(name => !known.some(parameter => parameter.name === name))
  if (stranger !== undefined) {
    const names = known.map(({ name }) => `--${name}`).join(', ')
    throw usageError(`The fault ${kind} has no --${stranger}.`, `It takes ${names === '' ? 'no parameters' : names}.`)
  }
  const complete: Record<string, ParameterValue> = {}
  for (const parameter of known) {
    const value = given[parameter.name] ?? parameter.default
    if (value !== undefined) complete[parameter.name] = checked(kind, parameter, value)
    else if (!('optional' in parameter && parameter.optional))
      throw usageError(`The fault ${kind} needs --${parameter.name}: ${parameter.summary}.`)
  }
  return complete
}

function checked(kind: string, parameter: Parameter, value: ParameterValue): ParameterValue {
  const refuse = (expected: string): never => {
    throw usageError(`--${parameter.name} of ${kind}: expected ${expected}, got ${JSON.stringify(value)}.`)
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

export const milliseconds = (
  name: string,
  summary: string,
  rest: Partial<Pick<NumberParameter, 'default' | 'min' | 'optional'>> = {},
): NumberParameter => ({ name, summary, type: 'number', unit: 'ms', min: 0, max: 3_600_000, ...rest })

export const choice = (name: string, summary: string, choices: readonly [string, ...string[]]): ChoiceParameter => ({
  name,
  summary,
  type: 'choice',
  choices,
  default: choices[0],
})

export const probability = (
  name: string,
  summary: string,
  rest: { readonly default: number } | { readonly optional: true } | object = {},
): NumberParameter => ({ name, summary, type: 'number', unit: 'probability', min: 0, max: 1, ...rest })

export const seed: NumberParameter = {
  name: 'seed',
  summary: 'of the chance in this fault: the same seed draws the same numbers',
  type: 'number',
  unit: 'count',
  default: 1,
  min: 0,
  max: Number.MAX_SAFE_INTEGER,
  whole: true,
}
