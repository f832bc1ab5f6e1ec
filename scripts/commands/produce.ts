/** `produce`: a few records with kafkajs, and where each of them went. */
import { createInterface } from 'node:readline'
import type { Message, RecordMetadata } from 'kafkajs'
import { usageError } from '../errors.ts'
import { explained, kafkaOf } from './client.ts'
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
  const { kafka } = await kafkaOf(options)
  const { Partitioners } = (await import('kafkajs')).default
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner })
  const sent = await explained(async () => {
    await producer.connect()
    try {
      const result: { count: number; batches: Written[] } = { count: 0, batches: [] }
      for await (const batch of batches(values, options)) {
        result.batches.push(...written(await producer.send({ topic, acks, messages: batch })))
        result.count += batch.length
      }
      return result
    } finally {
      await producer.disconnect()
    }
  })
  const { count } = sent
  session.output.result(
    { topic, ...sent },
    () =>
      `${count} record${count === 1 ? '' : 's'} written to ${topic}${acks === 0 ? ', none acknowledged (acks=0)' : ' and acknowledged'}.`,
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
