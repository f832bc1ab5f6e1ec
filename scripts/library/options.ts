/** Options as programs without types may give them: what nobody meant is refused by name. */
import { usageError } from '../errors.ts'
import type { StartOptions } from './api.ts'

/** What topology files have, too, is checked as there. */
const asInTopologies = 'topology'

const kinds: Readonly<Record<keyof StartOptions, string>> = {
  brokers: asInTopologies,
  controllers: asInTopologies,
  engine: asInTopologies,
  security: asInTopologies,
  settings: asInTopologies,
  proxy: asInTopologies,
  faults: asInTopologies,
  links: asInTopologies,
  topics: 'object',
  name: 'string',
  directory: 'string',
  timeoutMs: 'number',
  signal: 'object',
}

const namePattern = /^[a-z0-9][a-z0-9-]{0,19}$/

export function checkedOptions(options: StartOptions): StartOptions {
  if (typeof options !== 'object' || options === null)
    throw usageError(`startCluster expects an object with options, got ${JSON.stringify(options)}.`)
  for (const [name, value] of Object.entries(options)) {
    const expected = (kinds as Readonly<Record<string, string>>)[name]
    if (expected === undefined)
      throw usageError(`startCluster has no option ${name}: it takes ${Object.keys(kinds).join(', ')}.`)
    if (expected !== asInTopologies && value !== undefined && (typeof value !== expected || value === null))
      throw usageError(
        `startCluster, option ${name}: expected a value of type ${expected}, got ${JSON.stringify(value)}.`,
      )
  }
  if (options.name !== undefined && !namePattern.test(options.name))
    throw usageError(
      `startCluster, option name: expected 1 to 20 lower-case letters, digits or dashes, got ${JSON.stringify(options.name)}.`,
    )
  return options
}
