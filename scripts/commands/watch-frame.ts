/** One observation as text for a terminal: brokers, quorum, the logs of all replicas side by side, groups, transactions, what changed last. */
import { paint } from '../output.ts'
import type { Change } from '../observe/changes.ts'
import {
  isUnknown,
  known,
  type Known,
  type Observation,
  type ObservedBroker,
  type ObservedGroup,
  type ObservedLog,
  type ObservedPartition,
  type ObservedQuorum,
  type ObservedTransaction,
  type Unknown,
} from '../observe/model.ts'
import { changeInWords, totalLag } from '../observe/words.ts'
import { table } from './describe.ts'

/** A change, and how long after the first look it was seen. */
export interface Told {
  readonly change: Change
  readonly afterMs: number
}

/** @param named  groups that are shown partition by partition */
export async function frameOf(
  title: string,
  observation: Observation,
  told: readonly Told[],
  named: readonly string[],
): Promise<string> {
  const { brokers, quorum, topics, groups, transactions, sequence } = observation
  const blocks = [
    `${paint.bold(title)}, look ${sequence}`,
    brokers.map(brokerLine).join('\n'),
    ...(quorum === undefined ? [] : [await quorumBlock(quorum)]),
    ...(topics === undefined ? [] : [await topicBlock(topics, brokers)]),
    ...(groups === undefined ? [] : [await groupBlock(groups, named)]),
    ...(transactions === undefined ? [] : [await transactionBlock(transactions)]),
    ...(told.length === 0 ? [] : [told.map(changeLine).join('\n')]),
  ]
  return blocks.join('\n\n')
}

function brokerLine({ id, answers, registration, host, port, rack }: ObservedBroker): string {
  const where = `broker ${id} at ${host}:${port}${rack === null ? '' : `, rack ${rack}`}`
  const state = isUnknown(registration)
    ? paint.dim('registration unknown')
    : registration === 'alive'
      ? paint.green(registration)
      : paint.red(registration)
  return `${where}: ${state}${isUnknown(answers) ? `, ${paint.red('silent')}: ${answers.unknown}` : ''}`
}

async function quorumBlock(quorum: Known<ObservedQuorum>): Promise<string> {
  if (isUnknown(quorum)) return `${paint.red('quorum: no leader is known')}: ${quorum.unknown}`
  const row = (role: string) => (replica: ObservedQuorum['voters'][number]) => [
    String(replica.id),
    replica.id === quorum.leader ? paint.green('leader') : role,
    text(replica.logEndOffset),
    text(replica.lag),
  ]
  const rows = [...quorum.voters.map(row('voter')), ...quorum.observers.map(row('observer'))]
  const head = `quorum: ${quorum.leader} leads, epoch ${quorum.epoch}, high watermark ${quorum.highWatermark}`
  return `${head}\n${await table(['node', 'role', 'log end', 'lag'], rows)}`
}

const legend =
  'each replica: log end / high watermark / last stable offset, as it says itself; * leads, - is out of sync'

/** Nobody told which there are: none is something else. */
function unlisted(what: string, { unknown }: Unknown): string {
  return `${paint.red(`${what}: unknown`)}: ${unknown}`
}

async function topicBlock(
  topics: NonNullable<Observation['topics']>,
  brokers: readonly ObservedBroker[],
): Promise<string> {
  if (isUnknown(topics)) return unlisted('topics', topics)
  const ids = brokers.map(({ id }) => id)
  const rows = Object.entries(topics).flatMap(([name, topic]) => {
    if (topic === null) return [[name, paint.red('there is no such topic')]]
    if (isUnknown(topic)) return [[name, paint.dim(`unknown: ${topic.unknown}`)]]
    return Object.entries(topic.partitions).map(([index, partition]) =>
      isUnknown(partition)
        ? [`${name}-${index}`, paint.dim(`unknown: ${partition.unknown}`)]
        : partitionRow(partition, ids),
    )
  })
  if (rows.length === 0) return 'no topics'
  const head = ['partition', 'leader', 'epoch', 'in sync', 'eligible', ...ids.map(id => `broker ${id}`)]
  const whole = rows.filter(row => row.length > 2)
  const partial = rows.filter(row => row.length === 2).map(row => row.join(': '))
  return [...(whole.length === 0 ? [] : [await table(head, whole), paint.dim(legend)]), ...partial].join('\n')
}

