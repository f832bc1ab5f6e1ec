/** The full read at the end of a pipeline of topics, on simulated brokers. */
import { expect, test } from 'vitest'
import { HistoryRecorder } from '#scripts/history/recorder.ts'
import { HandProducer } from '#scripts/workload/transactions/producer.ts'
import { HandTopics } from '#scripts/workload/transactions/topics.ts'
import type { World } from '#simulator/world/world.ts'
import { onCluster } from './transactional-scene.ts'

const seed = 5

/** Two topics, a transaction that has written to the second one and that may end while both are read. */
async function reading(
  { hangs }: { readonly hangs: boolean },
  meanwhile: (producer: HandProducer, world: World) => Promise<void>,
): Promise<{ readonly phase: unknown; readonly tookMs: number; readonly values: readonly unknown[] }> {
  let found: Awaited<ReturnType<typeof reading>> | undefined
  await onCluster(seed, async ({ cluster, world }) => {
    const recorder = new HistoryRecorder({ nowMs: () => world.nowMs })
    const topics = new HandTopics({ cluster, recorder, topic: 't' }, { in: {}, out: { hangs } })
    await topics.prepare()
    await topics.of('in').recordedWrite('writer', 0, ['a'])
    const producer = new HandProducer(cluster, { transactionalId: 'played', clients: 'newest', timeoutMs: 600_000 })
    await producer.init()
    await producer.send(topics.topic, 0, [{ value: 'b' }])
    const beganMs = world.nowMs
    await Promise.all([topics.finish(20_000), meanwhile(producer, world)])
    const phases = recorder.history.flatMap(({ f, value }) => (f === 'phase' ? [value] : []))
    const polls = recorder.history.filter(({ f, type }) => f === 'poll' && type === 'ok')
    found = {
      phase: phases.at(-1),
      tookMs: world.nowMs - beganMs,
      values: polls.map(({ value }) => value),
    }
    producer.close()
  })
  if (found === undefined) throw new Error('expected the script to end')
  return found
}

test('a transaction whose marker comes late is waited for', async () => {
  const { phase, values } = await reading({ hangs: false }, async (producer, world) => {
    await world.sleep(5_000)
    await producer.end(true)
  })
  expect(values).toEqual([[['poll', { 't-in-0': [[0, 'a']] }]], [['poll', { 't-out-0': [[0, 'b']] }]]])
  expect(phase).toBe('final-read-complete')
})

test.each([
  [false, 'waited for, in vain'],
  [true, 'not waited for where that is known to be so'],
])('a read that ends at an open transaction is incomplete; its end is (hangs: %s) %s', async hangs => {
  const { phase, tookMs, values } = await reading({ hangs }, () => Promise.resolve())
  expect(values).toEqual([[['poll', { 't-in-0': [[0, 'a']] }]], [['poll', { 't-out-0': [] }]]])
  expect(phase).toBe('final-read-incomplete')
  expect(tookMs >= 20_000).toBe(!hangs)
})
