/**
 * `consume`: prints the committed records of a topic, up to its end as it was when the command began, or on and on.
 *
 * What is last in a partition may be nothing that is printed: the marker of a transaction, or what an aborted one has written. So a partition is done when
 * the reading has come to its end, not its last record.
 */
import type { Consumer, EachMessagePayload, Kafka } from 'kafkajs'
import { usageError } from '../errors.ts'
import { paint } from '../output.ts'
import { explained, kafkaOf, requireTopic, withAdmin } from './client.ts'
import type { CommonOptions } from './options.ts'
import type { Session } from './session.ts'

interface ConsumeOptions extends CommonOptions {
  readonly count?: number
  readonly follow?: boolean
  readonly latest?: boolean
  readonly group?: string
  readonly rack?: string
}

interface ConsumedRecord {
  readonly partition: number
  readonly offset: number
  readonly key: string | null
  readonly value: string | null
  readonly timestamp: number
}

export async function consume(topic: string, options: ConsumeOptions, session: Session): Promise<void> {
  if (options.follow === true && options.json === true)
    throw usageError('--follow never ends, so there is no one JSON document: leave --json away.')
  const { kafka } = await kafkaOf(options)
  await withAdmin(options, async admin => await requireTopic(admin, topic, options.name))
  const groupId = options.group ?? `faultline-consume-${process.pid}-${Date.now()}`
  const records = await explained(async () => await read(kafka, topic, groupId, options, session), options.name)
  if (options.group === undefined) await removeGroup(kafka, groupId, options.name)
  if (records.length === 0 && options.latest === true && options.follow !== true && options.count !== 0)
    session.output.note(`Nothing: --latest begins at the end of ${topic}. --follow waits for what comes.`)
  session.output.result(records, () => '')
}

async function read(
  kafka: Kafka,
  topic: string,
  groupId: string,
  options: ConsumeOptions,
  session: Session,
): Promise<ConsumedRecord[]> {
  // What begins at the end and has a --count waits for records that are still to come.
  const endless = options.follow === true || (options.latest === true && options.count !== undefined)
  const limits = endless ? undefined : await remaining(kafka, topic, options)
  const records: ConsumedRecord[] = []
  if (limits?.size === 0 || options.count === 0) return records
  const consumer = kafka.consumer({
    groupId,
    maxWaitTimeInMs: 100,
    ...(options.rack === undefined ? {} : { rackId: options.rack }),
  })
  const done = new Promise<void>((resolve, reject) => {
    consumer.on('consumer.crash', ({ payload }) => {
      // Otherwise it is about to try again by itself.
      if (!payload.restart) reject(payload.error)
    })
    session.signal.addEventListener('abort', () =>
      options.follow === true ? resolve() : reject(session.signal.reason),
    )
    const finish = () => resolve()
    const reached = (partition: number, offset: number) => {
      if (limits === undefined) return
      if (offset >= (limits.get(partition) ?? 0)) limits.delete(partition)
      if (limits.size === 0) finish()
    }
    // Comes also of batches of which no record is given to us.
    consumer.on('consumer.end_batch_process', ({ payload }) =>
      reached(payload.partition, Number(payload.lastOffset) + 1),
    )
    void start(consumer, topic, options, async payload => {
      await Promise.resolve()
      if (options.count !== undefined && records.length >= options.count) return
      accept(payload, records, session)
      reached(payload.partition, Number(payload.message.offset) + 1)
      if (records.length === options.count) finish()
    }).catch(reject)
  })
  try {
    await done
  } finally {
    const { sayGoodbye } = await import('../workload/kafkajs-goodbye.ts')
    await sayGoodbye(consumer)
  }
  return records
}

async function start(
  consumer: Consumer,
  topic: string,
  options: ConsumeOptions,
  eachMessage: (payload: EachMessagePayload) => Promise<void>,
): Promise<void> {
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: options.latest !== true })
  await consumer.run({ eachMessage, autoCommit: options.group !== undefined })
}

/** Per partition that still has something to read: the offset (exclusive) to read up to. */
async function remaining(
  kafka: Kafka,
  topic: string,
  { group, latest = false }: ConsumeOptions,
): Promise<Map<number, number>> {
  const admin = kafka.admin()
  await admin.connect()
  try {
    // `high` is the last stable offset: kafkajs asks for it as a reader of committed records.
    const ends = await admin.fetchTopicOffsets(topic)
    const committed = new Map<number, number>()
    if (group !== undefined) {
      for (const { partitions } of await admin.fetchOffsets({ groupId: group, topics: [topic] })) {
        for (const { partition, offset } of partitions)
          if (Number(offset) >= 0) committed.set(partition, Number(offset))
      }
    }
    const open = ends.filter(({ partition, low, high }) => {
      const start = committed.get(partition) ?? (latest ? Number(high) : 0)
      return Number(high) > Math.max(Number(low), start)
    })
    return new Map(open.map(({ partition, high }) => [partition, Number(high)]))
  } finally {
    await admin.disconnect()
  }
}

function accept({ partition, message }: EachMessagePayload, records: ConsumedRecord[], session: Session): void {
  const record: ConsumedRecord = {
    partition,
    offset: Number(message.offset),
    key: message.key?.toString() ?? null,
    value: message.value?.toString() ?? null,
    timestamp: Number(message.timestamp),
  }
  records.push(record)
  if (session.output.json) return
  const key = record.key === null ? '' : `${record.key}: `
  session.output.line(`${paint.dim(`${partition}@${record.offset}`)} ${key}${record.value ?? paint.dim('null')}`)
}

/** The group was only a means to read: nothing of it should be left. */
async function removeGroup(kafka: Kafka, groupId: string, cluster: string): Promise<void> {
  const admin = kafka.admin()
  await explained(async () => {
    await admin.connect()
    try {
      const { groups } = await admin.listGroups()
      if (groups.some(group => group.groupId === groupId)) await admin.deleteGroups([groupId])
    } finally {
      await admin.disconnect()
    }
  }, cluster)
}
