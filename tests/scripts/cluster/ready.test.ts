/** What is said of a cluster that does not come to serve in time. */
import { expect, test } from 'vitest'
import type { NodeState } from '#scripts/cluster/cluster.ts'
import { realClock } from '#scripts/cluster/clock.ts'
import { HOST } from '#scripts/cluster/ports.ts'
import { waitUntilReady } from '#scripts/cluster/ready.ts'
import { clusterSpec } from '#scripts/cluster/spec.ts'
import type { ToolkitError } from '#scripts/errors.ts'

/** Nobody listens on the first port of all. */
const node: NodeState = { id: 1, roles: ['broker'], host: HOST, port: 1, state: 'running', dataDir: '', log: '' }

async function tooLate(faults: () => Promise<readonly { readonly id: string }[]>): Promise<ToolkitError> {
  const waiting = waitUntilReady({
    spec: clusterSpec({ runtime: 'process', name: 'late', brokers: 1 }),
    clock: realClock,
    nodes: () => Promise.resolve([node]),
    logs: () => Promise.resolve(''),
    links: { faults: faults as () => Promise<never[]> },
    probeName: 'probe',
    timeoutMs: 1,
    client: {},
  })
  return await waiting.then(
    () => expect.fail('it is ready'),
    (error: unknown) => error as ToolkitError,
  )
}

test('broken links are named, and how they are healed', async () => {
  const { message, remedy } = await tooLate(() => Promise.resolve([{ id: 'partition-1' }, { id: 'latency-2' }]))
  expect(message).toMatch(
    /^The cluster was not ready after 0.001 s: broker 1 does not answer: .*\. Its links are broken: partition-1, latency-2\.$/,
  )
  expect(remedy).toContain('./faultline fault heal --all --name late')
})

test('where no link is broken, the logs are pointed at', async () => {
  const { message, remedy } = await tooLate(() => Promise.resolve([]))
  expect(message).toMatch(/^The cluster was not ready after 0.001 s: broker 1 does not answer/)
  expect(message).not.toContain('links')
  expect(remedy).toContain('./faultline logs --name late')
})

test('where nobody can tell what is broken, what keeps them from it is said: it may be all that is wrong', async () => {
  const { message, remedy } = await tooLate(() => Promise.reject(new Error('The fault proxy of late does not run.')))
  expect(message).toMatch(
    /^The cluster was not ready after 0.001 s: broker 1 does not answer: .*\. Nor can it be told whether its links are broken: The fault proxy of late does not run\.$/,
  )
  expect(remedy).toContain('./faultline logs --name late')
})
