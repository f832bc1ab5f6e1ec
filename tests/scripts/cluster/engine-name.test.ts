import { describe, expect, test } from 'vitest'
import { engineText, parseEngine } from '#scripts/cluster/engine-name.ts'

describe('an engine', () => {
  test.each([
    ['faultline', { engine: 'faultline' }],
    ['apache-kafka', { engine: 'apache-kafka' }],
    ['redpanda', { engine: 'redpanda' }],
    ['redpanda:26.1.9', { engine: 'redpanda', engineVersion: '26.1.9' }],
    ['apache-kafka:3.9.1', { engine: 'apache-kafka', engineVersion: '3.9.1' }],
  ])('is named %s, and again when it is told', (text, choice) => {
    expect(parseEngine('--engine', text)).toEqual(choice)
    expect(engineText(parseEngine('--engine', text))).toBe(text)
  })

  test.each([
    ['kafka', '--engine must be one of faultline, apache-kafka, redpanda, got "kafka"'],
    ['redpanda:v26', 'expected a release with three numbers'],
    ['faultline:4.3.1', 'the engine faultline is the one of this toolkit and has no versions to choose'],
    ['apache-kafka:', 'expected a release with three numbers'],
    ['apache-kafka:4.1', 'expected a release with three numbers'],
    ['apache-kafka:3.6.2', 'expected a release from 3.7.0 on and before 5.0.0'],
    ['apache-kafka:5.0.0', 'expected a release from 3.7.0 on and before 5.0.0'],
    ['apache-kafka:4.0.0:x', '--engine must be one of'],
  ])('is not %s', (text, message) => {
    expect(() => parseEngine('--engine', text)).toThrow(message)
  })
})
