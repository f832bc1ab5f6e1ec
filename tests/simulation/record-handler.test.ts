/** An application around a real consumer that fails: what it has handled stays handled, and it goes on where it failed. */
import { expect, test } from 'vitest'
import { simulatedRuntime } from '#scripts/cluster/simulated/runtime.ts'
import { clusterSpec } from '#scripts/cluster/spec.ts'
import { HistoryRecorder } from '#scripts/history/recorder.ts'
import { HandWorkload } from '#scripts/workload/by-hand.ts'
import { RecordHandler } from '#scripts/workload/record-handler.ts'

const spec = clusterSpec({ name: 'handler', runtime: 'simulated', brokers: 1, seed: 3 })

test('a handler that fails is started again, and gets the record again and none before it', async () => {
  const cluster = await simulatedRuntime.up(spec)
  try {
    const workload = new HandWorkload({ cluster, recorder: new HistoryRecorder(cluster.clock), topic: 'letters' })
    await workload.prepare()
    for (const value of ['a', 'b', 'c']) await workload.write({ partition: 0, records: [{ value }] })
    const seen: string[] = []
    const handler = new RecordHandler(workload, 'readers', ({ value }) => {
      const letter = value?.toString() ?? ''
      seen.push(letter)
      const hasFailed = letter === 'b' && seen.filter(each => each === 'b').length < 4
      return hasFailed ? Promise.reject(new Error('not now')) : Promise.resolve()
    })
    handler.start()
    await workload.until(
      'all is handled',
      () => handler.progress(seen.at(-1)),
      last => last === 'c',
    )
    await handler.stop()
    expect(seen).toEqual(['a', 'b', 'b', 'b', 'b', 'c'])
    expect(await workload.committed('readers', 0)).toBe(3)
    await workload.finish(10_000)
  } finally {
    await cluster.down()
  }
})

test('one whose start fails is started again', async () => {
  const cluster = await simulatedRuntime.up(spec)
  try {
    const workload = new HandWorkload({ cluster, recorder: new HistoryRecorder(cluster.clock), topic: 'letters' })
    await workload.prepare()
    await workload.write({ partition: 0, records: [{ value: 'a' }] })
    const seen: (string | undefined)[] = []
    const handler = new RecordHandler(workload, 'readers', ({ value }) => {
      seen.push(value?.toString())
      return Promise.resolve()
    })
    await cluster.kill(1)
    handler.start()
    await workload.until(
      'it has tried twice',
      () => handler.progress(handler.failedStarts),
      failed => failed >= 2,
    )
    await cluster.start(1)
    await workload.until(
      'all is handled',
      () => handler.progress(seen.length),
      count => count > 0,
    )
    await handler.stop()
    expect(seen).toEqual(['a'])
    await workload.finish(10_000)
  } finally {
    await cluster.down()
  }
})

test('one that cannot even be started says why to whoever waits for it', async () => {
  const cluster = await simulatedRuntime.up({ ...spec, settings: { 'auto.create.topics.enable': 'false' } })
  try {
    const workload = new HandWorkload({ cluster, recorder: new HistoryRecorder(cluster.clock), topic: 'letters' })
    const handler = new RecordHandler(workload, 'readers', () => Promise.resolve())
    handler.start()
    const waiting = workload.until(
      'something is handled',
      () => handler.progress(false),
      handled => handled,
    )
    await expect(waiting).rejects.toThrow(/does not host this topic-partition/)
    await handler.stop()
    await workload.abandon()
  } finally {
    await cluster.down()
  }
})
