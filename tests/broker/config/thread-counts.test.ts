/** How far numbers of threads may be altered in one step. Source: Kafka 4.3.1, whose messages these are. */
import { describe, expect, test } from 'vitest'
import type { BrokerConfig } from '#broker/config/broker-config.ts'
import { withOverrides } from '#broker/config/dynamic.ts'
import { parseBrokerConfig } from '#broker/config/parse.ts'
import { threadCountsRefusal } from '#broker/config/thread-counts.ts'

function node(given: Readonly<Record<string, string>> = {}): BrokerConfig {
  const all = {
    'process.roles': 'broker',
    'node.id': '1',
    'controller.quorum.voters': '100@localhost:9093',
    'controller.listener.names': 'CONTROLLER',
    listeners: 'PLAINTEXT://:9092,INSIDE://:9094',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT',
    ...given,
  }
  return parseBrokerConfig(new Map(Object.entries(all))).config
}

const altered = (config: BrokerConfig, name: string, value: number): BrokerConfig =>
  withOverrides(config, [new Map([[name, String(value)]])], error => {
    throw error
  })

function refusal(name: string, before: number, after: number): string | undefined {
  const current = node({ [name]: String(before) })
  return threadCountsRefusal(current, altered(current, name, after))
}

describe('a number of threads', () => {
  test.each([
    'background.threads',
    'num.io.threads',
    'num.network.threads',
    'num.recovery.threads.per.data.dir',
    'num.replica.fetchers',
    'remote.log.manager.copier.thread.pool.size',
    'remote.log.manager.expiration.thread.pool.size',
    'remote.log.manager.follower.thread.pool.size',
    'remote.log.reader.threads',
  ])('of %s is halved or doubled at most', name => {
    expect([4, 8, 9, 16, 18].map(after => refusal(name, 9, after))).toEqual(Array(5).fill(undefined))
    const failed = (value: number) => `Dynamic thread count update validation failed for ${name}=${value}`
    expect(refusal(name, 9, 3)).toBe(`${failed(3)}, value should be at least half the current value 9`)
    expect(refusal(name, 9, 19)).toBe(`${failed(19)}, value should not be greater than double the current value 9`)
  })

  test('of log.cleaner.threads is halved or doubled at most, and never 0', () => {
    const name = 'log.cleaner.threads'
    expect([2, 4, 5, 10].map(after => refusal(name, 5, after))).toEqual(Array(4).fill(undefined))
    expect(refusal(name, 5, 1)).toBe('Log cleaner threads cannot be reduced to less than half the current value 5')
    expect(refusal(name, 5, 11)).toBe('Log cleaner threads cannot be increased to more than double the current value 5')
    expect(refusal(name, 1, 0)).toBe('Log cleaner threads should be at least 1')
    const without = node({ 'log.cleaner.enable': 'false' })
    expect(threadCountsRefusal(without, altered(without, name, 50))).toBeUndefined()
  })

  test('of one listener is told from those of the others', () => {
    const current = node({ 'listener.name.inside.num.network.threads': '10' })
    expect(threadCountsRefusal(current, altered(current, 'num.network.threads', 6))).toBeUndefined()
    expect(threadCountsRefusal(current, altered(current, 'num.network.threads', 7))).toContain(
      'double the current value 3',
    )
    const own = 'listener.name.inside.num.network.threads'
    expect(threadCountsRefusal(current, altered(current, own, 20))).toBeUndefined()
    expect(threadCountsRefusal(current, altered(current, own, 4))).toContain('half the current value 10')
  })
})
