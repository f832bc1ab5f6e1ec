/** Compacted topics and pipelines: models that do right, and what happens to the verdict when they do not. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { check, compactedChecks } from '#scripts/checkers/check.ts'
import { exactlyOnce } from '#scripts/checkers/pipeline.ts'
import {
  isRecordOperation,
  isTombstone,
  originOf,
  pollsOf,
  recordKeyOf,
  sendsOf,
  type History,
  type Offset,
  type RecordOperation,
  type Value,
} from '#scripts/history/operation.ts'
import { HistoryRecorder } from '#scripts/history/recorder.ts'
import { chance } from './model.ts'

const seeds = fc.integer({ min: 1, max: 2 ** 31 })

interface Compacted {
  readonly history: History
  readonly left: [Offset, Value][]
  readonly last: ReadonlyMap<string, Value>
}

/** One partition: writes of values and tombstones, some of unknown outcome; a reader; a cleaner; a full read of what is left. */
function compacted(
  seed: number,
  spoil?: (left: [Offset, Value][], last: ReadonlyMap<string, Value>) => void,
): Compacted {
  const next = chance(seed)
  let nowMs = 0
  const recorder = new HistoryRecorder({ nowMs: () => (nowMs += 1) })
  let writer = recorder.client('writer')
  const reader = recorder.client('reader')
  let position = 0
  let left: [Offset, Value][] = []
  const last = new Map<string, Value>()
  let end = 0
  for (let sequence = 1; sequence <= 60; sequence += 1) {
    const key = `k${next(6)}`
    const value = `${key}:${next(5) === 0 ? -sequence : sequence}`
    writer.invoke('send', [['send', 't-0', value]])
    const lost = next(10) === 0
    if (!lost || next(2) === 0) {
      left.push([end, value])
      last.set(key, value)
      end += 1
    }
    if (lost) {
      writer.complete('info', [['send', 't-0', value]])
      writer = recorder.client('writer')
    } else writer.complete('ok', [['send', 't-0', [end - 1, value]]])
    if (next(4) === 0) {
      const records = left.filter(([offset]) => offset >= position)
      position = end
      reader.invoke('poll', [['poll']])
      reader.complete('ok', [['poll', { 't-0': records }]])
    }
    // The cleaner: up to some offset, what is superseded goes; tombstones go when it passes them again.
    if (next(12) === 0) {
      const until = next(end + 1)
      const gone = next(2) === 0
      left = left.filter(
        ([offset, each]) =>
          offset >= until || (last.get(recordKeyOf(each) as string) === each && !(gone && isTombstone(each))),
      )
    }
  }
  spoil?.(left, last)
  recorder.phase('final-read')
  const finalReader = recorder.client('final-reader')
  finalReader.partitions('assign', ['t-0'])
  finalReader.invoke('poll', [['poll']])
  finalReader.complete('ok', [['poll', { 't-0': left }]])
  recorder.phase('final-read-complete')
  return { history: recorder.history, left, last }
}

describe('a compacted topic', () => {
  test('that keeps the last value of every key is never called invalid', () => {
    fc.assert(
      fc.property(seeds, seed => {
        const { results } = check(compacted(seed).history, compactedChecks)
        expect(results.filter(({ valid }) => valid === false)).toEqual([])
      }),
      { numRuns: 1_000 },
    )
  })

  /** A history that lacks one record, and whether its write was acknowledged: only then is it certain that it was there. */
  function without(
    seed: number,
    choose: (left: readonly [Offset, Value][], last: ReadonlyMap<string, Value>) => [Offset, Value] | undefined,
  ) {
    let gone: [Offset, Value] | undefined
    const { history } = compacted(seed, (left, last) => {
      const record = choose(left, last)
      if (!record) return
      left.splice(left.indexOf(record), 1)
      gone = record
    })
    const sends = history.filter(isRecordOperation).filter(({ f }) => f === 'send')
    const valueOf = (operation: RecordOperation) => sendsOf(operation)[0]?.value as Value
    const acknowledged = sends.some(operation => operation.type === 'ok' && valueOf(operation) === gone?.[1])
    const seen = new Map<Value, Offset>()
    for (const operation of history.filter(isRecordOperation))
      for (const { records } of pollsOf(operation)) for (const [offset, value] of records) seen.set(value, offset)
    // A tombstone that nobody heard of again may have been there, and be gone.
    const deleted = sends
      .filter(({ type }) => type === 'info')
      .map(valueOf)
      .filter(value => isTombstone(value) && recordKeyOf(value) === recordKeyOf(gone?.[1] ?? ''))
      .some(value => (seen.get(value) ?? Number.POSITIVE_INFINITY) > (gone?.[0] ?? -1))
    const certain = acknowledged && !deleted
    return { history, certain }
  }

  const isLast = ([, value]: [Offset, Value], last: ReadonlyMap<string, Value>) =>
    last.get(recordKeyOf(value) as string) === value

  test('that loses the last value of a key is caught, where no tombstone may lie behind it', () => {
    let broken = 0
    fc.assert(
      fc.property(seeds, fc.nat(), (seed, choice) => {
        const { history, certain } = without(seed, (left, last) => {
          const values = left.filter(record => !isTombstone(record[1]) && isLast(record, last))
          return values[choice % values.length]
        })
        if (!certain) return
        broken += 1
        expect(check(history, ['compaction']).results[0]).toMatchObject({ valid: false, count: 1 })
      }),
      { numRuns: 300 },
    )
    expect(broken).toBeGreaterThan(100)
  })

  test('where a deleted key comes back is caught', () => {
    let broken = 0
    fc.assert(
      fc.property(seeds, seed => {
        const { history, certain } = without(seed, (left, last) =>
          left.find(
            record =>
              isTombstone(record[1]) &&
              isLast(record, last) &&
              left.some(([, value]) => recordKeyOf(value) === recordKeyOf(record[1]) && !isTombstone(value)),
          ),
        )
        if (!certain) return
        broken += 1
        expect(check(history, ['compaction']).results[0]?.cases[0]?.explanation).toMatch(/was deleted by k\d:-/)
      }),
      { numRuns: 500 },
    )
    expect(broken).toBeGreaterThan(30)
  })
})

