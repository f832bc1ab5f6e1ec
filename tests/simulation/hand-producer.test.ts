/** The transactional producer that labs play, request by request, on simulated brokers. */
import { expect, test } from 'vitest'
import { reachFeatureLevel } from '#scripts/workload/features.ts'
import { RefusedError } from '#scripts/workload/transactions/calls.ts'
import { HandProducer, transactionVersion, type TransactionClients } from '#scripts/workload/transactions/producer.ts'
import { HandReader } from '#scripts/workload/transactions/reader.ts'
import { onCluster, topic, type Scene } from './transactional-scene.ts'

const seed = 7

async function producing(
  clients: TransactionClients,
  script: (producer: HandProducer, scene: Scene) => Promise<void>,
): Promise<void> {
  await onCluster(seed, async scene => {
    const producer = new HandProducer(scene.cluster, { transactionalId: 'played', clients })
    await producer.init()
    await script(producer, scene)
    producer.close()
  })
}

async function committed({ cluster, world }: Scene, count: number): Promise<string[]> {
  const reader = new HandReader(cluster, 'read_committed')
  for (let look = 0; ; look++) {
    const { records, lastStableOffset, highWatermark } = await reader.readAll(topic, 0)
    if ((lastStableOffset === highWatermark && records.length >= count) || look === 100) {
      reader.close()
      return records.map(({ value }) => value)
    }
    await world.sleep(50)
  }
}

const codeOf = (error: unknown) => (error instanceof RefusedError ? error.code : String(error))

test('as a new client it gets an epoch for every transaction, as an old one it keeps its own', async () => {
  for (const [clients, version, epochs] of [
    ['newest', 2, [0, 1, 2]],
    ['before-4.0', 1, [0, 0, 0]],
  ] as const) {
    await producing(clients, async (producer, scene) => {
      const seen = [producer.epoch]
      for (const value of ['a', 'b']) {
        await producer.send(topic, 0, [{ value }])
        await producer.end(true)
        seen.push(producer.epoch)
      }
      expect([await producer.version(), seen]).toEqual([version, epochs])
      expect(await committed(scene, 2)).toEqual(['a', 'b'])
    })
  }
})

test('the newest client goes by the feature level of the cluster, and sends what fits it', async () => {
  await onCluster(seed, async scene => {
    const { cluster } = scene
    for (const [level, version, epochs] of [
      [1, 1, [0, 0]],
      [2, 2, [1, 2]],
    ] as const) {
      await reachFeatureLevel(cluster, transactionVersion, level)
      const producer = new HandProducer(cluster, { transactionalId: 'played', clients: 'newest' })
      await producer.init()
      const seen = [producer.epoch]
      await producer.send(topic, 0, [{ value: `at ${level}` }])
      await producer.end(true)
      seen.push(producer.epoch)
      expect([await producer.version(), seen]).toEqual([version, epochs])
      producer.close()
    }
    expect(await committed(scene, 2)).toEqual(['at 1', 'at 2'])
  })
})

test('a late EndTxn of an old client ends its next transaction, that of a new one is refused', async () => {
  for (const [clients, answer, values] of [
    ['before-4.0', 'NONE', ['a', 'b']],
    ['newest', 'PRODUCER_FENCED', ['a']],
  ] as const) {
    await producing(clients, async (producer, scene) => {
      await producer.send(topic, 0, [{ value: 'a' }])
      const late = producer.lateEnd(true)
      await producer.end(true)
      await producer.send(topic, 0, [{ value: 'b' }])
      expect(await late.arrive()).toBe(answer)
      const next = new HandProducer(scene.cluster, { transactionalId: 'played', clients })
      await next.init()
      next.close()
      expect(await committed(scene, values.length)).toEqual(values)
    })
  }
})

test('a batch that was given up and arrives late has the sequence number of the one after it', async () => {
  await producing('before-4.0', async (producer, scene) => {
    const late = await producer.lateSend(topic, 0, [{ value: 'late' }])
    expect(await late.arrive()).toBe('NONE')
    const offset = await producer.send(topic, 0, [{ value: 'taken for the late one' }])
    await producer.end(true)
    expect(offset).toBe(0)
    expect(await committed(scene, 1)).toEqual(['late'])
  })
})

test('who was fenced is told so, and asks no more', async () => {
  await producing('newest', async (producer, scene) => {
    await producer.send(topic, 0, [{ value: 'open' }])
    const next = new HandProducer(scene.cluster, { transactionalId: 'played', clients: 'newest' })
    await next.init()
    next.close()
    expect(await producer.end(true).catch(codeOf)).toBe('PRODUCER_FENCED')
    expect(await producer.endInVersion(true, 1)).toBe('INVALID_PRODUCER_EPOCH')
    expect(await producer.send(topic, 0, [{ value: 'more' }]).catch(codeOf)).toBe('INVALID_PRODUCER_EPOCH')
    expect(await committed(scene, 0)).toEqual([])
  })
})
