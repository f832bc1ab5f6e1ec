/** `produce`: a few records with kafkajs, and where each of them went. */
import { createInterface } from 'node:readline'
import type { Message, PartitionerArgs, PartitionMetadata, RecordMetadata } from 'kafkajs'
import { failure, usageError } from '../errors.ts'
import { explained, kafkaOf, requireTopicName, withAdmin } from './client.ts'
import type { CommonOptions } from './options.ts'
import type { Session } from './session.ts'

interface ProduceOptions extends CommonOptions {
  readonly key?: string
  readonly partition?: number
  readonly count?: number
  readonly acks: string
}

const BATCH = 1_000

export async function produce(
  topic: string,
  values: readonly string[],
  options: ProduceOptions,
  session: Session,
): Promise<void> {
  const acks = new Map([
    ['0', 0],
    ['1', 1],
    ['all', -1],
    ['-1', -1],
  ]).get(options.acks)
  if (acks === undefined) throw usageError(`--acks must be 0, 1 or all, got ${options.acks}.`)
  if (values.length > 0 && options.count !== undefined) throw usageError('Give values or --count, not both.')
  requireTopicName(topic)
  const { kafka } = await kafkaOf(options)
  const { Partitioners } = (await import('kafkajs')).default
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
  const spread = new Spread(topic, Partitioners.DefaultPartitioner(), async () => await partitionsOf(options, topic))
  const sent = await explained(async () => {
    await producer.connect()
    try {
      const result: { count: number; batches: Written[] } = { count: 0, batches: [] }
      for await (const batch of batches(values, options)) {
        for await (const part of spread.parts(batch)) {
          const answer = await producer.send({ topic, acks, messages: part })
          if (acks !== 0 && answer.length === 0)
            throw failure(
              `${part.length} records were not acknowledged.`,
              `./faultline topic describe ${topic} --name ${options.name} shows which partitions there are.`,
            )
          result.batches.push(...written(answer))
          result.count += part.length
        }
      }
      return result
    } finally {
      await producer.disconnect()
    }
  }, options.name)
  const { count } = sent
  session.output.result({ topic, ...sent }, () =>
    count === 0
      ? `There was nothing to write: 0 records written to ${topic}.`
      : `${count} record${count === 1 ? '' : 's'} written to ${topic}${acks === 0 ? ', none acknowledged (acks=0)' : ' and acknowledged'}.`,
  )
}

/** Undefined when there is no such topic yet: the first record makes it, where brokers may create topics. */
async function partitionsOf(options: ProduceOptions, topic: string): Promise<PartitionMetadata[] | undefined> {
  return await withAdmin(options, async admin => {
    if (!(await admin.listTopics()).includes(topic)) return undefined
    return (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0]?.partitions
  })
}

/**
 * Splits a batch by partition. When a leader moves during a send to several brokers, kafkajs may forget the part of the old leader and
 * still report success; with one partition in a send there is no other part.
 */
class Spread {
  readonly #topic: string
  readonly #partitioner: (args: PartitionerArgs) => number
  readonly #ask: () => Promise<PartitionMetadata[] | undefined>
  #partitions: PartitionMetadata[] | undefined

  constructor(
    topic: string,
    partitioner: (args: PartitionerArgs) => number,
    ask: () => Promise<PartitionMetadata[] | undefined>,
  ) {
    this.#topic = topic
    this.#partitioner = partitioner
    this.#ask = ask
  }

  /** One after the other, each to be asked for when the one before has been sent. */
  async *parts(batch: readonly Message[]): AsyncGenerator<Message[]> {
    let rest = batch
    this.#partitions ??= await this.#ask()
    if (this.#partitions === undefined) {
      // The topic is to be made by its first record, and will have the partition 0 in any case.
      yield rest.slice(0, 1)
      rest = rest.slice(1)
      this.#partitions = await this.#ask()
    }
    const partitionMetadata = this.#partitions
    if (rest.length === 0) return
    if (partitionMetadata === undefined) throw failure(`There is no topic ${this.#topic}.`)
    const parts = new Map<number, Message[]>()
    for (const message of rest) {
      requirePartition(this.#topic, message.partition, partitionMetadata)
      const partition = this.#partitioner({ topic: this.#topic, partitionMetadata, message })
      const part = parts.get(partition)
      if (part === undefined) parts.set(partition, [{ ...message, partition }])
      else part.push({ ...message, partition })
    }
    yield* parts.values()
  }
}

/** kafkajs would leave the record out of what it sends, and call that a success. */
function requirePartition(topic: string, wanted: number | undefined, partitions: readonly PartitionMetadata[]): void {
  if (wanted === undefined || partitions.some(({ partitionId }) => partitionId === wanted)) return
  throw failure(
    `The topic ${topic} has no partition ${wanted}: it has ${partitions.length}, from 0 to ${partitions.length - 1}.`,
    'Leave --partition away, or take one that is there.',
  )
}

/** Where a batch went: kafkajs tells the offset of the first record of each partition. */
interface Written {
  readonly partition: number
  /** -1 with acks=0. */
  readonly offset: number
}

function written(results: readonly RecordMetadata[]): Written[] {
  return results.map(({ partition, baseOffset }) => ({ partition, offset: Number(baseOffset ?? -1) }))
}

async function* batches(values: readonly string[], options: ProduceOptions): AsyncGenerator<Message[]> {
  let batch: Message[] = []
  for await (const value of source(values, options)) {
    batch.push({
      value,
      ...(options.key === undefined ? {} : { key: options.key }),
      ...(options.partition === undefined ? {} : { partition: options.partition }),
    })
    if (batch.length < BATCH) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

async function* source(values: readonly string[], options: ProduceOptions): AsyncGenerator<string> {
  if (options.count !== undefined) {
    for (let index = 1; index <= options.count; index++) yield `record ${index}`
  } else if (values.length > 0) yield* values
  else yield* createInterface({ input: process.stdin })
}
