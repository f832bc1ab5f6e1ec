import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bankBalance } from '#scripts/checkers/bank.ts'
import { check, everyCheck, transactionChecks, type CheckName } from '#scripts/checkers/check.ts'
import {
  isRecordOperation,
  pollsOf,
  sendsOf,
  type History,
  type MicroOp,
  type Operation,
  type RecordOperation,
  type Value,
} from '#scripts/history/operation.ts'
import { chance } from './model.ts'
import { bare, generateTransactions, type TransactionModelOptions } from './transaction-model.ts'

const options: fc.Arbitrary<TransactionModelOptions> = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 31 }),
  partitions: fc.integer({ min: 1, max: 3 }),
  clients: fc.integer({ min: 1, max: 4 }),
  steps: fc.integer({ min: 30, max: 150 }),
  aborts: fc.constantFrom(0, 20, 40),
  lost: fc.constantFrom(0, 10, 30),
  retentionEvery: fc.constantFrom(0, 0, 30),
  uncommitted: fc.boolean(),
})

const bank = bankBalance({ topics: ['t'], amount: value => (Number(value.split(':')[1]) % 7) - 3 })

describe('histories of a Kafka with transactions that is right', () => {
  test('are never called invalid, with aborts, lost answers, late markers, retention and readers of uncommitted records', () => {
    fc.assert(
      fc.property(options, settings => {
        const { results } = check(generateTransactions(settings), [...everyCheck, bank])
        expect(results.filter(({ valid }) => valid === false)).toEqual([])
      }),
      { numRuns: 1_500 },
    )
  })

  test('give no unknown result when there is enough to judge', () => {
    const settings = {
      seed: 7,
      partitions: 3,
      clients: 4,
      steps: 600,
      aborts: 20,
      lost: 10,
      retentionEvery: 0,
      uncommitted: false,
    }
    const checks = transactionChecks.filter(name => name !== 'replica-divergence')
    const { valid, results } = check(generateTransactions(settings), [...checks, bank])
    expect(results.filter(result => result.valid !== true)).toEqual([])
    expect(valid).toBe(true)
    // The model does what Kafka allows, so the checks that only count have something to count.
    expect(results.find(({ name }) => name === 'G0')?.count).toBeGreaterThan(0)
    expect(results.find(({ name }) => name === 'int-send-skip')?.count).toBeGreaterThan(0)
  })
})

/** Operations that may be changed, of a history that may be changed. */
type Draft = { -readonly [K in keyof RecordOperation]: RecordOperation[K] } & { value: MicroOp[] }

interface Scene {
  readonly history: Operation[]
  /** Completed transactions with at least one send. */
  readonly done: readonly Draft[]
  readonly failed: readonly Draft[]
  /** The polls of the last reader. */
  readonly last: readonly Draft[]
  /** Polls of uncommitted records. */
  readonly uncommitted: readonly Draft[]
  readonly invoked: (operation: Draft) => number
  readonly pick: <T>(from: readonly T[]) => T | undefined
}

function sceneOf(original: History, seed: number): Scene {
  const history = structuredClone(original) as Operation[]
  const next = chance(seed)
  const invocations = new Map<number, number>()
  const open = new Map<number, number>()
  const drafts: Draft[] = []
  for (const operation of history) {
    if (!isRecordOperation(operation)) continue
    if (operation.type === 'invoke') open.set(operation.process, operation.index)
    else {
      invocations.set(operation.index, open.get(operation.process) as number)
      drafts.push(operation as Draft)
    }
  }
  const finalRead = history.findIndex(({ f, value }) => f === 'phase' && value === 'final-read')
  const sending = drafts.filter(draft => draft.f === 'txn' && sendsOf(draft).length > 0)
  return {
    history,
    done: sending.filter(({ type }) => type === 'ok'),
    failed: sending.filter(({ type }) => type === 'fail'),
    last: drafts.filter(({ index }) => index > finalRead),
    uncommitted: drafts.filter(({ isolation }) => isolation === 'read_uncommitted'),
    invoked: operation => invocations.get(operation.index) as number,
    pick: from => (from.length === 0 ? undefined : from[next(from.length)]),
  }
}

const recordOf = (operation: Draft) => sendsOf(operation)[0] as { partition: string; offset: number; value: Value }

/** The operation polled what another sent. */
function polls(reader: Draft, writer: Draft): void {
  const { partition, offset, value } = recordOf(writer)
  reader.value.push(['poll', { [partition]: [[offset, value]] }])
}

/** Nobody polled the value, or only who reads uncommitted. */
function forget(history: readonly Operation[], value: Value, by: 'anybody' | 'read_committed' = 'anybody'): void {
  for (const operation of history) {
    if (!isRecordOperation(operation)) continue
    if (by === 'read_committed' && operation.isolation === 'read_uncommitted') continue
    for (const micro of operation.value) {
      if (micro[0] !== 'poll' || micro[1] === undefined) continue
      const polled = micro[1] as Record<string, (readonly [number, Value])[]>
      for (const partition of Object.keys(polled))
        polled[partition] = (polled[partition] ?? []).filter(record => record[1] !== value)
    }
  }
}

/** Transactions that write only, so that nothing ties them but what a mutation adds: a knot is told under its strongest name. */
function withoutPolls(history: readonly Operation[]): void {
  for (const operation of history) {
    if (isRecordOperation(operation) && operation.f === 'txn')
      Object.assign(operation, { value: operation.value.filter(micro => micro[0] === 'send') })
  }
}

