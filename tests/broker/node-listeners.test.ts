/** The listeners of a node as its settings are altered: what is bound in the end, and how a mistake is corrected. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { BrokerConfig } from '#broker/config/broker-config.ts'
import { withOverrides } from '#broker/config/dynamic.ts'
import { parseBrokerConfig } from '#broker/config/parse.ts'
import { NetworkError, type Environment } from '#broker/environment/environment.ts'
import type { Server } from '#broker/net/listener.ts'
import { NodeListeners } from '#broker/node-listeners.ts'
import type { NodeSecurity } from '#broker/node-security.ts'

const given = {
  'process.roles': 'broker',
  'node.id': '1',
  'controller.quorum.voters': '100@localhost:9093',
  'controller.listener.names': 'CONTROLLER',
  'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,EXTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT',
  listeners: 'PLAINTEXT://localhost:9092',
  'advertised.listeners': 'PLAINTEXT://localhost:9092',
}
const { config } = parseBrokerConfig(new Map(Object.entries(given)))

const withListeners = (external: string, more: Readonly<Record<string, string>> = {}): BrokerConfig => {
  const changes = { listeners: `PLAINTEXT://localhost:9092${external}`, ...more }
  return withOverrides(config, [new Map(Object.entries(changes))], error => {
    throw error
  })
}

/** Addresses by listener, and those that are taken by somebody else. */
let bound: Map<string, string>
let taken: Set<string>
let errors: string[]
let listeners: NodeListeners

beforeEach(() => {
  bound = new Map([['PLAINTEXT', 'localhost:9092']])
  taken = new Set(['10.9.9.9:9094'])
  errors = []
  const server = {
    listen: async ({ name, host, port }: { name: string; host: string; port: number }) => {
      const address = `${host}:${port}`
      await Promise.resolve()
      if (taken.has(address)) throw new NetworkError('EADDRNOTAVAIL', address)
      if (bound.has(name)) throw new Error(`${name} is bound`)
      bound.set(name, address)
      return port
    },
    closeListener: async (name: string) => {
      await Promise.resolve()
      bound.delete(name)
    },
  } as unknown as Server
  const log = { info: () => undefined, error: (message: string) => errors.push(message) }
  const security = { add: () => undefined, remove: () => undefined } as unknown as NodeSecurity
  listeners = new NodeListeners({ environment: { log } as unknown as Environment, config, security, server })
})

const settled = async (): Promise<Record<string, string>> => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve()
  return Object.fromEntries(bound)
}

const own = { PLAINTEXT: 'localhost:9092' }

describe('listeners that are altered', () => {
  test('come and go, and keep their address while they keep their name', async () => {
    listeners.bound()
    listeners.follow(withListeners(',EXTERNAL://localhost:9094'))
    expect(await settled()).toEqual({ ...own, EXTERNAL: 'localhost:9094' })
    listeners.follow(withListeners(',EXTERNAL://localhost:9095'))
    expect(await settled()).toEqual({ ...own, EXTERNAL: 'localhost:9094' })
    listeners.follow(withListeners(''))
    expect(await settled()).toEqual(own)
  })

  test('that could not be bound are corrected under their name', async () => {
    listeners.bound()
    listeners.follow(withListeners(',EXTERNAL://10.9.9.9:9094'))
    expect(await settled()).toEqual(own)
    expect(errors).toEqual(['a listener could not be added; correct the setting listeners'])
    const corrected = withListeners(',EXTERNAL://localhost:9094', {
      'listener.name.external.connections.max.reauth.ms': '17',
    })
    expect(listeners.refusalOf(corrected)).toBeUndefined()
    listeners.follow(corrected)
    expect(await settled()).toEqual({ ...own, EXTERNAL: 'localhost:9094' })
    expect(errors).toHaveLength(1)
  })

  test('that could not be bound are bound by the next change when their address is free, and forgotten when they go', async () => {
    listeners.bound()
    listeners.follow(withListeners(',EXTERNAL://10.9.9.9:9094'))
    await settled()
    taken.clear()
    listeners.follow(withListeners(',EXTERNAL://10.9.9.9:9094', { 'num.io.threads': '9' }))
    expect(await settled()).toEqual({ ...own, EXTERNAL: '10.9.9.9:9094' })
    taken.add('10.9.9.9:9094')
    listeners.follow(withListeners(''))
    listeners.follow(withListeners(',EXTERNAL://10.9.9.9:9094'))
    listeners.follow(withListeners(''))
    expect(await settled()).toEqual(own)
  })

  test('before those of the start are bound, wait for them', async () => {
    listeners.follow(withListeners(',EXTERNAL://localhost:9094'))
    expect(await settled()).toEqual(own)
    listeners.bound()
    expect(await settled()).toEqual({ ...own, EXTERNAL: 'localhost:9094' })
  })
})
