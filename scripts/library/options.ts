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

/** What timers of Node.js take. */
const timeoutMsMax = 2 ** 31 - 1

const namePattern = /^[a-z0-9][a-z0-9-]{0,19}$/

const lookOptions = ['topics', 'groups', 'quorum', 'transactions', 'producers', 'answerMs', 'signal']
const observeOptions = [...lookOptions, 'intervalMs']
const known = {
  observeOnce: lookOptions,
  observe: observeOptions,
  when: [...observeOptions, 'timeoutMs', 'what'],
} as const

/** Refuses what a method of observation does not know, and would do without. */
export function checkLook(method: keyof typeof known, options: object): void {
  const stranger = Object.keys(options).find(name => !known[method].includes(name))
  if (stranger !== undefined)
    throw usageError(`${method} has no option ${stranger}: it takes ${known[method].join(', ')}.`)
}

/** Ids of nodes, as programs without types may give them. */
export function checkedIds(what: string, ids: unknown): readonly number[] {
  if (Array.isArray(ids) && ids.length > 0 && ids.every(id => Number.isInteger(id))) return ids as readonly number[]
  throw usageError(`${what}: expected a list of node ids such as [1, 2], got ${JSON.stringify(ids)}.`)
}

export function checkedGroups(groups: unknown): readonly (readonly number[])[] {
  if (!Array.isArray(groups) || groups.length === 0)
    throw usageError(`partition: expected groups of node ids such as [[1], [2, 3]], got ${JSON.stringify(groups)}.`)
  return groups.map(group => checkedIds('partition, a group', group))
}

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
  if (options.timeoutMs !== undefined && !(options.timeoutMs > 0 && options.timeoutMs <= timeoutMsMax))
    throw usageError(
      `startCluster, option timeoutMs: expected a number of milliseconds from 1 to ${timeoutMsMax}, got ${options.timeoutMs}.`,
    )
  if (options.name !== undefined && !namePattern.test(options.name))
    throw usageError(
      `startCluster, option name: expected 1 to 20 lower-case letters, digits or dashes, got ${JSON.stringify(options.name)}.`,
    )
  return options
}
