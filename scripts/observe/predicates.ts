/**
 * Conditions on what is observed: triggers of faults and labs. Each has a name that reads in a sentence ("waited until …"), says what has to
 * be watched for it, and answers undefined while what it needs is unknown: so that neither it nor its opposite comes true from silence.
 */
import type { Offset } from '../history/operation.ts'
import {
  isUnknown,
  known,
  partitionOf,
  type Observation,
  type ObservedGroup,
  type ObservedPartition,
  type ObservedTransaction,
  type Registration,
  type Watch,
} from './model.ts'
import { isOpen } from './transactions.ts'
import { totalLag } from './words.ts'

export interface Predicate {
  readonly name: string
  readonly watch: Watch
  readonly holds: (observation: Observation) => boolean | undefined
}

/** A condition of your own. */
export function predicate(name: string, watch: Watch, holds: Predicate['holds']): Predicate {
  return { name, watch, holds }
}

/** All of them, in one and the same observation. */
export function every(...parts: readonly Predicate[]): Predicate {
  return predicate(parts.map(({ name }) => name).join(' and '), mergedWatch(parts), seen => {
    const answers = parts.map(part => part.holds(seen))
    return answers.includes(false) ? false : answers.includes(undefined) ? undefined : true
  })
}

/** At least one of them. */
export function some(...parts: readonly Predicate[]): Predicate {
  return predicate(parts.map(({ name }) => name).join(' or '), mergedWatch(parts), seen => {
    const answers = parts.map(part => part.holds(seen))
    return answers.includes(true) ? true : answers.includes(undefined) ? undefined : false
  })
}

/** The opposite; unknown stays unknown. */
export function not(part: Predicate): Predicate {
  return predicate(`not (${part.name})`, part.watch, seen => {
    const answer = part.holds(seen)
    return answer === undefined ? undefined : !answer
  })
}

/** Watches all that one of them watches. */
export function mergedWatch(parts: readonly { readonly watch: Watch }[]): Watch {
  const names = (key: 'topics' | 'groups') => {
    const wanted = parts.map(({ watch }) => watch[key]).filter(each => each !== undefined)
    if (wanted.includes('all')) return 'all' as const
    return wanted.length === 0 ? undefined : [...new Set(wanted.flat())]
  }
  const [topics, groups, transactions] = [names('topics'), names('groups'), mergedTransactions(parts)]
  const isAsked = (key: 'quorum' | 'producers') => parts.some(({ watch }) => watch[key] === true)
  return {
    ...(topics === undefined ? {} : { topics }),
    ...(groups === undefined ? {} : { groups }),
    ...(transactions === undefined ? {} : { transactions }),
    ...(isAsked('quorum') ? { quorum: true } : {}),
    ...(isAsked('producers') ? { producers: true } : {}),
  }
}

/** Those that are open are among all of them; beside names, which may be of ones that have ended, only all will do. */
function mergedTransactions(parts: readonly { readonly watch: Watch }[]): Watch['transactions'] {
  const wanted = parts.map(({ watch }) => watch.transactions).filter(each => each !== undefined)
  if (wanted.length === 0) return undefined
  if (wanted.every(each => each === 'open')) return 'open'
  const names = wanted.filter(each => typeof each !== 'string')
  return names.length === wanted.length ? [...new Set(names.flat())] : 'all'
}

function ofPartition(
  topic: string,
  index: number,
  words: string,
  holds: (partition: ObservedPartition) => boolean | undefined,
): Predicate {
  return predicate(words.replaceAll('PARTITION', `${topic}-${index}`), { topics: [topic] }, seen => {
    const partition = partitionOf(seen, topic, index)
    return partition === undefined ? undefined : holds(partition)
  })
}

export function hasLeader(topic: string, index: number): Predicate {
  return ofPartition(topic, index, 'PARTITION has a leader', ({ leader }) => leader >= 0)
}

export function leads(topic: string, index: number, broker: number): Predicate {
  return ofPartition(topic, index, `broker ${broker} leads PARTITION`, ({ leader }) => leader === broker)
}

export function isInSync(topic: string, index: number, broker: number): Predicate {
  return ofPartition(topic, index, `broker ${broker} is in sync in PARTITION`, ({ isr }) => isr.includes(broker))
}

export function hasLeftInSyncSet(topic: string, index: number, broker: number): Predicate {
  const words = `broker ${broker} has left the in-sync set of PARTITION`
  return ofPartition(topic, index, words, ({ isr }) => !isr.includes(broker))
}

/** All replicas of a partition. */
export function isFullyInSync(topic: string, index: number): Predicate {
  const words = 'all replicas of PARTITION are in sync'
  return ofPartition(topic, index, words, ({ isr, replicas }) => isr.length === replicas.length)
}

/** The broker's log holds records that are not committed. */
export function isBeyondHighWatermark(topic: string, index: number, broker: number): Predicate {
  const words = `the log of broker ${broker} ends above the high watermark of PARTITION`
  return ofPartition(topic, index, words, partition => {
    const [end, highWatermark] = [endOf(partition, broker), known(partition.highWatermark)]
    return end === undefined || highWatermark === undefined ? undefined : end > highWatermark
  })
}

