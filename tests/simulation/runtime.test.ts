import { describe, expect, test } from 'vitest'
import { simulatedRuntime } from '#scripts/cluster/simulated/runtime.ts'
import { clusterSpec } from '#scripts/cluster/spec.ts'
import { HistoryRecorder } from '#scripts/history/recorder.ts'
import { known } from '#scripts/observe/model.ts'
import { predicate } from '#scripts/observe/predicates.ts'
import { when } from '#scripts/observe/when.ts'
import { AppendWorkload, appendDefaults } from '#scripts/workload/append.ts'
import { reassign } from '#scripts/workload/reassign.ts'

const spec = clusterSpec({ name: 'runtime', runtime: 'simulated', seed: 11 })

/** A lab in small: the leader of the quorum dies while clients write. */
async function smallLab(): Promise<string> {
  const cluster = await simulatedRuntime.up(spec)
  const recorder = new HistoryRecorder(cluster.clock)
  try {
    const workload = new AppendWorkload(cluster, recorder, 'events', appendDefaults)
    await workload.prepare()
    workload.start()
    await workload.moreAcknowledged(50)
    const leader = (await cluster.quorum())?.leaderId ?? 1
    await cluster.kill(leader)
    await workload.moreAcknowledged(50)
    await cluster.start(leader)
    await cluster.waitReady()
    await workload.finish(60_000)
  } finally {
    await cluster.down()
  }
  return JSON.stringify(recorder.history)
}

describe('the simulated runtime', () => {
  test('plays the same lab twice to the byte, driven from outside of the world', async () => {
    const first = await smallLab()
    expect(first.length).toBeGreaterThan(10_000)
    expect(await smallLab()).toBe(first)
  })

  test('gives the globals of the process back when the cluster is down', async () => {
    const before = [setTimeout, Date, Math.random]
    const cluster = await simulatedRuntime.up(spec, { skipReadyCheck: true })
    expect(globalThis.setTimeout).not.toBe(before[0])
    await cluster.down()
    await cluster.down()
    expect([setTimeout, Date, Math.random]).toEqual(before)
  })

  test('tells of states, logs and capabilities like any runtime', async () => {
    const cluster = await simulatedRuntime.up(spec)
    expect((await cluster.nodes()).map(({ id, state }) => `${id} ${state}`)).toEqual([
      '1 running',
      '2 running',
      '3 running',
    ])
    await cluster.pause(2)
    await cluster.stop(3)
    expect((await cluster.nodes()).map(({ state }) => state)).toEqual(['running', 'paused', 'stopped'])
    await expect(cluster.kill(3)).rejects.toThrow('Node 3 is not up')
    await expect(cluster.wipe(1)).rejects.toThrow('only while it is down')
    await expect(cluster.start(9)).rejects.toThrow('There is no node 9')
    expect(await cluster.logs(1, { lines: 5 })).toContain('node-1')
    await cluster.wipe(3)
    await cluster.resume(2)
    await cluster.start(3)
    await cluster.waitReady()
    await cluster.down()
  })

  test('lets brokers join, which clients find and partitions can be moved to', async () => {
    const cluster = await simulatedRuntime.up(spec)
    try {
      const recorder = new HistoryRecorder(cluster.clock)
      const workload = new AppendWorkload(cluster, recorder, 'events', { ...appendDefaults, partitions: 1 })
      await workload.prepare()
      const move = { topic: 'events', partition: 0, replicas: [4, 5, 1] }
      await expect(reassign(cluster, move)).rejects.toThrow('to 4, 5, 1 was refused with error 39')
      await expect(reassign(cluster, { ...move, replicas: null })).rejects.toThrow('where it was was refused')
      expect(await cluster.grow?.(2)).toEqual([4, 5])
      expect((await cluster.nodes()).map(({ id, state }) => `${id} ${state}`).slice(3)).toEqual([
        '4 running',
        '5 running',
      ])
      expect([cluster.bootstrap.length, cluster.spec.brokers, cluster.spec.added]).toEqual([5, 3, 2])
      await reassign(cluster, move)
      const hasMoved = predicate('events-0 is on 4, 5 and 1', { topics: ['events'] }, ({ topics }) => {
        const partition = known(known(known(topics)?.['events'])?.partitions[0])
        return (
          partition &&
          `${partition.replicas.join()} ${partition.isr.toSorted((a, b) => a - b).join()}` === '4,5,1 1,4,5'
        )
      })
      await when(cluster, hasMoved, { timeoutMs: 30_000 })
      await workload.abandon()
    } finally {
      await cluster.down()
    }
  })

  test('does not wait for a cluster whose settings let no record in', async () => {
    const useless = simulatedRuntime.up({ ...spec, settings: { 'message.max.bytes': '10' } })
    await expect(useless).rejects.toMatchObject({
      message: expect.stringMatching(/of no use: broker \d cannot take a record of 20 bytes: MESSAGE_TOO_LARGE/),
      remedy: 'Look at what --set says: message.max.bytes=10.',
    })
  })

  test('runs our own broker only, and finds the clusters that stay by their names', async () => {
    expect(await simulatedRuntime.available('apache-kafka')).toMatchObject({ available: false })
    const missing = async () => await simulatedRuntime.attach('no-such-cluster')
    await expect(missing()).rejects.toThrow('There is no cluster named no-such-cluster')
  })
})