function partitionRow(partition: ObservedPartition, brokers: readonly number[]): string[] {
  const { name, leader, leaderEpoch, isr, elr, replicas, logs } = partition
  const inSync = isr.join(',')
  return [
    name,
    leader < 0 ? paint.red('none') : String(leader),
    String(leaderEpoch),
    isr.length < replicas.length ? paint.yellow(inSync) : inSync,
    elr.join(','),
    ...brokers.map(id => {
      const log = logs[id]
      if (log === undefined) return ''
      const mark = id === leader ? '*' : isr.includes(id) ? ' ' : '-'
      const words = `${mark}${logText(log)}`
      return id === leader ? paint.bold(words) : isr.includes(id) ? words : paint.yellow(words)
    }),
  ]
}

function logText(log: Known<ObservedLog>): string {
  if (isUnknown(log)) return '?'
  return [log.logEndOffset, text(log.highWatermark), text(log.lastStableOffset)].join('/')
}

async function groupBlock(groups: NonNullable<Observation['groups']>, named: readonly string[]): Promise<string> {
  if (isUnknown(groups)) return unlisted('groups', groups)
  const entries = Object.entries(groups)
  if (entries.length === 0) return 'no groups'
  const blocks = [
    await table(['group', 'type', 'state', 'epoch', 'members', 'coordinator', 'lag'], entries.map(groupRow)),
  ]
  for (const [id, group] of entries) {
    const found = known(group)
    if (found === null || found === undefined || !named.includes(id)) continue
    blocks.push(await groupDetail(id, found))
  }
  return blocks.join('\n\n')
}

function groupRow([id, group]: readonly [string, Known<ObservedGroup | null>]): string[] {
  if (group === null) return [id, '', paint.red('there is none')]
  if (isUnknown(group)) return [id, '', paint.dim(`unknown: ${group.unknown}`)]
  const { type, state, epoch, members, coordinator, offsets } = group
  return [
    id,
    type,
    state,
    epoch === null ? '' : String(epoch),
    String(members.length),
    String(coordinator),
    text(totalLag(offsets)),
  ]
}

async function groupDetail(id: string, { members, offsets }: ObservedGroup): Promise<string> {
  const committed = known(offsets) ?? {}
  const assigned = members.flatMap(({ assignment }) => assignment)
  const names = [...new Set([...Object.keys(committed), ...assigned])].sort((a, b) =>
    a.localeCompare(b, 'en', { numeric: true }),
  )
  const rows = names.map(name => {
    const offset = committed[name]
    const owner = members.find(({ assignment }) => assignment.includes(name))
    const who = owner === undefined ? '' : `${owner.clientId} (${owner.id})`
    return [
      name,
      offset === undefined ? '' : String(offset.committed),
      offset === undefined ? '' : text(offset.lag),
      who,
    ]
  })
  if (isUnknown(offsets)) return `${id}: committed offsets unknown: ${offsets.unknown}`
  return rows.length === 0 ? `${id}: nothing committed` : await table([id, 'committed', 'lag', 'member'], rows)
}

async function transactionBlock(transactions: NonNullable<Observation['transactions']>): Promise<string> {
  if (isUnknown(transactions)) return unlisted('transactions', transactions)
  const rows = Object.entries(transactions).flatMap(([id, found]) =>
    found === null ? [] : [transactionRow(id, found)],
  )
  if (rows.length === 0) return 'no open transactions'
  return await table(['transaction', 'state', 'producer', 'epoch', 'began', 'partitions'], rows)
}

function transactionRow(id: string, found: Known<ObservedTransaction>): string[] {
  if (isUnknown(found)) return [id, paint.dim(`unknown: ${found.unknown}`)]
  const { state, producerId, producerEpoch, startedAt, partitions } = found
  const began = startedAt === null ? '' : new Date(startedAt).toISOString()
  return [id, state, producerId, String(producerEpoch), began, partitions.join(', ')]
}

const alarming: readonly Change['kind'][] = ['highWatermarkFell', 'logCut', 'brokerSilent', 'isrShrunk']

function changeLine({ change, afterMs }: Told): string {
  const line = `${(afterMs / 1000).toFixed(1).padStart(7)} s  ${changeInWords(change)}`
  return alarming.includes(change.kind) ? paint.yellow(line) : line
}

function text(value: Known<number>): string {
  return isUnknown(value) ? '?' : String(value)
}