/** True when the readers read something below the record and something above it. */
function isBetween(readers: readonly Draft[], { partition, offset }: { partition: string; offset: number }): boolean {
  const read = readers.flatMap(reader => pollsOf(reader)).filter(polled => polled.partition === partition)
  const offsets = read.flatMap(({ records }) => records.map(([at]) => at))
  return offsets.some(at => at < offset) && offsets.some(at => at > offset)
}

const anomalies: Partial<Record<CheckName | 'bank-balance', (scene: Scene) => boolean>> = {
  'torn-transaction': ({ done, history, pick }) => {
    const torn = pick(done.filter(operation => sendsOf(operation).length > 1))
    if (!torn) return false
    forget(history, recordOf(torn).value)
    return true
  },
  'lost-write': ({ done, history, pick, last }) => {
    const lost = pick(done.filter(operation => isBetween(last, recordOf(operation))))
    if (!lost) return false
    forget(history, recordOf(lost).value)
    return true
  },
  'precommitted-read': ({ done, pick }) => {
    const operation = pick(done)
    if (!operation) return false
    polls(operation, operation)
    return true
  },
  'aborted-read': ({ failed, last, pick }) => {
    const [operation, reader] = [pick(failed), pick(last)]
    if (!operation || !reader) return false
    polls(reader, operation)
    return true
  },
  G1c: ({ done, pick }) => {
    const a = pick(done)
    const b = pick(done.filter(other => other !== a))
    if (!a || !b) return false
    polls(a, b)
    polls(b, a)
    return true
  },
  'G1c-process': ({ done, history, invoked, pick }) => {
    withoutPolls(history)
    const later = pick(done.filter(b => done.some(a => a.process === b.process && a.index < invoked(b))))
    const earlier = later && pick(done.filter(a => a.process === later.process && a.index < invoked(later)))
    if (!later || !earlier) return false
    polls(earlier, later)
    return true
  },
  'G1c-realtime': ({ done, history, invoked, pick }) => {
    withoutPolls(history)
    const later = pick(done.filter(b => done.some(a => a.process !== b.process && a.index < invoked(b))))
    const earlier = later && pick(done.filter(a => a.process !== later.process && a.index < invoked(later)))
    if (!later || !earlier) return false
    polls(earlier, later)
    return true
  },
  'garbage-read': ({ last, pick }) => {
    const reader = pick(last)
    reader?.value.push(['poll', { 't-0': [[999_999, 'ghost']] }])
    return reader !== undefined
  },
  'bank-balance': ({ done, history, last, pick }) => {
    const torn = pick(done.filter(operation => isBetween(last, recordOf(operation))))
    if (!torn) return false
    forget(history, recordOf(torn).value)
    return true
  },
}

describe('a broken promise of transactions is caught by name', () => {
  test.each(Object.keys(anomalies) as (CheckName | 'bank-balance')[])('%s', name => {
    let broken = 0
    fc.assert(
      fc.property(options, settings => {
        const scene = sceneOf(
          generateTransactions({ ...settings, retentionEvery: 0, uncommitted: false }),
          settings.seed,
        )
        if (anomalies[name]?.(scene) !== true) return
        const [result] = check(scene.history, [name === 'bank-balance' ? bank : name]).results
        // A short history may have a partition of which nobody read anything.
        if (name === 'bank-balance' && result?.valid === 'unknown') return
        broken += 1
        expect(result).toMatchObject({ name, valid: false })
        expect(result?.cases[0]?.slice.length).toBeGreaterThan(0)
      }),
      { numRuns: 300 },
    )
    expect(broken).toBeGreaterThan(50)
  })
})

test('half of a transfer that is missing is caught also where nobody was told of its place, as its client never heard of the end', () => {
  let broken = 0
  fc.assert(
    fc.property(options, settings => {
      const history = generateTransactions({ ...settings, retentionEvery: 0, uncommitted: false })
      const { done, history: changed, pick } = sceneOf(history, settings.seed)
      const torn = pick(done.filter(operation => sendsOf(operation).length > 1))
      if (!torn) return
      const { value } = recordOf(torn)
      forget(changed, value)
      Object.assign(torn, { type: 'info', value: torn.value.map(bare) })
      const [result] = check(changed, [bank]).results
      // Where nobody read anything else of a partition.
      if (result?.valid === 'unknown') return
      broken += 1
      expect(result).toMatchObject({ valid: false })
      expect(result?.cases[0]?.explanation).toContain(`it did not get ${value} of`)
    }),
    { numRuns: 300 },
  )
  expect(broken).toBeGreaterThan(50)
})

describe('half of a transaction that is gone for who reads committed is caught, though others saw it', () => {
  test.each<CheckName>(['torn-transaction', 'unseen', 'vanished', 'lost-write'])('%s', name => {
    let broken = 0
    fc.assert(
      fc.property(options, settings => {
        const history = generateTransactions({ ...settings, retentionEvery: 0, uncommitted: true })
        const scene = sceneOf(history, settings.seed)
        const torn = scene.pick(
          scene.done.filter(operation => sendsOf(operation).length > 1 && isBetween(scene.last, recordOf(operation))),
        )
        const peeper = scene.pick(scene.uncommitted)
        if (!torn || !peeper) return
        broken += 1
        forget(scene.history, recordOf(torn).value, 'read_committed')
        polls(peeper, torn)
        const [result] = check(scene.history, [name]).results
        expect(result).toMatchObject({ name, valid: false, count: 1 })
        expect(result?.cases[0]?.explanation).toContain(recordOf(torn).value)
      }),
      { numRuns: 300 },
    )
    expect(broken).toBeGreaterThan(50)
  })
})
