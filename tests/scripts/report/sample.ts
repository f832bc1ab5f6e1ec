/** Histories and results for tests of the report. */
import { check } from '#scripts/checkers/check.ts'
import { HistoryRecorder } from '#scripts/history/recorder.ts'
import type { History, Operation } from '#scripts/history/operation.ts'
import type { LabResult, VariantResult } from '#scripts/labs/result.ts'

export interface Clock {
  nowMs: number
}

export function recording(): { recorder: HistoryRecorder; clock: Clock } {
  const clock = { nowMs: 0 }
  return { clock, recorder: new HistoryRecorder({ nowMs: () => clock.nowMs }) }
}

/** A short run: two writes, a killed leader, an election, a frozen broker. */
export async function run(): Promise<History> {
  const { recorder, clock } = recording()
  const observe = (leader: number, leaderEpoch: number, isr: number[], reachable: number[]) =>
    recorder.observe({
      brokers: isr,
      reachable,
      controller: 2,
      partitions: {
        't-0': { leader, leaderEpoch, replicas: [1, 2, 3], isr, highWatermark: leaderEpoch, logEndOffsets: { '2': 1 } },
      },
    })
  recorder.phase('healthy')
  observe(1, 0, [1, 2, 3], [1, 2, 3])
  const client = recorder.client('producer-0')
  client.invoke('send', [['send', 't-0', 'k:0']])
  clock.nowMs = 10
  client.complete('ok', [['send', 't-0', [0, 'k:0']]])
  recorder.phase('kill <the leader>')
  const killed = { brokers: [1], target: 'the leader' }
  await recorder.fault('kill', killed, async () => killed)
  clock.nowMs = 1_000
  observe(2, 1, [2, 3], [2, 3])
  const paused = { brokers: [3], target: 'node 3' }
  await recorder.fault('pause', paused, async () => paused)
  clock.nowMs = 2_000
  client.invoke('send', [['send', 't-0', 'k:1']])
  client.complete('info', [['send', 't-0', 'k:1']], {
    code: 'REQUEST_TIMED_OUT',
    message: 'no answer',
    definite: false,
  })
  return recorder.history
}

/** An acknowledged record is lost: the leader dies with it, the next one has another record at its offset, and that one is read. */
export async function losingRun(): Promise<History> {
  const { recorder, clock } = recording()
  const observe = (leader: number, leaderEpoch: number, isr: number[], highWatermark: number) =>
    recorder.observe({
      brokers: isr,
      reachable: isr,
      controller: 2,
      partitions: {
        't-0': {
          leader,
          leaderEpoch,
          replicas: [1, 2],
          isr,
          highWatermark,
          logEndOffsets: Object.fromEntries(isr.map(id => [String(id), highWatermark])),
        },
      },
    })
  recorder.phase('workload')
  observe(1, 0, [1, 2], 0)
  const producer = recorder.client('producer-0')
  const consumer = recorder.client('consumer-0')
  const send = (offset: number, value: string, at: number) => {
    clock.nowMs = at
    producer.invoke('send', [['send', 't-0', value]])
    clock.nowMs = at + 12
    producer.complete('ok', [['send', 't-0', [offset, value]]])
  }
  send(0, 'k:0', 100)
  send(1, 'k:lost', 200)
  clock.nowMs = 300
  const killed = { brokers: [1], target: 'leader of t-0' }
  await recorder.fault('kill', killed, async () => killed)
  clock.nowMs = 900
  observe(2, 1, [2], 1)
  send(1, 'k:2', 1_000)
  send(2, 'k:3', 1_100)
  clock.nowMs = 1_400
  await recorder.fault('start', { brokers: [1], target: 'node 1' }, async () => ({ brokers: [1], target: 'node 1' }))
  clock.nowMs = 2_000
  observe(2, 1, [1, 2], 3)
  recorder.phase('final-read')
  consumer.partitions('assign', ['t-0'])
  consumer.invoke('poll', [['poll']])
  clock.nowMs = 2_040
  const read = [[0, 'k:0'], [1, 'k:2'], [2, 'k:3']] as const // prettier-ignore
  consumer.complete('ok', [['poll', { 't-0': read }]])
  recorder.phase('final-read-complete')
  for (const broker of [1, 2]) {
    recorder.replicaLog({
      broker,
      partition: 't-0',
      leader: broker === 2,
      logStartOffset: 0,
      highWatermark: 3,
      logEndOffset: 3,
      complete: true,
      batches: [
        { baseOffset: 0, leaderEpoch: 0, producerId: '-1', producerEpoch: -1, baseSequence: -1, records: read },
      ],
    })
  }
  return recorder.history
}

