/**
 * Checks of values that somebody wrote into a file: each names the place of what is wrong (`brokers[1].rack`), what was expected and what is
 * there.
 */

/** Something is wrong at `path`; the empty path is the file as a whole. */
export class ShapeError extends Error {
  constructor(path: string, message: string) {
    super(path === '' ? message : `${path}: ${message}`)
    this.name = 'ShapeError'
  }
}

/** Throws ShapeError unless the value at `path` is as expected. */
export type Shape = (value: unknown, path: string) => void

function expected(what: string, value: unknown, path: string): never {
  throw new ShapeError(path, `expected ${what}, got ${shown(value)}`)
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}

export const text: Shape = (value, path) => {
  if (typeof value !== 'string' || value === '') expected('a text', value, path)
}

export const flag: Shape = (value, path) => {
  if (typeof value !== 'boolean') expected('true or false', value, path)
}

export function whole(least: number, most: number): Shape {
  return (value, path) => {
    if (!Number.isInteger(value) || Number(value) < least || Number(value) > most)
      expected(`a whole number from ${least} to ${most}`, value, path)
  }
}

export function oneOf(choices: readonly string[]): Shape {
  return (value, path) => {
    if (typeof value !== 'string' || !choices.includes(value)) expected(`one of ${choices.join(', ')}`, value, path)
  }
}

export function list(items: Shape, what: string): Shape {
  return (value, path) => {
    if (!Array.isArray(value)) expected(what, value, path)
    value.forEach((item, index) => items(item, `${path}[${index}]`))
  }
}

/** The first that fits the kind of value that it is. */
export function either(
  what: string,
  cases: readonly (readonly [fits: (value: unknown) => boolean, shape: Shape])[],
): Shape {
  return (value, path) => {
    const found = cases.find(([fits]) => fits(value))
    if (found === undefined) expected(what, value, path)
    found[1](value, path)
  }
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Names and simple values: broker settings, parameters. */
export const settings: Shape = (value, path) => {
  if (!isObject(value)) expected('an object of names and values', value, path)
  for (const [name, setting] of Object.entries(value))
    if (!['string', 'number', 'boolean'].includes(typeof setting))
      expected('a text, a number, true or false', setting, `${path}[${JSON.stringify(name)}]`)
}

/** An object with these fields and no other; the ones in `required` must be there. */
export function object(fields: Readonly<Record<string, Shape>>, required: readonly string[] = []): Shape {
  return (value, path) => {
    if (!isObject(value)) expected('an object', value, path)
    const at = (name: string): string => (path === '' ? name : `${path}.${name}`)
    for (const [name, field] of Object.entries(value)) {
      const shape = Object.hasOwn(fields, name) ? fields[name] : undefined
      if (shape === undefined)
        throw new ShapeError(at(name), `is not known; expected ${Object.keys(fields).join(', ')}`)
      shape(field, at(name))
    }
    const missing = required.find(name => value[name] === undefined)
    if (missing !== undefined) throw new ShapeError(at(missing), 'is missing')
  }
}
