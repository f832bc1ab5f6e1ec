/** Principals: their text, and their form inside an Envelope. */
import { describe, expect, it } from 'vitest'
import { anonymous, deserializePrincipal, Principal, serializePrincipal } from '#broker/net/principal.ts'

describe('a principal', () => {
  it('is written type:name, and a name may hold colons', () => {
    expect(String(anonymous)).toBe('User:ANONYMOUS')
    const parsed = Principal.parse('User:CN=a:b')
    expect(parsed).toEqual(new Principal('User', 'CN=a:b'))
    expect(Principal.parse('alice')).toBeUndefined()
    expect(Principal.parse(':alice')).toBeUndefined()
  })

  it('is the same however its name was proven', () => {
    expect(new Principal('User', 'alice', true).equals(new Principal('User', 'alice'))).toBe(true)
    expect(new Principal('Group', 'alice').equals(new Principal('User', 'alice'))).toBe(false)
  })

  it('travels in an Envelope as DefaultPrincipalData v0 behind its version', () => {
    const bytes = serializePrincipal(new Principal('User', 'al', true))
    expect(bytes).toEqual(Buffer.from([0, 0, 5, ...Buffer.from('User'), 3, ...Buffer.from('al'), 1, 0]))
    expect(deserializePrincipal(bytes)).toEqual(new Principal('User', 'al', true))
  })

  it('that cannot be read is none', () => {
    expect(deserializePrincipal(Buffer.alloc(0))).toBeUndefined()
    expect(deserializePrincipal(Buffer.from([0, 1, 1, 1, 0, 0]))).toBeUndefined()
    expect(deserializePrincipal(Buffer.from([0, 0, 9, 65]))).toBeUndefined()
  })
})
