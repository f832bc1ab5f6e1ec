import { describe, expect, test } from 'vitest'
import { ConsumerGroup } from '#broker/coordinator/groups/modern/consumer-group.ts'

describe('group.consumer.assignment.interval.ms', () => {
  const group = new ConsumerGroup('g')
  group.replayTargetMetadata(2, 50_000)

  test('holds the next assignment back until the last one is so old', () => {
    expect(group.mustAwaitAssignment(1000, 50_000)).toBe(true)
    expect(group.mustAwaitAssignment(1000, 50_999)).toBe(true)
    expect(group.mustAwaitAssignment(1000, 51_000)).toBe(false)
    expect(group.mustAwaitAssignment(0, 50_000)).toBe(false)
  })

  test('holds nothing back for an assignment from the future, when a clock was set back', () => {
    expect(group.mustAwaitAssignment(1000, 49_999)).toBe(false)
    expect(group.mustAwaitAssignment(1000, 1)).toBe(false)
  })
})
