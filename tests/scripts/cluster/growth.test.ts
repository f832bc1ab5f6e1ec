import { createServer, type Server } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { planGrowth } from '#scripts/cluster/growth.ts'
import { claimBasePort, releasePorts } from '#scripts/cluster/ports.ts'
import { clusterSpec, type SpecRequest } from '#scripts/cluster/spec.ts'
import type { ClusterRecord } from '#scripts/cluster/state.ts'

async function recordOf(request: Partial<SpecRequest>, phase: ClusterRecord['phase'] = 'up') {
  const spec = clusterSpec({ name: 'more', runtime: 'compose', ...request })
  const port = await claimBasePort(spec)
  claimed.push(port)
  return { spec: { ...spec, port }, phase }
}

const claimed: number[] = []
const listening: Server[] = []
afterEach(async () => {
  claimed.splice(0).forEach(releasePorts)
  for (const server of listening.splice(0)) await new Promise(resolve => server.close(resolve))
})

async function listenOn(port: number): Promise<void> {
  const server = createServer()
  listening.push(server)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: '127.0.0.1', port }, resolve)
  })
}

describe('more brokers for a cluster that runs', () => {
  test('have the ids that follow, also after those that came before', async () => {
    const record = await recordOf({ controllers: 3 })
    const first = await planGrowth(record, 2)
    expect(first).toEqual({ spec: { ...record.spec, added: 2 }, fresh: [4, 5] })
    const second = await planGrowth({ ...record, spec: first.spec }, 1)
    expect(second).toEqual({ spec: { ...record.spec, added: 3 }, fresh: [6] })
  })

  test.each([
    ['compose', 0, 4, 'clients of broker 5'],
    ['compose', 3, 207, 'the inspector of node 5'],
    ['process', 0, 3, 'clients of broker 4'],
    ['process, proxied', 3, 306, 'clients of broker 4, by the proxy'],
    // The first of the ports of connections of node 4, which has the seventh of nine places, to node 1.
    ['process, proxied', 3, 300 + 9 + 2 * 6 * 9, 'connections of node 4 to the broker listener of node 1'],
  ])('are refused on %s with %i controllers when port base + %i is taken', async (where, controllers, step, use) => {
    const [runtime = '', proxied] = where.split(', ')
    const record = await recordOf({ runtime, controllers, proxy: proxied !== undefined })
    const port = record.spec.port + step
    await listenOn(port)
    const refusal = `Port taken on 127.0.0.1: ${port} (${use}).`
    await expect(planGrowth(record, 2)).rejects.toThrow(refusal)
  })

  test('take no ports of those that are there, whoever listens on them', async () => {
    const record = await recordOf({})
    await listenOn(record.spec.port)
    await listenOn(record.spec.port + 200)
    expect((await planGrowth(record, 1)).fresh).toEqual([4])
  })

  test.each<[string, Partial<SpecRequest>, number, string]>([
    [
      'that is full behind a fault proxy',
      { proxy: true, brokers: 6, controllers: 3 },
      1,
      'has 9 nodes behind its fault',
    ],
    [
      'behind a fault proxy by too many',
      { proxy: true },
      7,
      '--by 7: expected a number from 1 to 6, as there can be 9 nodes behind its fault proxy in all.',
    ],
    ['of Redpanda', { engine: 'redpanda' }, 1, 'is of Redpanda, and cannot grow here'],
    ['that is full', { brokers: 99 }, 1, 'has 99 brokers, which is the most there can be'],
    ['by none', {}, 0, '--by 0: expected a number from 1 to 96'],
    ['by too many', {}, 97, '--by 97: expected a number from 1 to 96, as there can be 99 brokers in all.'],
  ])('are refused to a cluster %s', async (_, request, by, why) => {
    const spec = clusterSpec({ name: 'more', runtime: 'compose', ...request })
    await expect(planGrowth({ spec, phase: 'up' }, by)).rejects.toThrow(why)
  })

  test.each(['down', 'starting'] as const)('are refused to a cluster that is %s', async phase => {
    await expect(planGrowth(await recordOf({}, phase), 1)).rejects.toThrow('The cluster more is not up.')
  })
})
