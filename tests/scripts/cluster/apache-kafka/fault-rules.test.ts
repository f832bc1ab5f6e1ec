import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  formatRules,
  freeSlot,
  parseRules,
  parseState,
  requirePosix,
  ruleLine,
  type RuleEntry,
} from '#scripts/cluster/apache-kafka/fault-rules.ts'
import { rulesOf } from '#scripts/cluster/compose/packet-filter.ts'

const entry = (slot: number, kind: string, parameters: RuleEntry['parameters'] = {}): RuleEntry => ({
  id: `${kind}-1-${slot}`,
  kind,
  parameters,
  slot,
  born: slot + 1,
})

test('rules hold what the library reads, and all that the toolkit has to remember', () => {
  const value = fc.oneof(fc.integer(), fc.stringMatching(/^[ -~]{0,30}$/))
  const parameters = fc.dictionary(fc.constantFrom('on', 'nth', 'delay', 'path'), value)
  const kinds = fc.constantFrom('slow-disk', 'clock-jump', 'dropped-links', 'memory-pressure')
  fc.assert(
    fc.property(
      fc.nat(),
      fc.nat(),
      fc.array(fc.tuple(kinds, parameters), { maxLength: 5 }),
      (generation, added, list) => {
        const entries = list.map(([kind, given], slot) => entry(slot, kind, given))
        expect(parseRules(formatRules({ generation, added, entries }))).toEqual({ generation, added, entries })
      },
    ),
  )
})

test('a rule is one line, with the number of an error and the path at its end', () => {
  expect(ruleLine(entry(3, 'disk-error', { path: 'a b/.*log$', on: 'write,fsync', code: 'EROFS', nth: 2 }))).toBe(
    '3 4 disk-error on=write,fsync nth=2 errno=30 path=a b/.*log$',
  )
  // What is not the library's is in no line of its own.
  const text = formatRules({ generation: 7, added: 1, entries: [entry(0, 'dropped-links')] })
  expect(text.split('\n').filter(line => !line.startsWith('#'))).toEqual(['faultline 7', 'end', ''])
})

test('rules that are cut off are not believed', () => {
  const text = formatRules({ generation: 7, added: 1, entries: [entry(0, 'slow-disk', { delay: 5 })] })
  for (let length = 0; length < text.length; length++)
    expect(() => parseRules(text.slice(0, length))).toThrow('are damaged')
})

test('a slot is free that no fault has, as long as there is one', () => {
  const taken = Array.from({ length: 32 }, (_, slot) => entry(slot, 'slow-disk'))
  expect(freeSlot(taken.filter(({ slot }) => slot !== 5))).toBe(5)
  expect(() => freeSlot(taken)).toThrow('at most 32 faults')
})

test('expressions that POSIX does not know are refused', () => {
  for (const path of ['a-0/.*log$', '(x|y)+', '[0-9]{2}', '^/var', 'a\\.b']) requirePosix(path)
  for (const path of ['\\d', 'a(?:b)', 'a.*?b', '\\w+', 'x\ny']) expect(() => requirePosix(path)).toThrow('--path')
})

test('what the library counts belongs to the fault that it was counted for', () => {
  const state = Buffer.alloc(16 + 32 * 48 + 8 + 32 * 8)
  state.writeBigUInt64LE(9n, 0)
  const at = 16 + 2 * 48
  // born, began, seen, hits, bytes, spent
  for (const [index, number] of [3n, 1_000n, 8n, 5n, 0n, 1n].entries()) state.writeBigUInt64LE(number, at + 8 * index)
  const read = parseState(state)
  expect(read.generation).toBe(9)
  expect(read.of({ slot: 2, born: 3 })).toEqual({ hits: 5, isSpent: true })
  expect(read.of({ slot: 2, born: 4 })).toEqual({ hits: 0, isSpent: false })
  expect(parseState(Buffer.alloc(0)).of({ slot: 2, born: 3 })).toEqual({ hits: 0, isSpent: false })
  state.writeBigInt64LE(1_250n, 16 + 32 * 48)
  state.writeBigInt64LE(-3_600_000n, 16 + 32 * 48 + 8 + 2 * 8)
  expect(parseState(state).clockOf({ slot: 2, born: 3 })).toEqual({ offsetMs: -3_600_000, sinceMs: 250 })
  expect(parseState(state).clockOf({ slot: 2, born: 4 })).toBeUndefined()
})

test('a packet filter leaves alone what a node says to itself', () => {
  expect(rulesOf({ direction: 'both' })).toEqual([
    ['INPUT', '! -i lo'],
    ['OUTPUT', '! -o lo'],
  ])
  expect(rulesOf({ direction: 'in', port: 9092 })).toEqual([['INPUT', '! -i lo -p tcp --sport 9092']])
  expect(rulesOf({ direction: 'out', port: 9092 })).toEqual([['OUTPUT', '! -o lo -p tcp --dport 9092']])
})
