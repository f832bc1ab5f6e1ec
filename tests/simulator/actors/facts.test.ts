import { describe, expect, test } from 'vitest'
import { errorCode } from '#broker/protocol/errors.ts'
import { Facts, outcomeOf } from '#simulator/actors/facts.ts'

const seen = (entries: Record<string, string>): ReadonlyMap<string, string> => new Map(Object.entries(entries))

describe('what a client knows of things it changes', () => {
  test('an acknowledged value must be seen, and nothing that nobody made', () => {
    const facts = new Facts()
    facts.changed('a', '1', 'done')
    expect(facts.contradiction(seen({ a: '1' }))).toBeUndefined()
    expect(facts.contradiction(seen({}))).toBe('a is not there, expected 1')
    expect(facts.contradiction(seen({ a: '2' }))).toBe('a is 2, expected 1')
    expect(facts.contradiction(seen({ a: '1', b: '1' }))).toBe('b is 1, and nobody made it so')
  })

  test('a refused change must not be seen', () => {
    const facts = new Facts()
    facts.changed('a', '1', 'done')
    facts.changed('a', '2', 'refused')
    facts.changed('b', '1', 'refused')
    expect(facts.contradiction(seen({ a: '1' }))).toBeUndefined()
    expect(facts.contradiction(seen({ a: '2' }))).toBe('a is 2, expected 1')
  })

  test('without an answer both values are right, and the thing is left alone', () => {
    const facts = new Facts()
    facts.changed('a', '1', 'done')
    expect(facts.open()).toEqual([['a', '1']])
    facts.changed('a', undefined, 'unknown')
    expect(facts.open()).toEqual([])
    expect(facts.contradiction(seen({ a: '1' }))).toBeUndefined()
    expect(facts.contradiction(seen({}))).toBeUndefined()
    expect(facts.contradiction(seen({ a: '2' }))).toBe('a is 2, expected 1 or nothing')
  })

  test('what was removed never comes back', () => {
    const facts = new Facts()
    facts.changed('a', '1', 'done')
    facts.changed('a', undefined, 'done')
    expect(facts.open()).toEqual([])
    expect(facts.contradiction(seen({ a: '1' }))).toBe('a is 1, expected nothing')
  })

  test('an error says whether the change may have been made', async () => {
    const closed = async (): Promise<number> => {
      throw new Error('connection closed')
    }
    const answered = (error: Parameters<typeof errorCode>[0]) => outcomeOf(async () => errorCode(error))
    expect(await answered('NONE')).toBe('done')
    expect(await answered('INVALID_REQUEST')).toBe('refused')
    // It may be gone by this very request, made once before.
    expect(await answered('RESOURCE_NOT_FOUND')).toBe('unknown')
    expect(await answered('REQUEST_TIMED_OUT')).toBe('unknown')
    expect(await outcomeOf(closed)).toBe('unknown')
  })
})
