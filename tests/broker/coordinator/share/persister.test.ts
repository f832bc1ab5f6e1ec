import { expect, test } from 'vitest'
import type { MetadataImage } from '#broker/controller/image.ts'
import { NetworkError, type Address, type Environment } from '#broker/environment/environment.ts'
import { ProtocolError } from '#broker/protocol/errors.ts'
import type { RequestClient } from '#broker/net/client.ts'
import { SharePersister } from '#broker/coordinator/share/persister.ts'
import { shareStateTopic } from '#broker/coordinator/share/share-coordinator.ts'
import type { Refused, ShareStateUpdate } from '#broker/coordinator/share/share-shard.ts'

const nodeId = 1
const key = { groupId: 'workers', topicId: 'AAAAAAAAAAAAAAAAAAAAAA', partition: 0 }

/** A coordinator on another node, and how requests to it end. */
interface Elsewhere {
  readonly leader: { readonly id: number; readonly address: Address & { readonly name: string } }
  readonly send: () => Promise<never>
}

/** A persister whose coordinator is on this node and says to each write what `answers` has next, else NONE. */
function persisterWith(answers: (Refused | Error)[], elsewhere?: Elsewhere) {
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
    topicsByName: new Map([
      [shareStateTopic, { partitions: new Map([[0, { leader: elsewhere?.leader.id ?? nodeId }]]) }],
    ]),
    brokers: new Map(elsewhere && [[elsewhere.leader.id, { endpoints: [elsewhere.leader.address] }]]),
  }
  const persister = new SharePersister({
    environment: { clock: { monotonicMs: () => nowMs, wallMs: () => nowMs }, timers } as unknown as Environment,
    nodeId,
    interBrokerListener: 'PLAINTEXT',
    client: { send: () => elsewhere?.send() } as unknown as RequestClient,
    coordinator: {
      write: (_: unknown, { startOffset }: ShareStateUpdate) => {
        const answer = answers.shift() ?? { error: 'NONE' as const }
        if (answer instanceof Error) return Promise.reject(answer)
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
  return { persister, write, written, turn }
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

test('a write that ends with a bug is not the end of those that wait for it, and who asked for it is told', async () => {
  const bug = new Error('a bug')
  const { write, written, turn } = persisterWith([bug])
  const outcomes = Promise.allSettled([write(1), write(2), write(3)])
  await turn()
  expect(written).toEqual([2, 3])
  expect(await outcomes).toEqual([
    { status: 'rejected', reason: bug },
    { status: 'fulfilled', value: { error: 'NONE' } },
    { status: 'fulfilled', value: { error: 'NONE' } },
  ])
  await write(4)
  expect(written).toEqual([2, 3, 4])
})

test('a coordinator that does not know the request refuses it, and what it answers wrongly is told to who asked; others go on', async () => {
  const answers = [new ProtocolError('no such version', 'UNSUPPORTED_VERSION'), new Error('a bug')]
  const { persister, turn } = persisterWith([], {
    leader: { id: 2, address: { name: 'PLAINTEXT', host: 'other', port: 9 } },
    send: () => Promise.reject(answers.shift() ?? new NetworkError('ECONNRESET', 'gone')),
  })
  const initialize = () => persister.initialize(key, { stateEpoch: 0, startOffset: 0 })
  const first = initialize()
  await turn()
  expect(await first).toEqual({ error: 'UNSUPPORTED_VERSION', message: 'no such version' })
  const second = Promise.allSettled([initialize()])
  await turn()
  expect(await second).toMatchObject([{ status: 'rejected', reason: { message: 'a bug' } }])
  const third = initialize()
  for (let seconds = 0; seconds < 32; seconds++) await turn(1_000)
  expect(await third).toMatchObject({ error: 'COORDINATOR_NOT_AVAILABLE' })
})
