/** Observations and changes in words: for people who wait for something that does not come, and for the command `watch`. */
import type { Change } from './changes.ts'
import {
  isUnknown,
  known,
  type Known,
  type Observation,
  type ObservedBroker,
  type ObservedGroup,
  type ObservedPartition,
  type ObservedQuorum,
  type ObservedTransaction,
} from './model.ts'

/** A few lines, one for each thing that was watched. */
export function inWords(observation: Omit<Observation, 'changes'>): string {
  const { brokers, quorum, topics, groups, transactions } = observation
  const told = <T>(what: string, found: Known<T | null>, words: (value: T) => string) =>
    `${what}: ${isUnknown(found) ? `unknown (${found.unknown})` : found === null ? 'there is none' : words(found)}`
  return [
    `brokers: ${brokers.map(brokerInWords).join(', ')}`,
    ...(quorum === undefined ? [] : [told('quorum', quorum, quorumInWords)]),
    ...[{ topics }, { groups }, { transactions }].flatMap(lists =>
      Object.entries(lists).flatMap(([what, found]) =>
        isUnknown(found) ? [`${what}: unknown (${found.unknown})`] : [],
      ),
    ),
    ...Object.entries(known(topics) ?? {}).flatMap(([name, topic]) => {
      const partitions = known(topic)?.partitions
      if (partitions === undefined) return [told(name, topic, () => '')]
      return Object.entries(partitions).map(([index, found]) => told(`${name}-${index}`, found, partitionInWords))
    }),
    ...Object.entries(known(groups) ?? {}).map(([id, found]) => told(`group ${id}`, found, groupInWords)),
    ...Object.entries(known(transactions) ?? {}).map(([id, found]) =>
      told(`transaction ${id}`, found, transactionInWords),
    ),
  ].join('\n')
}

function brokerInWords({ id, answers, registration }: ObservedBroker): string {
  const registered = isUnknown(registration) || registration === 'alive' ? '' : `, ${registration}`
  return `${id} ${isUnknown(answers) ? `silent (${answers.unknown})` : 'answers'}${registered}`
}

function quorumInWords({ leader, epoch, highWatermark, voters }: ObservedQuorum): string {
  const ends = voters.map(({ id, logEndOffset }) => `${id} at ${orQuestion(logEndOffset)}`)
  return `leader ${leader}, epoch ${epoch}, high watermark ${highWatermark}, voters ${ends.join(', ')}`
}

function partitionInWords(partition: ObservedPartition): string {
  const { leader, leaderEpoch, isr, elr, highWatermark, lastStableOffset, logs } = partition
  const ends = Object.entries(logs).map(
    ([broker, log]) => `${broker} ${isUnknown(log) ? `unknown (${log.unknown})` : `at ${log.logEndOffset}`}`,
  )
  return [
    leader < 0 ? `no leader, epoch ${leaderEpoch}` : `leader ${leader}, epoch ${leaderEpoch}`,
    `in sync ${listed(isr)}`,
    ...(elr.length === 0 ? [] : [`eligible ${listed(elr)}`]),
    `high watermark ${orReason(highWatermark)}`,
    ...(isUnknown(lastStableOffset) || lastStableOffset === highWatermark
      ? []
      : [`last stable offset ${lastStableOffset}`]),
    `log ends: ${ends.join(', ')}`,
  ].join(', ')
}

function groupInWords({ type, state, coordinator, epoch, members, offsets }: ObservedGroup): string {
  return [
    `${state} (${type}${epoch === null ? '' : `, epoch ${epoch}`})`,
    `coordinator ${coordinator}`,
    `${members.length} ${members.length === 1 ? 'member' : 'members'}`,
    `lag ${orReason(totalLag(offsets))}`,
  ].join(', ')
}

function transactionInWords({ state, producerId, producerEpoch, partitions }: ObservedTransaction): string {
  return `${state}, producer ${producerId} epoch ${producerEpoch}, partitions ${partitions.join(', ') || 'none'}`
}

/** The sum over all partitions; unknown when that of one is. */
export function totalLag(offsets: ObservedGroup['offsets']): Known<number> {
  if (isUnknown(offsets)) return offsets
  let sum = 0
  for (const { lag } of Object.values(offsets)) {
    if (isUnknown(lag)) return lag
    sum += lag
  }
  return sum
}

