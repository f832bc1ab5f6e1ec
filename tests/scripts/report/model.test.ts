import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { pollsOf, sendsOf, type History, type RecordOperation } from '#scripts/history/operation.ts'
import { encodeRun, seriesOf } from '#scripts/report/model/encode.ts'
import { faultsOf } from '#scripts/report/model/faults.ts'
import { Run } from '#scripts/report/model/run.ts'
import { timelineOf } from '#scripts/report/timeline-model.ts'
import { longRun, losingRun, recording, run } from './sample.ts'

describe('what was seen of the cluster', () => {
  test('is who was up, from faults and from who answered', async () => {
    const { brokers, controllers, endMs } = timelineOf(await run())
    expect(endMs).toBe(2_000)
    expect(brokers.map(({ id, states }) => [id, states.map(({ value }) => value)])).toEqual([
      [1, ['up', 'down']],
      [2, ['up']],
      [3, ['up', 'paused']],
    ])
    expect(controllers).toHaveLength(1)
  })

  test('is who led with which epoch, and who was in sync', async () => {
    const { partitions } = timelineOf(await run())
    expect(partitions[0]?.leaders.map(({ value }) => value)).toEqual([
      { leader: 1, leaderEpoch: 0 },
      { leader: 2, leaderEpoch: 1 },
    ])
    expect(partitions[0]?.inSync.map(({ value }) => value)).toEqual([
      [1, 2, 3],
      [2, 3],
    ])
  })

  test('has lines for the last stable offset and the log start only while they differ', () => {
    const { recorder } = recording()
    const partition = {
      leader: 1,
      leaderEpoch: 0,
      replicas: [1],
      isr: [1],
      highWatermark: 9,
      logEndOffsets: { '1': 9 },
    }
    const seen = { brokers: [1], reachable: [1], controller: 1 }
    recorder.observe({ ...seen, partitions: { 't-0': partition } })
    const names = () => encodeRun('main', recorder.history).partitions[0]?.series.map(({ of }) => of)
    expect(names()).toEqual(['hw', 1])
    recorder.observe({ ...seen, partitions: { 't-0': { ...partition, lastStableOffset: 4, logStartOffset: 2 } } })
    expect(names()).toEqual(['hw', 1, 'lso', 'start'])
  })

  test('keeps of equal values the first and the last, and marks where nothing was seen for a while', () => {
    const points = [[0, 5], [100, 5], [200, 5], [300, 7], [9_000, 7], [9_100, 8]] as const // prettier-ignore
    expect(seriesOf('high watermark', points)).toEqual({
      name: 'high watermark',
      of: 'hw',
      time: [0, 2_000, 1_000, 87_000, 1_000],
      value: [5, 5, 7, 7, 8],
      gaps: [3],
    })
  })
})

describe('a fault', () => {
  async function faultsIn(...steps: readonly (readonly [atMs: number, kind: string, brokers: readonly number[]])[]) {
    const { recorder, clock } = recording()
    for (const [atMs, kind, brokers] of steps) {
      clock.nowMs = atMs
      const value = { brokers, target: 'these' }
      await recorder.fault(kind, value, async () => value)
    }
    return faultsOf(recorder.history, 10_000).map(({ kind, fromMs, toMs, mended }) => [kind, fromMs, toMs, mended])
  }

  test('lasts until what mends it, for the last of its brokers', async () => {
    expect(await faultsIn([100, 'kill', [1, 2]], [300, 'start', [1]], [500, 'start', [2]])).toEqual([
      ['kill', 100, 500, true],
      ['start', 300, 300, false],
      ['start', 500, 500, false],
    ])
  })

  test('is mended by what is for it: a start ends no pause, a healed link no kill', async () => {
    const faults = await faultsIn([0, 'pause', [1]], [1, 'partition', [1]], [2, 'start', [1]], [3, 'heal-partition', []], [4, 'resume', [1]]) // prettier-ignore
    expect(faults.slice(0, 2)).toEqual([
      ['pause', 0, 4, true],
      ['partition', 1, 3, true],
    ])
  })

  test('of a kind that is not known lasts until something heals it, and else for a moment', async () => {
    expect((await faultsIn([0, 'disk-slow', [1]], [50, 'heal-inside', [1, 2]]))[0]).toEqual(['disk-slow', 0, 50, true])
    expect(await faultsIn([0, 'some-blow', [1]])).toEqual([['some-blow', 0, 0, false]])
  })

  test('that nobody mended lasts to the end of the run', async () => {
    expect(await faultsIn([200, 'kill', [3]])).toEqual([['kill', 200, 10_000, false]])
  })
})

/** Operations of a history, put together from the history itself. */
function operationsIn(history: History) {
  const open = new Map<number, RecordOperation>()
  const found: { start: number; end: number; records: string[] }[] = []
  for (const operation of history as RecordOperation[]) {
    if (operation.type === 'invoke') open.set(operation.process, operation)
    else
      found.push({
        start: open.get(operation.process)?.timeMs ?? NaN,
        end: operation.timeMs,
        records: [
          ...sendsOf(operation).map(({ partition, offset, value }) => `send ${partition} ${offset} ${value}`),
          ...pollsOf(operation).flatMap(({ partition, records }) =>
            records.map(([offset, value]) => `poll ${partition} ${offset} ${value}`),
          ),
        ],
      })
  }
  return found.sort((a, b) => a.start - b.start)
}

