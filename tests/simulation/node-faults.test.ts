/** Faults inside nodes in virtual time, ordered by the script of a lab: they strike, the cluster survives, and a seed replays all of it. */
import { expect, test } from 'vitest'
import { check } from '#scripts/checkers/check.ts'
import { simulatedRuntime } from '#scripts/cluster/simulated/runtime.ts'
import { clusterSpec } from '#scripts/cluster/spec.ts'
import { HistoryRecorder } from '#scripts/history/recorder.ts'
import { quickFailover } from '#scripts/labs/lab.ts'
import { LabRun } from '#scripts/labs/script.ts'
import { followerOf, leaderOf, node } from '#scripts/labs/targets.ts'
import { AppendWorkload, appendDefaults } from '#scripts/workload/append.ts'
import { Observer } from '#scripts/workload/observer.ts'
import { readReplicaLogs } from '#scripts/workload/replica-logs.ts'

const spec = clusterSpec({
  name: 'inside',
  runtime: 'simulated',
  seed: 12,
  settings: { ...quickFailover, 'min.insync.replicas': '2' },
})

async function brokenInside(): Promise<string> {
  const cluster = await simulatedRuntime.up(spec)
  const recorder = new HistoryRecorder(cluster.clock)
  try {
    const workload = new AppendWorkload(cluster, recorder, 'events', appendDefaults)
    const observer = new Observer(cluster, recorder, workload.topic)
    await workload.prepare()
    const run = new LabRun({ cluster, workload, observer, recorder, scale: 1 })
    observer.start()
    workload.start()
    await run.acknowledged(20)
    await run.breakInside('slow-disk', leaderOf(0), { delay: 50 })
    await run.acknowledged(20)
    await run.breakInside('clock-jump', node(1, 2, 3), { offset: -1_800_000 })
    const [crashing = 0] = await run.breakInside('crash-at', followerOf(1), { on: 'fsync,write', nth: 5 })
    await run.acknowledged(20)
    const faultsOf = async (id: number) => ((await cluster.nodeFaults?.list(id)) ?? []).map(({ name }) => name)
    // It has struck, and the machine has what it had before.
    expect(await faultsOf(crashing)).not.toContain('crash-at')
    expect(await faultsOf(crashing)).toContain('clock-jump')
    expect((await cluster.nodes()).find(({ id }) => id === crashing)?.state).toBe('dead')
    await run.heal()
    for (const id of [1, 2, 3]) expect(await faultsOf(id)).toEqual([])
    await run.acknowledged(20)
    await workload.finish(60_000)
    await readReplicaLogs(cluster, recorder, workload.topic)
    await observer.stop()
  } finally {
    await cluster.down()
  }
  const { results } = check(recorder.history, ['lost-write', 'replica-divergence'])
  expect(results.map(({ name, valid }) => [name, valid])).toEqual([
    ['lost-write', true],
    ['replica-divergence', true],
  ])
  return JSON.stringify(recorder.history)
}

test('faults inside nodes strike in the simulator as on processes, and the same seed is the same run', async () => {
  const first = await brokenInside()
  expect(first).toContain('crash-at')
  expect(await brokenInside()).toBe(first)
})
