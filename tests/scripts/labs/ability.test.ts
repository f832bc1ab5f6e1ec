import { expect, test } from 'vitest'
import { processRuntimeCapabilities } from '#scripts/cluster/process/process-cluster.ts'
import type { Runtime } from '#scripts/cluster/cluster.ts'
import { abilityFor } from '#scripts/labs/ability.ts'

const runtime = { name: 'process', capabilities: processRuntimeCapabilities } as unknown as Runtime
const lackHere = { capabilities: ['node-faults'], missing: 'no compiler', remedy: 'Get one.' } as const

test('a cluster can do what its runtime can, but for what this machine lacks something for, and says what', () => {
  const whole = abilityFor({ runtime, engine: 'apache-kafka' })
  expect(whole.lackOf(['kill', 'node-faults', 'power-failure'])).toBeUndefined()
  const lame = abilityFor({ runtime, engine: 'apache-kafka', lackHere })
  expect(lame.lackOf(['kill', 'power-failure'])).toBeUndefined()
  expect(lame.lackOf(['kill', 'node-faults', 'virtual-time'])).toBe(
    'cannot do: node-faults (no compiler), virtual-time',
  )
  expect(lame.able.has('node-faults')).toBe(false)
})
