/** Log directories that get no new replicas. Source: KIP-1066; messages as Apache Kafka 4.3.1 gives them. */
import { describe, expect, it } from 'vitest'
import { incrementalAlterConfigs } from '#broker/controller/alter-configs.ts'
import { createTopics } from '#broker/controller/create-topics.ts'
import { directoryUnassigned } from '#broker/controller/metadata-record.ts'
import { Harness, uuidOf } from './harness.ts'

const [a, b] = [uuidOf('a'), uuidOf('b')]

/** One broker with two log directories. */
function started(): Harness {
  const harness = new Harness()
  harness.register(1, { directories: ['a', 'b'] })
  harness.heartbeat(1)
  return harness
}

function create(harness: Harness, name: string, assignments: { partitionIndex: number; brokerIds: number[] }[] = []) {
  const shape = assignments.length > 0 ? -1 : 1
  const topic = { name, numPartitions: shape, replicationFactor: shape, assignments, configs: [] }
  return harness.submit(createTopics, { topics: [topic], validateOnly: false }).topics[0]!
}

describe('a heartbeat', () => {
  it('tells the cordoned directories, which outlive the broker, and are written down only when they change', () => {
    const harness = started()
    harness.heartbeat(1, { cordoned: [b] })
    expect(harness.image.brokers.get(1)?.cordonedDirectories).toEqual([b])
    const length = harness.log.length
    harness.heartbeat(1, { cordoned: [b] })
    harness.heartbeat(1, { cordoned: null })
    harness.heartbeat(1)
    expect(harness.log.length).toBe(length)
    harness.pass(9_002)
    harness.register(1, { incarnation: 'second', directories: ['b', 'c'] })
    expect(harness.image.brokers.get(1)?.cordonedDirectories).toEqual([b])
    harness.heartbeat(1, { cordoned: [] })
    expect(harness.image.brokers.get(1)?.cordonedDirectories).toEqual([])
  })
})

describe('placement', () => {
  it('names the directory when only one is open, and leaves the choice to the broker when several are', () => {
    const harness = started()
    create(harness, 'free')
    expect(harness.partition('free').directories).toEqual([directoryUnassigned])
    harness.heartbeat(1, { cordoned: [b] })
    create(harness, 'placed')
    expect(harness.partition('placed').directories).toEqual([a])
  })

  it('passes over brokers whose directories are all cordoned, unless they are given by hand', () => {
    const harness = started()
    harness.heartbeat(1, { cordoned: [a, b] })
    expect(create(harness, 'refused')).toMatchObject({
      errorCode: 38,
      errorMessage:
        'Unable to replicate the partition 1 time(s): All brokers are currently fenced, or have all their log directories cordoned.',
    })
    expect(create(harness, 'by-hand', [{ partitionIndex: 0, brokerIds: [1] }])).toMatchObject({ errorCode: 0 })
    harness.start(2)
    expect(create(harness, 'elsewhere')).toMatchObject({ errorCode: 0 })
    expect(harness.partition('elsewhere').replicas).toEqual([2])
  })
})

describe('cordoned.log.dirs', () => {
  const alter = (harness: Harness, value: string | null, isForwarded?: true) =>
    harness.submit(incrementalAlterConfigs, {
      resources: [
        {
          resourceType: 4,
          resourceName: '1',
          configs: [{ name: 'cordoned.log.dirs', configOperation: value === null ? 1 : 0, value }],
        },
      ],
      validateOnly: false,
      isForwarded,
    }).responses[0]!

  it('is taken from brokers, which know their directories; from others only less than there is', () => {
    const harness = started()
    const message =
      'When updating cordoned.log.dirs via controllers,  the new value must be a subset of the current configuration value.'
    expect(alter(harness, '/a')).toMatchObject({ errorCode: 40, errorMessage: message })
    expect(alter(harness, '/a,/b', true).errorCode).toBe(0)
    expect(alter(harness, '/a,/c')).toMatchObject({ errorCode: 40, errorMessage: message })
    expect(alter(harness, '/b').errorCode).toBe(0)
    expect(alter(harness, null).errorCode).toBe(0)
    expect(harness.image.config('broker', '1').has('cordoned.log.dirs')).toBe(false)
  })
})
