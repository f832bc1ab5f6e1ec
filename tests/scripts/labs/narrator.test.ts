import { describe, expect, test } from 'vitest'
import type { Observation, Operation } from '#scripts/history/operation.ts'
import { HistoryRecorder } from '#scripts/history/recorder.ts'
import { Narrator } from '#scripts/labs/narrator.ts'

/** A recorder with a clock of the test's, and all that the narrator tells of it. */
function told() {
  let nowMs = 0
  const recorder = new HistoryRecorder({ nowMs: () => nowMs })
  const narrator = new Narrator()
  const lines: string[] = []
  recorder.listen((operation: Operation) => {
    for (const { kind, text } of narrator.tell(operation)) lines.push(`${kind}: ${text}`)
  })
  return { recorder, lines, at: (ms: number) => (nowMs = ms) }
}

const seen = (partition: Partial<Observation['partitions'][string]>, rest: Partial<Observation> = {}): Observation => ({
  brokers: [1, 2, 3],
  reachable: [1, 2, 3],
  controller: 1,
  controllerEpoch: 4,
  partitions: {
    't-0': {
      leader: 1,
      leaderEpoch: 0,
      replicas: [1, 2, 3],
      isr: [1, 2, 3],
      highWatermark: 0,
      logEndOffsets: {},
      ...partition,
    },
  },
  ...rest,
})

describe('a narrator', () => {
  test('tells steps and faults, also one that did not work', async () => {
    const { recorder, lines } = told()
    recorder.phase('kill -9 the leader')
    await recorder.fault('kill', { brokers: [1], target: 'the leader' }, async () => ({
      brokers: [1],
      target: 'the leader',
    }))
    const failing = recorder.fault('wipe', { brokers: [2], target: 'node 2' }, () =>
      Promise.reject(new Error('it runs')),
    )
    await expect(failing).rejects.toThrow('it runs')
    expect(lines).toEqual([
      'step: kill -9 the leader',
      'fault: kill 1 (the leader)',
      'fault: wipe 2 (node 2) did not work: it runs',
    ])
  })

  test('tells that something breaks, and not what, of a fault that is hidden; the history knows', async () => {
    const { recorder, lines } = told()
    const value = { brokers: [2], target: 'node 2', hidden: true } as const
    await recorder.fault('pause', value, () => Promise.resolve(value))
    expect(lines).toEqual(['fault: something breaks'])
    expect(recorder.history.at(-1)).toMatchObject({ f: 'pause', value: { brokers: [2], hidden: true } })
  })

  test('tells elections, in-sync sets, the quorum and silent brokers, and nothing that stays as it is', () => {
    const { recorder, lines } = told()
    recorder.observe(seen({}))
    recorder.observe(seen({ highWatermark: 7 }))
    expect(lines).toEqual([])
    recorder.observe(seen({ leader: -1, leaderEpoch: 1, isr: [2, 3] }, { reachable: [2, 3] }))
    recorder.observe(
      seen({ leader: 2, leaderEpoch: 2, isr: [2, 3] }, { reachable: [2, 3], brokers: [2, 3], controller: 3 }),
    )
    recorder.observe(seen({ leader: 2, leaderEpoch: 2 }, { controller: 3 }))
    expect(lines).toEqual([
      'broker: broker 1 does not answer',
      'election: t-0 has no leader any more',
      'in-sync: 1 left the in-sync set of t-0: 2, 3 remain',
      'controller: node 3 leads the quorum now (epoch 4)',
      'election: broker 2 leads t-0 now (epoch 2; before: nobody)',
      'broker: broker 1 answers again',
      'in-sync: 1 joined the in-sync set of t-0: 1, 2, 3',
    ])
  })

  test('tells that nothing is acknowledged while it is so, and for how long it was', () => {
    const { recorder, lines, at } = told()
    recorder.phase('workload')
    const client = recorder.client('producer-0')
    const send = (value: string) => {
      client.invoke('send', [['send', 't-0', value]])
      return () => client.complete('ok', [['send', 't-0', [0, value]]])
    }
    send('a')()
    at(900)
    send('b')()
    const late = send('c')
    at(2_000)
    recorder.observe(seen({}))
    recorder.observe(seen({ highWatermark: 1 }))
    at(3_400)
    late()
    expect(lines).toEqual([
      'gap: no record has been acknowledged for 1.1 s',
      'gap: acknowledged again, after 2.5 s without',
    ])
    recorder.phase('final-read')
    at(60_000)
    recorder.observe(seen({ highWatermark: 2 }))
    expect(lines).toHaveLength(3)
  })
})
