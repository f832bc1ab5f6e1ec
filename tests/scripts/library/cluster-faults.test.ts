/** A fault as a test holds it, whose healing does not work out the first time. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Cluster, NodeState } from '#scripts/cluster/cluster.ts'
import { clusterSpec } from '#scripts/cluster/spec.ts'
import { addFault } from '#scripts/library/cluster-faults.ts'

const home = mkdtempSync(path.join(tmpdir(), 'faultline-held-'))
beforeAll(() => {
  process.env['FAULTLINE_HOME'] = home
})
afterAll(() => {
  delete process.env['FAULTLINE_HOME']
  rmSync(home, { recursive: true, force: true })
})

test('healing that failed is tried again, by heal() and at the end of await using', async () => {
  let state: NodeState['state'] = 'running'
  let refusals = 2
  let resumes = 0
  const made: Partial<Cluster> = {
    spec: clusterSpec({ runtime: 'process', name: 'held' }),
    capabilities: new Set(['pause'] as const),
    nodes: () =>
      Promise.resolve([{ id: 1, roles: ['broker'], host: '127.0.0.1', port: 1, state, dataDir: '', log: '' }]),
    pause: () => {
      state = 'paused'
      return Promise.resolve()
    },
    resume: () => {
      resumes++
      if (refusals-- > 0) return Promise.reject(new Error('the engine is busy'))
      state = 'running'
      return Promise.resolve()
    },
    waitReady: () => Promise.resolve(),
  }
  const guarded = <T>(work: (cluster: Cluster) => Promise<T>) => work(made as Cluster)
  {
    await using fault = await addFault(guarded, 'pause', { nodes: 1, proof: false })
    expect(state).toBe('paused')
    await expect(fault.heal()).rejects.toThrow('the engine is busy')
    const both = await Promise.allSettled([fault.heal(), fault.heal()])
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    // The two at once were one.
    expect(resumes).toBe(2)
  }
  expect(state).toBe('running')
  expect(resumes).toBe(3)
})
