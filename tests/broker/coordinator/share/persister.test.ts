import { expect, test } from 'vitest'
import type { MetadataImage } from '#broker/controller/image.ts'
import type { Environment } from '#broker/environment/environment.ts'
import type { RequestClient } from '#broker/net/client.ts'
import { SharePersister } from '#broker/coordinator/share/persister.ts'
import { shareStateTopic } from '#broker/coordinator/share/share-coordinator.ts'
import type { Refused, ShareStateUpdate } from '#broker/coordinator/share/share-shard.ts'

const nodeId = 1
const key = { groupId: 'workers', topicId: 'AAAAAAAAAAAAAAAAAAAAAA', partition: 0 }

/** A persister whose coordinator is on this node and says to each write what `answers` has next, else NONE. */
function persisterWith(answers: Refused[]) {
  const waiting: (() => void)[] = []
  const written: number[] = []
  let nowMs = 0
  const timers = {
    after: (_delayMs: number, run: () => void) => {
      waiting.push(run)
      return { cancel: () => undefined }
    },
    soon: (run: () => void) => void waiting.push(run),
  }
  const image = {
    topicsByName: new Map([[shareStateTopic, { partitions: new Map([[0, { leader: nodeId }]]) }]]),
    brokers: new Map(),
  }
  const persister = new SharePersister({
    environment: { clock: { monotonicMs: () => nowMs, wallMs: () => nowMs }, timers } as unknown as Environment,
    nodeId,
    interBrokerListener: 'PLAINTEXT',
    client: {} as RequestClient,
    coordinator: {
      write: (_: unknown, { startOffset }: ShareStateUpdate) => {
        const answer = answers.shift() ?? { error: 'NONE' as const }
        if (answer.error === 'NONE') written.push(startOffset)
        return Promise.resolve(answer)
      },
    } as never,
    metadata: () => image as unknown as MetadataImage,
    createTopic: () => undefined,
  })
  const turn = async (afterMs = 0): Promise<void> => {
    nowMs += afterMs
    for (const run of waiting.splice(0)) run()
    for (let ticks = 0; ticks < 20; ticks++) await Promise.resolve()
  }
  const write = (startOffset: number) =>
    persister.write(key, { stateEpoch: 0, leaderEpoch: 0, startOffset, deliveryCompleteCount: 0, stateBatches: [] })
  return { write, written, turn }
}

test('a write that has to be tried again does not come after the next one of its share partition', async () => {
  const { write, written, turn } = persisterWith([{ error: 'COORDINATOR_LOAD_IN_PROGRESS' }])
  const outcomes = Promise.all([write(1), write(2), write(3)])
  await turn()
  expect(written).toEqual([])
  await turn(50)
  expect(written).toEqual([1, 2, 3])
  expect(await outcomes).toEqual([{ error: 'NONE' }, { error: 'NONE' }, { error: 'NONE' }])
})

test('the patience of a write begins when it is asked for, not when its turn comes', async () => {
  const { write, turn } = persisterWith(Array.from({ length: 100 }, () => ({ error: 'NOT_COORDINATOR' as const })))
  const outcomes = Promise.all([write(1), write(2)])
  for (let seconds = 0; seconds < 32; seconds++) await turn(1_000)
  expect(await outcomes).toEqual([{ error: 'NOT_COORDINATOR' }, { error: 'NOT_COORDINATOR' }])
})
