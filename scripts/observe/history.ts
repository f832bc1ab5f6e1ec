/** An observation as an entry of a history: what a report draws and a checker may look at, without times and reasons. */
import type {
  Observation as HistoryObservation,
  ObservedGroupState,
  ObservedPartition as HistoryPartition,
  ObservedTransactionState,
  Offset,
} from '../history/operation.ts'
import { isUnknown, known, type Observation, type ObservedPartition, type Unknown } from './model.ts'
import { totalLag } from './words.ts'

type Listed<K extends 'groups' | 'transactions'> = Exclude<NonNullable<Observation[K]>, Unknown>

/** Entries for what is unknown are left out; a high watermark that is unknown is null. */
export function toHistory(observation: Observation): HistoryObservation {
  const { brokers } = observation
  const [topics = {}, groups, transactions] = [
    known(observation.topics),
    known(observation.groups),
    known(observation.transactions),
  ]
  const quorum = known(observation.quorum)
  const partitions = Object.values(topics).flatMap(topic => Object.values(known(topic)?.partitions ?? {}))
  const told = partitions.flatMap(partition =>
    isUnknown(partition) ? [] : [[partition.name, partitionOf(partition)] as const],
  )
  const idsOf = (registration: 'alive' | 'fenced') =>
    brokers.filter(broker => broker.registration === registration).map(({ id }) => id)
  const fenced = idsOf('fenced')
  return {
    brokers: idsOf('alive'),
    reachable: brokers.filter(({ answers }) => !isUnknown(answers)).map(({ id }) => id),
    ...(fenced.length === 0 ? {} : { fenced }),
    controller: quorum?.leader ?? -1,
    ...(quorum === undefined ? {} : { controllerEpoch: quorum.epoch }),
    partitions: Object.fromEntries(told),
    ...(groups === undefined ? {} : { groups: groupsOf(groups) }),
    ...(transactions === undefined ? {} : { transactions: transactionsOf(transactions) }),
  }
}

function partitionOf(partition: ObservedPartition): HistoryPartition {
  const { leader, leaderEpoch, replicas, isr, elr } = partition
  const highWatermark = known(partition.highWatermark) ?? null
  const stable = known(partition.lastStableOffset)
  const start = known(partition.logStartOffset)
  const logEndOffsets: Record<string, Offset> = {}
  for (const [broker, log] of Object.entries(partition.logs))
    if (!isUnknown(log)) logEndOffsets[broker] = log.logEndOffset
  return {
    leader,
    leaderEpoch,
    replicas,
    isr,
    ...(elr.length === 0 ? {} : { eligible: elr }),
    highWatermark,
    ...(stable === undefined || stable === highWatermark ? {} : { lastStableOffset: stable }),
    ...(start === undefined || start === 0 ? {} : { logStartOffset: start }),
    logEndOffsets,
  }
}

function groupsOf(groups: Listed<'groups'>): Record<string, ObservedGroupState> {
  const told = Object.entries(groups).flatMap(([id, group]) => {
    if (group === null || isUnknown(group)) return []
    const { type, state, epoch, members, offsets } = group
    const assignments = members.map(member => [member.id, member.assignment] as const)
    const lag = known(totalLag(offsets)) ?? null
    return [[id, { type, state, epoch, members: Object.fromEntries(assignments), lag }] as const]
  })
  return Object.fromEntries(told)
}

function transactionsOf(transactions: Listed<'transactions'>): Record<string, ObservedTransactionState> {
  const told = Object.entries(transactions).flatMap(([id, found]) => {
    if (found === null || isUnknown(found)) return []
    const { state, producerId, producerEpoch, partitions } = found
    return [[id, { state, producerId, producerEpoch, partitions }] as const]
  })
  return Object.fromEntries(told)
}
