/** A stage of a pipeline that labs step and crash, on simulated brokers. */
import { expect, test } from 'vitest'
import { HistoryRecorder } from '#scripts/history/recorder.ts'
import { RefusedError } from '#scripts/workload/transactions/calls.ts'
import { joinAlone } from '#scripts/workload/transactions/member.ts'
import { HandProducer, type GroupMetadata } from '#scripts/workload/transactions/producer.ts'
import { HandReader } from '#scripts/workload/transactions/reader.ts'
import { Stage, type Moment, type StagePlan } from '#scripts/workload/transactions/stage.ts'
import { onCluster, topic, type Scene } from './transactional-scene.ts'

const seed = 11
const from = { topic, partition: 0 }
const to = { topic, partition: 1 }

/** Records in `from`, and a recorder for what stages do with them. */
async function onInput(
  values: readonly string[],
  script: (
    make: (plan?: Partial<StagePlan>) => Stage,
    scene: Scene,
    recorder: HistoryRecorder,
    acknowledged: () => number,
  ) => Promise<void>,
): Promise<void> {
  await onCluster(seed, async scene => {
    const { cluster, world } = scene
    const writer = new HandProducer(cluster, { transactionalId: 'writer', clients: 'newest' })
    await writer.init()
    await writer.send(
      topic,
      0,
      values.map(value => ({ key: value, value })),
    )
    await writer.end(true)
    writer.close()
    const recorder = new HistoryRecorder({ nowMs: () => world.nowMs })
    const usual: StagePlan = {
      name: 'stage',
      from,
      group: 'stage',
      guarantee: 'exactly-once',
      transactionalId: () => 'stage',
      clients: 'newest',
      transform: ({ value }, attempt) => [{ ...to, value: `${value}~${attempt}` }],
    }
    let acknowledged = 0
    const parts = { cluster, recorder, countAcknowledged: (records: number) => void (acknowledged += records) }
    await script(
      plan => new Stage(parts, { ...usual, ...plan }),
      scene,
      recorder,
      () => acknowledged,
    )
  })
}

async function drained(stage: Stage): Promise<void> {
  await stage.drain()
  stage.close()
}

async function output({ cluster, world }: Scene, isolation: 'read_committed' | 'read_uncommitted' = 'read_committed') {
  const reader = new HandReader(cluster, isolation)
  for (let look = 0; look < 100; look++) {
    const { records, lastStableOffset, highWatermark } = await reader.readAll(to.topic, to.partition)
    if (lastStableOffset === highWatermark) {
      reader.close()
      return records.map(({ value }) => value)
    }
    await world.sleep(50)
  }
  throw new Error('a transaction stayed open')
}

const crashAt = (at: Moment) => (moment: Moment) => Promise.resolve(moment === at ? ('crash' as const) : undefined)
const endsOf = (recorder: HistoryRecorder) =>
  recorder.history.filter(({ f, type }) => f === 'txn' && type !== 'invoke').map(({ type }) => type)

test.each([
  ['polled', ['a~2', 'b~3'], ['fail', 'ok', 'ok']],
  ['written', ['a~2', 'b~3'], ['fail', 'ok', 'ok']],
  ['offsets', ['a~2', 'b~3'], ['fail', 'ok', 'ok']],
  ['ended', ['a~1', 'b~2'], ['info', 'ok']],
] as const)('exactly once, a crash at the moment "%s" repeats nothing and loses nothing', async (at, values, ends) => {
  await onInput(['a', 'b'], async (make, scene, recorder) => {
    const stage = make()
    expect(await stage.step(crashAt(at))).toBe(false)
    await drained(stage)
    expect(stage.instances).toBe(2)
    expect(await output(scene)).toEqual(values)
    expect(endsOf(recorder)).toEqual(ends)
  })
})

test('at least once, a crash between record and offset repeats the record', async () => {
  await onInput(['a', 'b'], async (make, scene) => {
    const stage = make({ guarantee: 'at-least-once' })
    await stage.step(crashAt('written'))
    await drained(stage)
    expect(await output(scene)).toEqual(['a~1', 'a~2', 'b~3'])
  })
})

test.each([
  ['exactly-once', 2],
  ['at-least-once', 3],
] as const)('%s, what counts as acknowledged is what was committed or written', async (guarantee, records) => {
  await onInput(['a', 'b'], async (make, _scene, _recorder, acknowledged) => {
    const stage = make({ guarantee })
    await stage.step(crashAt('written'))
    await drained(stage)
    expect(acknowledged()).toBe(records)
  })
})

test('an aborted transaction is tried again by the same instance', async () => {
  await onInput(['a'], async (make, scene) => {
    const stage = make()
    expect(await stage.step(moment => Promise.resolve(moment === 'offsets' ? 'abort' : undefined))).toBe(false)
    await drained(stage)
    expect(stage.instances).toBe(1)
    expect(await output(scene)).toEqual(['a~2'])
    expect(await output(scene, 'read_uncommitted')).toEqual(['a~1', 'a~2'])
  })
})

test('a new instance is given its changelog: what was committed, or all that is there', async () => {
  const load = (into: string[][]) => (records: readonly { value: string }[]) =>
    void into.push(records.map(({ value }) => value))
  for (const [isolation, found] of [
    ['read_committed', ['a~1']],
    ['read_uncommitted', ['a~1', 'b~2']],
  ] as const) {
    await onInput(['a', 'b'], async make => {
      const loaded: string[][] = []
      const stage = make({ restore: { ...to, isolation, load: load(loaded) } })
      await stage.step()
      await stage.step(crashAt('written'))
      await stage.start()
      expect(loaded).toEqual([[], found])
      stage.close()
    })
  }
})

test('who is no member any more is refused, and aborts; who is commits', async () => {
  await onInput(['a'], async (make, scene, recorder) => {
    const instance = async (name: string) => {
      const member: GroupMetadata = await joinAlone(scene.cluster, 'stage', from)
      const transform: StagePlan['transform'] = ({ value }) => [{ ...to, value: `${value}~${name}` }]
      return make({ name, transactionalId: () => name, member: () => member, transform })
    }
    const old = await instance('old')
    const refused = old.step(async moment => {
      if (moment === 'written') await drained(await instance('new'))
    })
    expect(await refused.catch((error: unknown) => (error instanceof RefusedError ? error.code : error))).toBe(
      'UNKNOWN_MEMBER_ID',
    )
    old.close()
    expect(await output(scene)).toEqual(['a~new'])
    expect(endsOf(recorder).sort()).toEqual(['fail', 'ok'])
  })
})