/** Records go from `in` to `out`, each in a transaction that commits the input with the output; attempts fail, or never hear how it ended. */
function pipeline(seed: number, spoil?: (out: [Offset, Value][]) => void): History {
  const next = chance(seed)
  let nowMs = 0
  const recorder = new HistoryRecorder({ nowMs: () => (nowMs += 1) })
  let source = recorder.client('source')
  const input: [Offset, Value][] = []
  for (let sequence = 0; sequence < 30; sequence += 1) {
    const value = `k:${sequence}`
    const lost = next(8) === 0
    source.invoke('send', [['send', 'in-0', value]])
    if (!lost || next(2) === 0) input.push([input.length, value])
    if (lost) {
      source.complete('info', [['send', 'in-0', value]])
      source = recorder.client('source')
    } else source.complete('ok', [['send', 'in-0', [input.length - 1, value]]])
  }
  let copier = recorder.client('copier')
  const output: [Offset, Value][] = []
  let end = 0
  for (let attempt = 0, position = 0; position < input.length; attempt += 1) {
    const records = input.slice(position, position + 1 + next(3))
    const values = records.map(([, value]) => `${value}~${attempt}`)
    copier.invoke('txn', [['poll']], { transactionalId: 'copier' })
    const base = end
    end += values.length + 1
    const luck = next(6)
    const done = () => {
      for (const [index, value] of values.entries()) output.push([base + index, value])
      position += records.length
    }
    const micros = [
      ['poll', { 'in-0': records }] as const,
      ...values.map((value, index) => ['send', 'out-0', [base + index, value]] as const),
    ]
    if (luck === 0) copier.complete('fail', micros)
    else if (luck === 1) {
      if (next(2) === 0) done()
      copier.complete('info', micros)
      copier = recorder.client('copier')
    } else {
      done()
      copier.complete('ok', micros)
    }
  }
  spoil?.(output)
  recorder.phase('final-read')
  const reader = recorder.client('final-reader')
  reader.partitions('assign', ['in-0', 'out-0'])
  reader.invoke('poll', [['poll']])
  reader.complete('ok', [['poll', { 'in-0': input, 'out-0': output }]])
  recorder.phase('final-read-complete')
  return recorder.history
}

describe('a pipeline', () => {
  const once = exactlyOnce({ inputs: ['in'], outputs: ['out'] })

  test('that copies each record once is never called invalid, whatever its attempts came to', () => {
    fc.assert(
      fc.property(seeds, seed => {
        expect(check(pipeline(seed), [once]).results).toMatchObject([{ valid: true }])
      }),
      { numRuns: 500 },
    )
  })

  test.each<[string, RegExp, (out: [Offset, Value][], at: number) => void]>([
    ['leaves one out', /came out 0 times/, (out, at) => out.splice(at, 1)],
    [
      'copies one twice',
      /came out 2 times/,
      (out, at) => out.push([9_999, `${originOf(out[at]?.[1] as string)}~again`]),
    ],
    ['invents one', /never went in/, out => out.push([9_999, 'ghost:1~0'])],
  ])('that %s is caught', (_, says, spoil) => {
    fc.assert(
      fc.property(seeds, fc.nat(), (seed, choice) => {
        const history = pipeline(seed, out => spoil(out, choice % out.length))
        const [result] = check(history, [once]).results
        expect(result).toMatchObject({ name: 'exactly-once', valid: false, count: 1 })
        expect(result?.cases[0]?.explanation).toMatch(says)
      }),
      { numRuns: 200 },
    )
  })
})
