/**
 * Conditions as data, for schedules in files and for command lines. As JSON an object with one key, the name of the condition:
 *
 *   {"hasLeftInSyncSet": {"partition": "orders-0", "broker": 2}}
 *   {"every": [{"isFullyInSync": {"partition": "orders-0"}}, {"not": {"groupIs": {"group": "readers", "state": "Empty"}}}]}
 *
 * as words its name and its values in order: `hasLeftInSyncSet orders-0 2`, `not groupIs readers Empty`.
 */
import { usageError } from '../errors.ts'
import {
  brokerAnswers,
  brokerIs,
  every,
  groupHasCaughtUp,
  groupHasMembers,
  groupIs,
  groupLags,
  hasLeader,
  hasLeftInSyncSet,
  highWatermarkReaches,
  isBehindLeader,
  isBeyondHighWatermark,
  isFullyInSync,
  isHeldBackByTransaction,
  isInSync,
  isLevel,
  leads,
  logEndReaches,
  not,
  quorumIsLedBy,
  quorumIsLedByAnother,
  some,
  transactionHasEnded,
  transactionIs,
  type Predicate,
} from './predicates.ts'

type Kind = 'partition' | 'number' | 'text' | 'registration'

/** What a condition takes, in the order of its words. */
type Takes = Readonly<Record<string, Kind>>

class Values {
  readonly #values: ReadonlyMap<string, string | number>

  constructor(values: ReadonlyMap<string, string | number>) {
    this.#values = values
  }

  /** Topic and index. */
  get partition(): [string, number] {
    return splitPartition(this.text('partition')) ?? ['', -1]
  }

  get broker(): number {
    return this.number('broker')
  }

