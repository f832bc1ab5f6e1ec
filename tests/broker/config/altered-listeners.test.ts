import { describe, expect, test } from 'vitest'
import { alteredListenersRefusal } from '#broker/config/altered-listeners.ts'
import { withOverrides } from '#broker/config/dynamic.ts'
import { parseBrokerConfig } from '#broker/config/parse.ts'
import { ConfigError } from '#broker/config/table.ts'

const protocols = 'PLAINTEXT:PLAINTEXT,EXTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT,KEYS:SSL'

function node(settings: Readonly<Record<string, string>> = {}) {
  const given = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': '1@localhost:9093',
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': protocols,
    listeners: 'PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093',
    'log.dirs': '/data',
    ...settings,
  }
  return parseBrokerConfig(new Map(Object.entries(given))).config
}

const altered = (config: ReturnType<typeof node>, changes: Readonly<Record<string, string>>) =>
  withOverrides(config, [new Map(Object.entries(changes))], error => {
    throw error
  })

const withExternal = 'PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093,EXTERNAL://localhost:9094'

describe('listeners that are altered while a broker runs', () => {
  test('come and go by their names', () => {
    const before = node({ 'advertised.listeners': 'PLAINTEXT://localhost:9092' })
    const after = altered(before, { listeners: withExternal })
    expect(alteredListenersRefusal(before, after)).toBeUndefined()
    expect(alteredListenersRefusal(after, before)).toBeUndefined()
  })

  test('keep their address while they keep their name', () => {
    const before = node()
    const after = altered(before, { listeners: 'PLAINTEXT://localhost:9999,CONTROLLER://localhost:9093' })
    expect(alteredListenersRefusal(before, after)).toBeUndefined()
  })

  test.each([
    ['one that is advertised', { listeners: 'CONTROLLER://localhost:9093,EXTERNAL://localhost:9094' }],
    ['the one of the quorum', { listeners: 'PLAINTEXT://localhost:9092' }],
    ['a name without a protocol', { listeners: 'PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093,X://:1' }],
    ['two on one port', { listeners: 'PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093,EXTERNAL://:9092' }],
  ])('could not be started with: %s', (_, changes) => {
    const before = node()
    expect(() => alteredListenersRefusal(before, altered(before, changes))).toThrow(ConfigError)
  })

  test('stay when they are advertised, be it for want of advertised.listeners', () => {
    const before = altered(node(), { listeners: withExternal })
    expect(alteredListenersRefusal(before, node())).toBe(
      "Advertised listeners 'Set(PLAINTEXT, EXTERNAL)' must be a subset of listeners 'Set(PLAINTEXT, CONTROLLER)'",
    )
  })

  test('keep their protocol', () => {
    const before = node()
    const map = protocols.replace('PLAINTEXT:PLAINTEXT', 'PLAINTEXT:SSL')
    expect(alteredListenersRefusal(before, altered(before, { 'listener.security.protocol.map': map }))).toBe(
      'Security protocol cannot be updated for existing listener PLAINTEXT',
    )
    const more = `${protocols},MORE:SASL_SSL`
    expect(alteredListenersRefusal(before, altered(before, { 'listener.security.protocol.map': more }))).toBeUndefined()
  })

  test('may be corrected in everything when they could not be bound', () => {
    const before = altered(node({ 'advertised.listeners': 'PLAINTEXT://localhost:9092' }), { listeners: withExternal })
    const after = altered(before, {
      'listener.security.protocol.map': protocols.replace('EXTERNAL:PLAINTEXT', 'EXTERNAL:SASL_PLAINTEXT'),
      'listener.name.external.connections.max.reauth.ms': '17',
    })
    expect(alteredListenersRefusal(before, after)).toMatch('existing listener EXTERNAL')
    expect(alteredListenersRefusal(before, after, new Set(['EXTERNAL']))).toBeUndefined()
  })

  test('keep their own settings, but for keys and limits; a new one brings what it likes', () => {
    const before = node()
    const own = (name: string) => altered(before, { listeners: withExternal, [name]: '17' })
    for (const name of ['listener.name.plaintext.max.connections', 'listener.name.external.connections.max.reauth.ms'])
      expect(alteredListenersRefusal(before, own(name))).toBeUndefined()
    expect(alteredListenersRefusal(before, own('listener.name.plaintext.connections.max.reauth.ms'))).toMatch(
      'Configs cannot be updated dynamically for existing listener PLAINTEXT, restart broker or create a new listener',
    )
  })
})
