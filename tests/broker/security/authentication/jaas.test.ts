/** Login modules as sasl.jaas.config writes them. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { JaasError, parseJaas } from '#broker/security/authentication/jaas.ts'

describe('a login module', () => {
  it('has a class and options, quoted either way or not at all', () => {
    const { className, options } = parseJaas(` a.B Required\n user="x y" other='it''s' plain=1 ;`.replace("''", "\\'"))
    expect(className).toBe('a.B')
    expect([...options]).toEqual([
      ['user', 'x y'],
      ['other', "it's"],
      ['plain', '1'],
    ])
  })

  it('may have no options', () => {
    expect(parseJaas('a.B optional;').options.size).toBe(0)
  })

  it('gives back every value that was quoted and escaped', () => {
    const quote = (text: string) => `"${text.replaceAll(/["\\]/g, found => `\\${found}`)}"`
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (first, second) => {
        const { options } = parseJaas(`a.B required password=${quote(first)} user_x=${quote(second)};`)
        expect([...options.values()]).toEqual([first, second])
      }),
    )
  })

  it.each([
    ['', 'expected a login module'],
    [';', 'expected a login module'],
    ['a.B', 'expected required'],
    ['a.B perhaps;', 'expected required'],
    ['a.B required user="x"', 'expected a semicolon'],
    ['a.B required user="x;', 'cannot be read from character'],
    ['a.B required; c.D required;', 'expected one login module'],
    ['a.B required user;', 'expected name="value" in place of user'],
    ['a.B required user=;', 'expected name="value" in place of user'],
    ['a.B required user "=" x;', 'expected name="value" in place of user'],
  ])('%j is refused', (text, message) => {
    expect(() => parseJaas(text)).toThrow(message)
    expect(() => parseJaas(text)).toThrow(JaasError)
  })

  it('that is refused does not show its secrets', () => {
    for (const text of [
      'a.B required password="hush"',
      'a.B required password="hush" x;',
      'a.B required password="hush',
    ])
      expect(() => parseJaas(text)).toThrow(expect.objectContaining({ message: expect.not.stringContaining('hush') }))
  })
})
