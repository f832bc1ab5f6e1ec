/**
 * A reference model of Kafka, small enough to be obviously right: a list of records per partition, producers that are acknowledged, fail,
 * or never hear back, consumers that read forward, and a final read of everything. Every history it makes must be judged valid; the
 * mutations in `mutations.ts` then break one promise each.
 */
import { HistoryRecorder } from '#scripts/history/recorder.ts'
import type { History, MicroOp, Offset, PartitionName, Value } from '#scripts/history/operation.ts'

export interface ModelOptions {
  readonly seed: number
  readonly partitions: number
  readonly producers: number
  readonly consumers: number
  readonly steps: number
  /** Of 100 sends, how many never hear back; every second of them took effect. */
  readonly lostResponses: number
  /** Of 100 sends, how many fail for certain. */
  readonly failures: number
  /** Offsets that hold no record, as after control records: one in this many; 0 for none. */
  readonly holeEvery: number
  readonly replicaLogs: boolean
}

/** A small linear congruential generator: the model's only source of chance. */
export function chance(seed: number): (limit: number) => number {
  let state = (seed ^ 0x5deece66) >>> 0
  return limit => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
}

interface Log {
  readonly name: PartitionName
  records: [Offset, Value][]
  end: Offset
  sends: number
}

export function generate(options: ModelOptions): History {
  const next = chance(options.seed)
  let nowMs = 0
  const recorder = new HistoryRecorder({ nowMs: () => (nowMs += next(5)) })
  const logs: Log[] = Array.from({ length: options.partitions }, (_, index) => ({
    name: `t-${index}`,
    records: [],
    end: 0,
    sends: 0,
  }))
  const append = (log: Log, values: readonly Value[]) => {
    if (options.holeEvery > 0 && next(options.holeEvery) === 0) log.end += 1
    const base = log.end
    for (const value of values) log.records.push([log.end++, value])
    return base
  }
  const sequences = new Map<string, number>()
  const producers = Array.from({ length: options.producers }, (_, index) => ({
    name: `producer-${index}`,
    client: recorder.client(`producer-${index}`),
  }))
  const consumers = Array.from({ length: options.consumers }, (_, index) => {
    const client = recorder.client(`consumer-${index}`)
    client.partitions(
      'assign',
      logs.map(log => log.name),
    )
    return { client, read: new Map<PartitionName, number>() }
  })
  recorder.phase('workload')
  const late: (() => void)[] = []
  for (let step = 0; step < options.steps; step += 1) {
    if (next(3) > 0)
      send(producers[next(producers.length)] as (typeof producers)[number], logs[next(logs.length)] as Log)
    else {
      const consumer = consumers[next(consumers.length)] as (typeof consumers)[number]
      poll(consumer, logs[next(logs.length)] as Log, 1 + next(6))
    }
    if (late.length > 0 && next(4) === 0) late.shift()?.()
  }
  for (const effect of late) effect()
  recorder.phase('final-read')
  const reader = { client: recorder.client('final-reader'), read: new Map<PartitionName, number>() }
  reader.client.partitions(
    'assign',
    logs.map(log => log.name),
  )
  for (const log of logs) while ((reader.read.get(log.name) ?? 0) < log.records.length) poll(reader, log, 1 + next(9))
  recorder.phase('final-read-complete')
  if (options.replicaLogs) for (const log of logs) for (const broker of [1, 2, 3]) replica(log, broker)
  return recorder.history

  function send(producer: (typeof producers)[number], log: Log): void {
    log.sends += 1
    const values = Array.from({ length: 1 + next(3) }, () => {
      const key = `${producer.name}k${next(2)}`
      const sequence = sequences.get(key) ?? 0
      sequences.set(key, sequence + 1)
      return `${key}:${sequence}`
    })
    const bare: MicroOp[] = values.map(value => ['send', log.name, value])
    producer.client.invoke('send', bare)
    const luck = next(100)
    if (luck < options.lostResponses) {
      // The response was lost: the write may take effect now, later or never, and the client gives up its process.
      const effect = next(3)
      if (effect === 0) append(log, values)
      if (effect === 1) late.push(() => append(log, values))
      producer.client.complete('info', bare, { code: 'REQUEST_TIMED_OUT', message: 'no answer', definite: false })
      producer.client = recorder.client(producer.name)
    } else if (luck < options.lostResponses + options.failures) {
      producer.client.complete('fail', bare, { code: 'NOT_ENOUGH_REPLICAS', message: 'refused', definite: true })
    } else {
      const base = append(log, values)
      producer.client.complete(
        'ok',
        values.map((value, index) => ['send', log.name, [base + index, value]]),
      )
    }
  }

  function poll(
    consumer: { client: ReturnType<HistoryRecorder['client']>; read: Map<PartitionName, number> },
    log: Log,
    most: number,
  ): void {
    const from = consumer.read.get(log.name) ?? 0
    const records = log.records.slice(from, from + most)
    if (records.length === 0) return
    consumer.read.set(log.name, from + records.length)
    consumer.client.invoke('poll', [['poll']])
    consumer.client.complete('ok', [['poll', { [log.name]: records }]])
  }

  function replica(log: Log, broker: number): void {
    recorder.replicaLog({
      broker,
      partition: log.name,
      leader: broker === 1,
      logStartOffset: 0,
      highWatermark: log.end,
      logEndOffset: log.end,
      complete: true,
      batches: log.records.map(([offset, value]) => ({
        baseOffset: offset,
        leaderEpoch: 0,
        producerId: '7',
        producerEpoch: 0,
        baseSequence: offset,
        records: [[offset, value]],
      })),
    })
  }
}
