/** Parameters of faults on links. What a parameter is, and how a value is checked, is the same for faults inside a node. */
import {
  checkParameters as check,
  choice,
  count,
  checkExpression,
  FaultRefused,
  type NumberParameter,
  type Parameter,
  type Parameters,
} from '#broker/environment/faulty/parameters.ts'
import { usageError } from '../errors.ts'

export { checkExpression, choice, count }
export type { NumberParameter, Parameter, Parameters }

/** Fills in defaults; refuses, as a usage error, names that the kind does not have, wrong types and values out of bounds. */
export function checkParameters(kind: string, known: readonly Parameter[], given: Parameters): Parameters {
  try {
    return check(kind, known, given)
  } catch (error) {
    if (error instanceof FaultRefused) throw usageError(error.message, error.remedy)
    throw error
  }
}

export const milliseconds = (
  name: string,
  summary: string,
  rest: Partial<Pick<NumberParameter, 'default' | 'min' | 'optional'>> = {},
): NumberParameter => ({ name, summary, type: 'number', unit: 'ms', min: 0, max: 3_600_000, ...rest })

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
