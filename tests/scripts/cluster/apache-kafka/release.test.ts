import { expect, test } from 'vitest'
import { kafkaVersion, newerRelease } from '#scripts/cluster/apache-kafka/release.ts'

test.each(['3.9.1', '3.10.0', '4.0.0', '4.2.9'])('a cluster of release %s can be upgraded', engineVersion => {
  expect(newerRelease({ engine: 'apache-kafka', engineVersion })).toBe(kafkaVersion)
})

test.each([
  { engine: 'apache-kafka', engineVersion: kafkaVersion },
  { engine: 'apache-kafka', engineVersion: '99.0.0' },
  { engine: 'apache-kafka' },
  { engine: 'faultline' },
] as const)('there is nothing newer for $engine $engineVersion', choice => {
  expect(newerRelease(choice)).toBeUndefined()
})