/** The broker's log ends at least `records` before that of the leader. */
export function isBehindLeader(topic: string, index: number, broker: number, records = 1): Predicate {
  const words = `broker ${broker} is ${records} or more records behind the leader of PARTITION`
  return ofPartition(topic, index, words, partition => {
    const [end, leaders] = [endOf(partition, broker), endOf(partition, partition.leader)]
    return end === undefined || leaders === undefined ? undefined : leaders - end >= records
  })
}

export function highWatermarkReaches(topic: string, index: number, offset: Offset): Predicate {
  return ofPartition(topic, index, `the high watermark of PARTITION is ${offset} or more`, ({ highWatermark }) =>
    isUnknown(highWatermark) ? undefined : highWatermark >= offset,
  )
}

export function logEndReaches(topic: string, index: number, broker: number, offset: Offset): Predicate {
  const words = `the log of broker ${broker} in PARTITION ends at ${offset} or later`
  return ofPartition(topic, index, words, partition => {
    const end = endOf(partition, broker)
    return end === undefined ? undefined : end >= offset
  })
}

/** All replicas answer, and their logs end at one offset, which is the high watermark. */
export function isLevel(topic: string, index: number): Predicate {
  return ofPartition(topic, index, 'the replicas of PARTITION are level', partition => {
    const { highWatermark, replicas } = partition
    const ends = replicas.map(broker => endOf(partition, broker))
    if (isUnknown(highWatermark) || ends.includes(undefined)) return undefined
    return ends.every(end => end === highWatermark)
  })
}

/** A transaction holds the last stable offset below the high watermark. */
export function isHeldBackByTransaction(topic: string, index: number): Predicate {
  const words = 'an open transaction holds back the readers of PARTITION'
  return ofPartition(topic, index, words, ({ highWatermark, lastStableOffset }) =>
    isUnknown(highWatermark) || isUnknown(lastStableOffset) ? undefined : lastStableOffset < highWatermark,
  )
}

export function quorumIsLedBy(node: number): Predicate {
  return ofQuorum(`node ${node} leads the quorum`, leader => leader === node)
}

export function quorumIsLedByAnother(node: number): Predicate {
  return ofQuorum(`another node than ${node} leads the quorum`, leader => leader !== node)
}

function ofQuorum(name: string, holds: (leader: number) => boolean): Predicate {
  return predicate(name, { quorum: true }, ({ quorum }) => {
    const leader = known(quorum)?.leader
    return leader === undefined ? undefined : holds(leader)
  })
}

export function brokerAnswers(broker: number): Predicate {
  return predicate(`broker ${broker} answers`, {}, ({ brokers }) => {
    const found = brokers.find(({ id }) => id === broker)
    return found && !isUnknown(found.answers)
  })
}

export function brokerIs(broker: number, registration: Registration): Predicate {
  return predicate(`broker ${broker} is ${registration}`, {}, ({ brokers }) => {
    const found = known(brokers.find(({ id }) => id === broker)?.registration)
    return found === undefined ? undefined : found === registration
  })
}

function ofGroup(id: string, words: string, holds: (group: ObservedGroup) => boolean | undefined): Predicate {
  return predicate(`group ${id} ${words}`, { groups: [id] }, ({ groups }) => {
    const group = known(groups)?.[id]
    if (group === undefined || isUnknown(group)) return undefined
    return group === null ? false : holds(group)
  })
}

/** @param state  Kafka's word, e.g. `Stable` */
export function groupIs(id: string, state: string): Predicate {
  return ofGroup(id, `is ${state}`, group => group.state === state)
}

export function groupHasMembers(id: string, members: number): Predicate {
  return ofGroup(id, `has ${members} members`, group => group.members.length === members)
}

export function groupLags(id: string, records: number): Predicate {
  return ofGroup(id, `lags ${records} or more records`, ({ offsets }) => {
    const lag = totalLag(offsets)
    return isUnknown(lag) ? undefined : lag >= records
  })
}

/** It has committed, and nothing is left to read. */
export function groupHasCaughtUp(id: string): Predicate {
  return ofGroup(id, 'has caught up', ({ offsets }) => {
    const lag = totalLag(offsets)
    return isUnknown(lag) || isUnknown(offsets) ? undefined : lag === 0 && Object.keys(offsets).length > 0
  })
}

function ofTransaction(id: string, words: string, holds: (found: ObservedTransaction | null) => boolean): Predicate {
  return predicate(`transaction ${id} ${words}`, { transactions: [id] }, ({ transactions }) => {
    const found = known(transactions)?.[id]
    return found === undefined || isUnknown(found) ? undefined : holds(found)
  })
}

/** @param state  Kafka's word, e.g. `Ongoing` */
export function transactionIs(id: string, state: string): Predicate {
  return ofTransaction(id, `is ${state}`, found => found?.state === state)
}

export function transactionHasEnded(id: string): Predicate {
  return ofTransaction(id, 'has ended', found => found === null || !isOpen(found.state))
}

function endOf(partition: ObservedPartition, broker: number): Offset | undefined {
  return known(partition.logs[broker])?.logEndOffset
}