  number(name: string): number {
    return Number(this.#values.get(name))
  }

  text(name: string): string {
    return String(this.#values.get(name))
  }
}

interface Form {
  readonly takes: Takes
  make(values: Values): Predicate
}

const partition = { partition: 'partition' } as const
const replica = { partition: 'partition', broker: 'number' } as const

const forms: Readonly<Record<string, Form>> = {
  hasLeader: { takes: partition, make: of => hasLeader(...of.partition) },
  leads: { takes: replica, make: of => leads(...of.partition, of.broker) },
  isInSync: { takes: replica, make: of => isInSync(...of.partition, of.broker) },
  hasLeftInSyncSet: { takes: replica, make: of => hasLeftInSyncSet(...of.partition, of.broker) },
  isFullyInSync: { takes: partition, make: of => isFullyInSync(...of.partition) },
  isBeyondHighWatermark: { takes: replica, make: of => isBeyondHighWatermark(...of.partition, of.broker) },
  isBehindLeader: {
    takes: { ...replica, records: 'number' },
    make: of => isBehindLeader(...of.partition, of.broker, of.number('records')),
  },
  highWatermarkReaches: {
    takes: { ...partition, offset: 'number' },
    make: of => highWatermarkReaches(...of.partition, of.number('offset')),
  },
  logEndReaches: {
    takes: { ...replica, offset: 'number' },
    make: of => logEndReaches(...of.partition, of.broker, of.number('offset')),
  },
  isLevel: { takes: partition, make: of => isLevel(...of.partition) },
  isHeldBackByTransaction: { takes: partition, make: of => isHeldBackByTransaction(...of.partition) },
  quorumIsLedBy: { takes: { node: 'number' }, make: of => quorumIsLedBy(of.number('node')) },
  quorumIsLedByAnother: { takes: { node: 'number' }, make: of => quorumIsLedByAnother(of.number('node')) },
  brokerAnswers: { takes: { broker: 'number' }, make: of => brokerAnswers(of.broker) },
  brokerIs: {
    takes: { broker: 'number', registration: 'registration' },
    make: of => brokerIs(of.broker, registrations.find(each => each === of.text('registration')) ?? 'not registered'),
  },
  groupIs: { takes: { group: 'text', state: 'text' }, make: of => groupIs(of.text('group'), of.text('state')) },
  groupHasMembers: {
    takes: { group: 'text', members: 'number' },
    make: of => groupHasMembers(of.text('group'), of.number('members')),
  },
  groupLags: {
    takes: { group: 'text', records: 'number' },
    make: of => groupLags(of.text('group'), of.number('records')),
  },
  groupHasCaughtUp: { takes: { group: 'text' }, make: of => groupHasCaughtUp(of.text('group')) },
  transactionIs: {
    takes: { transaction: 'text', state: 'text' },
    make: of => transactionIs(of.text('transaction'), of.text('state')),
  },
  transactionHasEnded: { takes: { transaction: 'text' }, make: of => transactionHasEnded(of.text('transaction')) },
}

const registrations = ['alive', 'fenced', 'not registered'] as const

/** Names of all conditions with what they take, as words. */
export const predicateForms: readonly string[] = Object.entries(forms).map(([name, { takes }]) =>
  [name, ...Object.keys(takes).map(each => each.toUpperCase())].join(' '),
)

const expected: Readonly<Record<Kind, string>> = {
  partition: 'a partition such as orders-0',
  number: 'a whole number from 0',
  text: 'a text that is not empty',
  registration: `one of ${registrations.join(', ')}`,
}

const fits: Readonly<Record<Kind, (value: unknown) => boolean>> = {
  partition: value => typeof value === 'string' && splitPartition(value) !== undefined,
  number: value => Number.isSafeInteger(value) && Number(value) >= 0,
  text: value => typeof value === 'string' && value !== '',
  registration: value => registrations.some(each => each === value),
}

const example = 'For example: {"hasLeftInSyncSet": {"partition": "orders-0", "broker": 2}}'

/** Topic and index of `orders-0`; undefined when it is none. */
export function splitPartition(name: string): [topic: string, index: number] | undefined {
  const [, topic, index] = /^(.+)-(\d+)$/.exec(name) ?? []
  return topic === undefined || index === undefined ? undefined : [topic, Number(index)]
}

/**
 * A condition from its JSON form.
 *
 * @param where  whose value it is, for the message of what is refused
 */
export function predicateFromJson(value: unknown, where: string): Predicate {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return refuse(where, 'a condition is an object')
  const [entry, ...more] = Object.entries(value)
  if (entry === undefined || more.length > 0)
    return refuse(where, `a condition has one name, this one has ${more.length + (entry === undefined ? 0 : 1)}`)
  const [name, given] = entry as [string, unknown]
  if (name === 'not') return not(predicateFromJson(given, `${where}.not`))
  if (name === 'every' || name === 'some') {
    if (!Array.isArray(given) || given.length === 0)
      return refuse(where, `${name} has a list of conditions that is not empty`)
    const parts = given.map((part, index) => predicateFromJson(part, `${where}.${name}[${index}]`))
    return name === 'every' ? every(...parts) : some(...parts)
  }
  const { takes } = formOf(name, where)
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    return refuse(where, `${name} has an object with ${Object.keys(takes).join(', ')}`)
  return made(name, new Map(Object.entries(given)), where)
}

/** A condition from the words of a command line, or from its JSON form as text. */
export function predicateFromText(text: string, where: string): Predicate {
  const trimmed = text.trim()
  if (trimmed.startsWith('{')) {
    let value: unknown
    try {
      value = JSON.parse(trimmed)
    } catch (error) {
      return refuse(where, `${JSON.stringify(text)} is no JSON: ${(error as Error).message}`)
    }
    return predicateFromJson(value, where)
  }
  const [name = '', ...words] = trimmed.split(/\s+/)
  if (name === 'not') return not(predicateFromText(words.join(' '), where))
  const kinds = Object.entries(formOf(name, where).takes)
  // The last one may have blanks: `not registered`.
  const values =
    words.length > kinds.length ? [...words.slice(0, kinds.length - 1), words.slice(kinds.length - 1).join(' ')] : words
  const given = kinds.flatMap(([key, kind], index): [string, unknown][] => {
    const word = values[index]
    return word === undefined ? [] : [[key, kind === 'number' && /^\d+$/.test(word) ? Number(word) : word]]
  })
  return made(name, new Map(given), where)
}

function formOf(name: string, where: string): Form {
  const form = Object.hasOwn(forms, name) ? forms[name] : undefined
  return (
    form ??
    refuse(
      where,
      `there is no condition ${JSON.stringify(name)}; expected every, some, not, ${Object.keys(forms).join(', ')}`,
    )
  )
}

function made(name: string, given: ReadonlyMap<string, unknown>, where: string): Predicate {
  const form = formOf(name, where)
  const stranger = [...given.keys()].find(key => !Object.hasOwn(form.takes, key))
  if (stranger !== undefined)
    return refuse(where, `${name} has no ${stranger}; it takes ${Object.keys(form.takes).join(', ')}`)
  const values = new Map<string, string | number>()
  for (const [key, kind] of Object.entries(form.takes)) {
    const value = given.get(key)
    if (!fits[kind](value)) {
      const got = value === undefined ? 'it is missing' : `got ${JSON.stringify(value)}`
      return refuse(where, `${key} of ${name}: expected ${expected[kind]}, ${got}`)
    }
    values.set(key, value as string | number)
  }
  return form.make(new Values(values))
}

function refuse(where: string, problem: string): never {
  throw usageError(`${where}: ${problem}.`, example)
}