describe('columns', () => {
  test('give back every record, offset and time of any history', () => {
    const send = fc.record({
      partition: fc.integer({ min: 0, max: 2 }),
      offset: fc.option(fc.integer({ min: 0, max: 9 })),
      records: fc.integer({ min: 1, max: 3 }),
      isSend: fc.boolean(),
      lasted: fc.integer({ min: 1, max: 50 }),
      value: fc.constantFrom('a', 'b'),
    })
    fc.assert(
      fc.property(fc.array(send, { maxLength: 30 }), steps => {
        const { recorder, clock } = recording()
        const client = recorder.client('c')
        for (const { partition, offset, records, isSend, lasted, value } of steps) {
          const name = `t-${partition}`
          const each = Array.from({ length: records }, (_, index) => `${value}:${index}`)
          const f = isSend ? 'send' : 'poll'
          client.invoke(f, isSend ? each.map(one => ['send', name, one]) : [['poll']])
          clock.nowMs += lasted
          const places = each.map((one, index) => [(offset ?? 0) + index, one] as const)
          client.complete(
            'ok',
            isSend
              ? places.map(([at, one]) => ['send', name, [offset === null ? null : at, one]] as const)
              : [['poll', { [name]: places }]],
          )
          clock.nowMs += 1
        }
        const decoded = new Run(JSON.parse(JSON.stringify(encodeRun('x', recorder.history))))
        const operations = Array.from({ length: decoded.length }, (_, operation) => ({
          start: decoded.start[operation],
          end: decoded.end[operation],
          records: decoded.touchesOf(operation).flatMap(
            ({ action, partition, offset, values }) =>
            values.map((value, index) => `${action} t-${decoded.partition(partition)?.name.slice(2)} ${offset < 0 ? null : offset + index} ${value}`), // prettier-ignore
          ),
        }))
        expect(operations).toEqual(operationsIn(recorder.history))
      }),
    )
  })

  test('name offsets at which two values were seen, and values that are there twice', async () => {
    const [partition] = encodeRun('x', await losingRun()).partitions
    expect(partition?.contested).toEqual([{ offset: 1, values: ['k:lost', 'k:2'] }])
    const { recorder } = recording()
    const client = recorder.client('c')
    client.invoke('poll', [['poll']])
    client.complete('ok', [['poll', { 't-0': [[0, 'a'], [1, 'b'], [2, 'a']] }]]) // prettier-ignore
    expect(encodeRun('x', recorder.history).partitions[0]?.repeated).toEqual([0, 2])
  })

  test('find the operation of an entry, whoever touched an offset, and a value', async () => {
    const decoded = new Run(encodeRun('x', await losingRun()))
    const lost = decoded.findValue('k:lost', 0) as number
    expect(decoded.operationOfEntry(decoded.data.operations.invoked.length > 0 ? (decoded.invoked[lost] as number) : -1)).toBe(lost) // prettier-ignore
    expect(decoded.operationOfEntry(decoded.completed[lost] as number)).toBe(lost)
    expect(decoded.operationsAt(0, 1, 9).map(operation => decoded.kindOf(operation))).toEqual(['send', 'send', 'poll'])
  })

  test('keep what they do not know: other kinds of operations, entries of nobody, operations without an answer', () => {
    const at = (index: number) => ({ index, timeMs: index * 10 })
    const history = [
      { ...at(0), process: 1, client: 'w', type: 'invoke', f: 'txn', value: [['send', 't-0', 'a:0'], ['poll']] },
      { ...at(1), process: 1, client: 'w', type: 'ok', f: 'txn', value: [['send', 't-0', [4, 'a:0']], ['poll', { 't-1': [[7, 'b:0']] }]] },
      { ...at(2), process: 1, client: 'w', type: 'invoke', f: 'lookup', value: { 't-1': 8 } },
      { ...at(3), process: 'lab', type: 'ok', f: 'fact', value: { name: 'lag after the pause', value: 120 } },
      { ...at(4), process: 'nemesis', type: 'ok', f: 'delay', value: 'all links' },
      { ...at(5), process: 'oracle', type: 'ok', f: 'saw', value: { much: true } },
      { ...at(6), process: 1, client: 'w', type: 'ok', f: 'joined', value: { group: 'g', partitions: ['t-1'] } },
    ] as unknown as History // prettier-ignore
    const decoded = new Run(encodeRun('x', history))
    expect([0, 1].map(operation => [decoded.kindOf(operation), decoded.outcomeOf(operation)])).toEqual([
      ['txn', 'ok'],
      ['lookup', 'open'],
    ])
    expect(decoded.touchesOf(0).map(({ action, offset }) => [action, offset])).toEqual([['send', 4], ['poll', 7]]) // prettier-ignore
    expect(decoded.noteOf(1)).toBe('{"t-1":8}')
    expect(decoded.data.marks.map(({ client, text }) => [client, text])).toEqual([
      [undefined, 'lag after the pause: 120'],
      [undefined, 'nemesis: delay all links'],
      [undefined, 'oracle: saw {"much":true}'],
      [0, 'joined {"group":"g","partitions":["t-1"]}'],
    ])
  })

  test('of a hundred thousand operations are few characters each', () => {
    const text = JSON.stringify(encodeRun('x', longRun(20_000)))
    expect(text.length / 20_000).toBeLessThan(80)
  })
})