export function variantOf(name: string, role: 'main' | 'control', history: History): VariantResult {
  const { results, valid } = check(history, ['lost-write', 'duplicate', 'inconsistent-offsets'])
  return {
    name,
    role,
    summary: `the ${role} of the example`,
    expected: role === 'control' ? ['lost-write'] : 'valid',
    verdict: valid === true ? 'valid' : valid === false ? 'invalid' : 'unknown',
    asExpected: role === 'control' ? valid === false : valid === true,
    results,
    durationMs: history.at(-1)?.timeMs ?? 0,
    operations: history.length,
    acknowledged: 4,
  }
}

export function resultOf(variants: readonly VariantResult[], rest: Partial<LabResult> = {}): LabResult {
  return {
    lab: '42-example',
    summary: 'An <example>.',
    question: 'Is 1 < 2?',
    prediction: { choices: ['yes', 'no'], answer: 0, chosen: 1 },
    watch: ['this'],
    explanation: 'Because.',
    reading: ['A page: https://example.org/page'],
    runtime: 'process',
    engine: 'faultline',
    seed: 1,
    startedAt: '2026-01-01T00:00:00.000Z',
    durationMs: 2_000,
    verdict: 'unknown',
    reason: 'Nothing was read.',
    variants,
    ...rest,
  }
}

/** A long run as numbers ask for it: `operations` writes and reads of several clients, in a few minutes. */
export function longRun(operations: number): History {
  const history: Operation[] = []
  const partitions = ['t-0', 't-1', 't-2']
  const logs: string[][] = partitions.map(() => [])
  const read = partitions.map(() => 0)
  let timeMs = 0
  const add = (entry: object) =>
    history.push({ index: history.length, timeMs: Math.round(timeMs * 10) / 10, ...entry } as Operation)
  for (let operation = 0; operation < operations; operation += 1) {
    timeMs += 1 + ((operation * 7) % 5) / 4
    const partition = operation % partitions.length
    const name = partitions[partition] as string
    if (operation % 4 < 3) {
      const who = { process: operation % 8, client: `producer-${operation % 8}`, f: 'send' }
      const value = `key-${operation % 16}:${operation}`
      add({ ...who, type: 'invoke', value: [['send', name, value]] })
      timeMs += ((operation * 13) % 17) / 10
      const log = logs[partition] as string[]
      if (operation % 997 === 0)
        add({ ...who, type: 'info', value: [['send', name, value]], error: { code: 'REQUEST_TIMED_OUT', message: 'no answer', definite: false } }) // prettier-ignore
      else add({ ...who, type: 'ok', value: [['send', name, [log.push(value) - 1, value]]] })
    } else {
      const who = { process: 100 + (operation % 3), client: `consumer-${operation % 3}`, f: 'poll' }
      const from = read[partition] as number
      const records = (logs[partition] as string[]).slice(from).map((value, index) => [from + index, value])
      read[partition] = from + records.length
      add({ ...who, type: 'invoke', value: [['poll']] })
      add({ ...who, type: 'ok', value: [['poll', { [name]: records }]] })
    }
    if (operation % 500 === 0) {
      const end = logs[0]?.length
      const logEndOffsets = { '1': end, '2': end, '3': end }
      const state = { leader: (Math.floor(operation / 20_000) % 3) + 1, leaderEpoch: Math.floor(operation / 20_000), replicas: [1, 2, 3], isr: [1, 2, 3], highWatermark: end, logEndOffsets } // prettier-ignore
      add({ process: 'observer', type: 'ok', f: 'observe', value: { brokers: [1, 2, 3], reachable: [1, 2, 3], controller: 1, partitions: Object.fromEntries(partitions.map(name => [name, state])) } }) // prettier-ignore
    }
  }
  return history
}
