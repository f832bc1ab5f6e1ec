/** The logs of replicas are read from brokers that answer as the test says. */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { check } from '#scripts/checkers/check.ts'
import type { Cluster, LabClock } from '#scripts/cluster/cluster.ts'
import { Writer } from '#scripts/cluster/wire-format.ts'
import type { ReplicaLog } from '#scripts/history/operation.ts'
import { HistoryRecorder } from '#scripts/history/recorder.ts'
import { recordBatch } from '#scripts/workload/hand-requests.ts'
import { readReplicaLogs } from '#scripts/workload/replica-logs.ts'

/** Of the partition `t-0` on the brokers 1 and 2; what comes in a row is answered in a row, the last one again and again. */
interface Play {
  /** Who leads, in which epoch; default: broker 1 in epoch 0. */
  readonly leaders?: readonly (readonly [leader: number, leaderEpoch: number])[]
  readonly isrs?: readonly (readonly number[])[]
  /** Where the log of broker 2 ends. */
  readonly ends: readonly number[]
}

/** Records in the log of broker 1, all committed. */
const records = 3

const open: (Server | Socket)[] = []
afterEach(() => {
  for (const each of open.splice(0))
    if ('destroy' in each) each.destroy()
    else each.close()
})

/** It goes on only while somebody waits for the next question; a limit is never reached. */
function patientClock(): LabClock {
  let now = 0
  return {
    nowMs: () => now,
    sleep: async ms => {
      if (ms >= 1_000) return await new Promise(() => undefined)
      now += ms
    },
  }
}

const named = (write: (w: Writer) => unknown) => (writer: Writer) =>
  writer.array(['t'], (name, topic) => topic.string(name).array([0], (index, w) => write(w.int32(index))))

/** The next of a row. */
function row<T>(items: readonly T[]): () => T {
  let at = 0
  return () => items[Math.min(at++, items.length - 1)] as T
}

function metadata(writer: Writer, [leader, leaderEpoch]: readonly [number, number], isr: readonly number[]): Writer {
  return writer
    .int32(0)
    .array([1, 2], (id, w) => w.int32(id).string('localhost').int32(1).nullString())
    .nullString()
    .int32(1)
    .array(['t'], (name, topic) =>
      topic
        .int16(0)
        .string(name)
        .boolean(false)
        .array([0], (index, w) =>
          w
            .int16(0)
            .int32(index)
            .int32(leader)
            .int32(leaderEpoch)
            .array([1, 2], (id, x) => x.int32(id))
            .array(isr, (id, x) => x.int32(id))
            .array([], () => undefined),
        )
        .int32(0),
    )
}

function fetched(writer: Writer, offset: number, end: number): Writer {
  const found = Array.from({ length: end - offset }, (_, at) => ({ value: `k:${at}`, timestamp: 1 }))
  const bytes = end > offset ? recordBatch(found) : Buffer.alloc(0)
  return named(w =>
    w
      .int16(0)
      .int64(BigInt(end))
      .int64(BigInt(end))
      .int64(0n)
      .array([], () => undefined)
      .int32(-1)
      .int32(bytes.length)
      .bytes(bytes),
  )(writer.int32(0).int16(0).int32(0))
}

async function read({ leaders = [[1, 0]], isrs = [[1, 2]], ends }: Play) {
  const [nextLeader, nextIsr, nextEnd] = [row(leaders), row(isrs), row(ends)]
  const asked: string[] = []
  let end = 0
  const answer = (broker: number, frame: Buffer, writer: Writer): Writer => {
    const key = frame.readInt16BE(4)
    if (key === 3) {
      asked.push(`who is in sync, of ${broker}`)
      return metadata(writer, nextLeader(), nextIsr())
    }
    if (key === 2) {
      const isEarliest = frame.readBigInt64BE(frame.length - 8) === -2n
      if (!isEarliest) asked.push(`the end, of ${broker}`)
      if (!isEarliest && broker === 2) end = nextEnd()
      const offset = isEarliest ? 0 : broker === 1 ? records : end
      return named(w => w.int16(0).int64(-1n).int64(BigInt(offset)))(writer.int32(0))
    }
    asked.push(`records, of ${broker}`)
    const length = frame.length
    // What comes behind the offset: the log start, the most bytes, no topics to forget, no rack.
    const offset = Number(frame.readBigInt64BE(length - 8 - 8 - 4 - 4 - 2))
    return fetched(writer, offset, broker === 1 ? records : end)
  }
  const bootstrap = await Promise.all(
    [1, 2].map(async broker => {
      const server = createServer(socket => {
        open.push(socket)
        socket.on('data', (frame: Buffer) => {
          const body = answer(broker, frame, new Writer().int32(frame.readInt32BE(8))).toBuffer()
          socket.write(new Writer().int32(body.length).bytes(body).toBuffer())
        })
      })
      open.push(server)
      await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
      return `127.0.0.1:${(server.address() as AddressInfo).port}`
    }),
  )
  const clock = patientClock()
  const cluster = { clock, bootstrap, kafkaOptions: () => ({ brokers: bootstrap }) } as unknown as Cluster
  const recorder = new HistoryRecorder(clock)
  await readReplicaLogs(cluster, recorder, 't')
  const logs = recorder.history.map(({ value }) => value as ReplicaLog)
  const [result] = check(recorder.history, ['replica-divergence']).results
  return { asked, follower: logs.find(({ broker }) => broker === 2), valid: result?.valid, passedMs: clock.nowMs() }
}

test('the leader is read first, and says who is in sync before a follower says where its log ends', async () => {
  const { asked, follower, valid } = await read({ ends: [records] })
  expect(asked).toEqual([
    'who is in sync, of 1',
    'the end, of 1',
    'records, of 1',
    'records, of 1',
    'who is in sync, of 1',
    'the end, of 2',
    'records, of 2',
    'records, of 2',
  ])
  expect(follower).toMatchObject({ inSync: true, logEndOffset: records, complete: true })
  expect(valid).toBe(true)
})

test('a replica that stays in sync and lacks what is committed is found', async () => {
  const { follower, valid, passedMs } = await read({ ends: [0] })
  expect(follower).toMatchObject({ inSync: true, logEndOffset: 0, highWatermark: 0 })
  expect(valid).toBe(false)
  expect(passedMs).toBeGreaterThanOrEqual(10_000)
})

test.each<[string, Play, Partial<ReplicaLog>]>([
  ['that had left the in-sync set, as is heard later', { ends: [1], isrs: [[1, 2], [1, 2], [1]] }, { inSync: false }],
  ['that joins the in-sync set meanwhile', { ends: [1], isrs: [[1], [1], [1, 2]] }, { inSync: false }],
  ['that has caught up meanwhile', { ends: [1, 1, records] }, { inSync: true, logEndOffset: records }],
])('a replica is not accused %s', async (_, play, expected) => {
  const { follower, valid } = await read(play)
  expect(follower).toMatchObject(expected)
  expect(valid).not.toBe(false)
})

test.each<[string, Play]>([
  ['leads', { ends: [1], leaders: [[1, 0], [2, 1]] }], // prettier-ignore
  ['leads anew', { ends: [1], leaders: [[1, 0], [1, 1]] }], // prettier-ignore
])('whether a replica is in sync is not known when another broker %s meanwhile', async (_, play) => {
  const { follower, valid } = await read(play)
  expect(follower).not.toHaveProperty('inSync')
  expect(valid).not.toBe(false)
})