function orReason(value: Known<number>): string {
  return isUnknown(value) ? `unknown (${value.unknown})` : String(value)
}

function orQuestion(value: Known<number>): string {
  return isUnknown(value) ? '?' : String(value)
}

function listed(ids: readonly number[]): string {
  return ids.length === 0 ? 'nobody' : ids.join(', ')
}

function nobodyOr(id: number): string {
  return id < 0 ? 'nobody' : String(id)
}

/** One line, e.g. `orders-0: the in-sync set lost 2, and is 1, 3`. */
export function changeInWords(change: Change): string {
  switch (change.kind) {
    case 'brokerSilent':
      return `broker ${change.broker} is silent: ${change.reason}`
    case 'brokerAnswers':
      return `broker ${change.broker} answers again`
    case 'registrationChanged':
      return `broker ${change.broker} is ${change.to} (was ${change.from})`
    case 'quorumLeaderChanged':
      return `quorum: ${change.to} leads instead of ${change.from}, epoch ${change.epoch}`
    case 'quorumEpochBumped':
      return `quorum: epoch ${change.to} (was ${change.from})`
    case 'votersChanged':
      return `quorum: the voters are ${listed(change.to)} (were ${listed(change.from)})`
    case 'topicAppeared':
      return `topic ${change.topic} was created`
    case 'topicGone':
      return `topic ${change.topic} is gone`
    case 'groupAppeared':
      return `group ${change.group} appeared: ${change.state}`
    case 'groupGone':
      return `group ${change.group} is gone`
    case 'groupStateChanged':
      return `group ${change.group} is ${change.to} (was ${change.from})`
    case 'coordinatorChanged':
      return `group ${change.group}: ${change.to} coordinates it instead of ${change.from}`
    case 'groupRebalanced':
      return `group ${change.group} was rebalanced${change.to === null ? '' : `: epoch ${change.to} (was ${change.from})`}`
    case 'memberJoined':
      return `group ${change.group}: ${change.clientId} (${change.member}) joined`
    case 'memberLeft':
      return `group ${change.group}: ${change.clientId} (${change.member}) left`
    case 'transactionAppeared':
      return `transaction ${change.transactionalId} appeared: ${change.state}`
    case 'transactionGone':
      return `transaction ${change.transactionalId} is not there any more`
    case 'transactionStateChanged':
      return `transaction ${change.transactionalId} is ${change.to} (was ${change.from})`
    case 'producerEpochBumped':
      return `transaction ${change.transactionalId}: producer epoch ${change.to} (was ${change.from})`
    default:
      return partitionChangeInWords(change)
  }
}

function partitionChangeInWords(change: Extract<Change, { readonly partition: string }>): string {
  return `${change.partition}: ${partitionEventInWords(change)}`
}

function partitionEventInWords(change: Extract<Change, { readonly partition: string }>): string {
  switch (change.kind) {
    case 'leaderChanged':
      return `${nobodyOr(change.to)} leads instead of ${nobodyOr(change.from)}, epoch ${change.leaderEpoch}`
    case 'epochBumped':
      return `leader epoch ${change.to} (was ${change.from})`
    case 'isrShrunk':
      return `the in-sync set lost ${listed(change.left)}, and is ${listed(change.isr)}`
    case 'isrGrew':
      return `the in-sync set got ${listed(change.joined)}, and is ${listed(change.isr)}`
    case 'elrChanged':
      return `eligible to lead, though out of sync: ${listed(change.to)} (was ${listed(change.from)})`
    case 'replicasChanged':
      return `the replicas are ${listed(change.to)} (were ${listed(change.from)})`
    case 'highWatermarkRose':
      return `the high watermark rose from ${change.from} to ${change.to}`
    case 'highWatermarkFell':
      return `the high watermark FELL from ${change.from} to ${change.to}`
    case 'logStartRose':
      return `the log begins at ${change.to} (was ${change.from})`
    case 'logCut':
      return `the log of replica ${change.broker} was cut from ${change.from} to ${change.to}`
    default:
      return change satisfies never
  }
}
