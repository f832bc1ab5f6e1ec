/** A workload by hand in front of a broker that answers as the test says. */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { realClock } from '#scripts/cluster/clock.ts'
import type { Cluster } from '#scripts/cluster/cluster.ts'
import { Writer } from '#scripts/cluster/wire-format.ts'
import { HistoryRecorder } from '#scripts/history/recorder.ts'
import { HandWorkload } from '#scripts/workload/by-hand.ts'
import { recordBatch } from '#scripts/workload/hand-requests.ts'

interface Play {
  /** Error codes of Produce, in order; then 0. */
  readonly produce?: readonly number[]
  /** Whether the broker takes itself for the leader, question by question; then true. */
  readonly leads?: readonly boolean[]
  /** Where its log ends, as it says. */
  readonly end?: number
  /** Records that it gives. */
  readonly records?: number
}

const open: (Server | Socket)[] = []
afterEach(() => {
  for (const each of open.splice(0))
    if ('destroy' in each) each.destroy()
    else each.close()
})

/** One broker that leads the only partition of `t`. */
async function playing({ produce = [], leads = [], end = 0, records = 0 }: Play) {
  const asked: number[] = []
  const times = (key: number) => asked.filter(each => each === key).length - 1
  const named = (write: (w: Writer) => Writer) => (writer: Writer) =>
    writer.array(['t'], (name, topic) => topic.string(name).array([0], (index, w) => write(w.int32(index))))
  const answers: Record<number, (writer: Writer) => Writer> = {
    0: writer =>
      named(w =>
        w
          .int16(produce[times(0)] ?? 0)
          .int64(7n)
          .int64(-1n),
      )(writer).int32(0),
    1: writer => {
      const batch = recordBatch(Array.from({ length: records }, (_, index) => ({ value: `k:${index}`, timestamp: 1 })))
      const bytes = records > 0 && times(1) === 0 ? batch : Buffer.alloc(0)
      return named(w =>
        w
          .int16(0)
          .int64(BigInt(records))
          .int64(BigInt(records))
          .int64(0n)
          .array([], () => undefined)
          .int32(-1)
          .int32(bytes.length)
          .bytes(bytes),
      )(writer.int32(0).int16(0).int32(0))
    },
    2: writer => named(w => w.int16(0).int64(-1n).int64(BigInt(end)))(writer.int32(0)),
    3: writer =>
      writer
        .int32(0)
        .array([1], (id, w) => w.int32(id).string('localhost').int32(1).nullString())
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
                .int32(1)
                .int32(0)
                .array([1], (id, x) => x.int32(id))
                .array([1], (id, x) => x.int32(id))
                .array([], () => undefined),
            )
            .int32(0),
        ),
    23: writer =>
      writer.int32(0).array(['t'], (name, topic) =>
        topic.string(name).array([0], (index, w) =>
          w
            .int16(leads[times(23)] === false ? 6 : 0)
            .int32(index)
            .int32(0)
            .int64(0n),
        ),
      ),
  }
  const server = createServer(socket => {
    open.push(socket)
    socket.on('data', (frame: Buffer) => {
      const key = frame.readInt16BE(4)
      asked.push(key)
      const body = (answers[key] as (writer: Writer) => Writer)(new Writer().int32(frame.readInt32BE(8))).toBuffer()
      socket.write(new Writer().int32(body.length).bytes(body).toBuffer())
    })
  })
  open.push(server)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const cluster = {
    clock: realClock,
    bootstrap: [address],
    kafkaOptions: () => ({ brokers: [address] }),
  } as unknown as Cluster
  const recorder = new HistoryRecorder(realClock)
  const workload = new HandWorkload({ cluster, recorder, topic: 't' }, { finalRead: true })
  const completions = () => recorder.history.filter(({ type, f }) => f === 'send' && type !== 'invoke')
  return { workload, recorder, asked, completions }
}

test('a write with acks=all that a leader answers with NOT_LEADER_OR_FOLLOWER is not made again: it may be there', async () => {
  const { workload, asked, completions } = await playing({ produce: [6] })
  await expect(workload.recordedWrite('a', 0, ['k:0'])).rejects.toThrow('a batch was answered with error 6')
  expect(asked.filter(key => key === 0)).toHaveLength(1)
  expect(completions()).toMatchObject([{ type: 'info', error: { code: 'NOT_LEADER_OR_FOLLOWER', definite: false } }])
  await workload.abandon()
})

test('a broker that says that it does not lead is not written to', async () => {
  const { workload, asked, completions } = await playing({ leads: [false, false] })
  await workload.recordedWrite('a', 0, ['k:0'])
  expect(asked.filter(key => key === 23)).toHaveLength(3)
  expect(asked.filter(key => key === 0)).toHaveLength(1)
  expect(completions()).toMatchObject([{ type: 'ok' }])
  await workload.abandon()
})

test.each([
  ['acks=1, where it certainly is not there', { acks: 1 }],
  ['a sequence number, by which it is recognised', { producer: { id: 1n, epoch: 0, sequence: 0 } }],
] as const)('a write with %s is made again', async (_, more) => {
  const { workload, asked } = await playing({ produce: [6, 6] })
  await workload.write({ partition: 0, records: [{ value: 'k:0' }], ...more })
  expect(asked.filter(key => key === 0)).toHaveLength(3)
  await workload.abandon()
})

test.each([
  [2, 'final-read-complete', 60_000],
  [3, 'final-read-incomplete', 1_000],
])('a final read of two records of a log that ends at %i is %s', async (end, phase, withinMs) => {
  const { workload, recorder } = await playing({ end, records: 2 })
  await workload.finish(withinMs)
  expect(recorder.history.at(-1)).toMatchObject({ f: 'phase', value: phase })
})
