import { describe, expect, test } from 'vitest'
import type { Cluster } from '#scripts/cluster/cluster.ts'
import { interruptible } from '#scripts/labs/interruptible.ts'

/** A cluster that writes down what was done to its nodes; a start lasts until the test ends it. */
function recording() {
  const acts: string[] = []
  let endStart = () => {}
  const start = new Promise<void>(resolve => (endStart = resolve))
  const never = new Promise<void>(() => {})
  const cluster = {
    clock: { nowMs: () => 0, sleep: async () => await never },
    kill: async (id: number) => void acts.push(`kill ${id}`),
    stop: async (id: number) => {
      acts.push(`stop ${id}`)
      await never
    },
    start: async (id: number) => {
      acts.push(`start ${id}`)
      await start
    },
    waitReady: async () => await never,
  } as unknown as Cluster
  return { cluster, acts, endStart: () => endStart() }
}

describe('a cluster that can be interrupted', () => {
  test('wakes who sleeps and who waits for readiness, with the reason', async () => {
    const abort = new AbortController()
    const { cluster } = interruptible(recording().cluster, abort.signal)
    const waits = [cluster.clock.sleep(1e6), cluster.waitReady()]
    abort.abort(new Error('enough'))
    for (const wait of waits) await expect(wait).rejects.toThrow('enough')
  })

  test('does nothing to a node any more, also not the second half of a restart', async () => {
    const abort = new AbortController()
    const { cluster: under, acts } = recording()
    const { cluster } = interruptible(under, abort.signal)
    const restart = cluster.restart(1)
    abort.abort(new Error('enough'))
    await expect(restart).rejects.toThrow('enough')
    await expect(cluster.kill(2)).rejects.toThrow('enough')
    expect(acts).toEqual(['stop 1'])
  })

  test('is settled only when a start that was under way is over', async () => {
    const abort = new AbortController()
    const { cluster: under, endStart } = recording()
    const { cluster, settled } = interruptible(under, abort.signal)
    const started = cluster.start(3)
    abort.abort(new Error('enough'))
    await expect(started).rejects.toThrow('enough')
    let over = false
    const waiting = settled().then(() => (over = true))
    await Promise.resolve()
    expect(over).toBe(false)
    endStart()
    await waiting
    expect(over).toBe(true)
  })

  test('is settled only when brokers that were joining are there, and shows a cluster that has grown as it is now', async () => {
    const abort = new AbortController()
    let [joined, brokers] = [() => {}, ['a:1']]
    const join = new Promise<void>(resolve => (joined = resolve))
    const under = {
      ...recording().cluster,
      get bootstrap() {
        return brokers
      },
      grow: async () => {
        await join
        brokers = ['a:1', 'b:2']
        return [2]
      },
    } as unknown as Cluster
    const { cluster, settled } = interruptible(under, abort.signal)
    const grown = cluster.grow?.(1)
    abort.abort(new Error('enough'))
    await expect(grown).rejects.toThrow('enough')
    const waiting = settled()
    joined()
    await waiting
    expect(cluster.bootstrap).toEqual(['a:1', 'b:2'])
  })
})
