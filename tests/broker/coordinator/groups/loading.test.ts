import { describe, expect, it } from 'vitest'
import { MetadataImage } from '#broker/controller/image.ts'
import { Groups } from '#broker/coordinator/groups/groups.ts'
import { encodeOffset } from '#broker/coordinator/groups/group-records.ts'
import { DiskError } from '#broker/environment/environment.ts'
import type { PartitionLog } from '#broker/log/log.ts'
import type { ErrorName } from '#broker/protocol/errors.ts'
import { buildBatch } from '#broker/protocol/records/batch-build.ts'
import type { LeadershipListener, Replicas } from '#broker/replication/replication.ts'
import { FakeTime } from '../../controller/fakes.ts'
import { testConfig } from '../../controller/harness.ts'
import { imageOf } from './modern/consumer-harness.ts'

const partition = { topic: '__consumer_offsets', partition: 0 }

function coordinator(time: FakeTime, replicas: Replicas, metadata: () => MetadataImage): Groups {
  return new Groups({
    environment: time.environment,
    config: testConfig(),
    liveConfig: () => testConfig(),
    replicas,
    metadata,
  })
}

describe('loading a partition of group offsets', () => {
  it('from a disk that fails stops there, until the leadership goes with the log directory', async () => {
    const time = new FakeTime()
    let reads = 0
    const log = {
      topicPartition: partition,
      logStartOffset: 0,
      logEndOffset: 10,
      read: () => {
        reads += 1
        if (reads > 1) throw new DiskError('EIO', 'read', 'a segment')
        return { records: Buffer.alloc(0), baseOffset: 0, nextOffset: 5 }
      },
    } as unknown as PartitionLog
    let listener: LeadershipListener | undefined
    const watchTopic: Replicas['watchTopic'] = (_topic, given) => {
      listener = given
    }
    const replicas = { log: () => log, highWatermark: () => 10, watchTopic } as unknown as Replicas
    const metadata = () => MetadataImage.empty('')
    const groups = coordinator(time, replicas, metadata)
    groups.start()
    listener?.becameLeader(partition, 1)
    await time.pass(1)
    expect(reads).toBe(2)
    expect(groups.list()).toEqual({ groups: [], loading: true })
    listener?.resigned(partition, 2)
    expect(groups.list()).toEqual({ groups: [], loading: false })
    groups.stop()
  })

  it('tells offsets once the high watermark has passed what it found of them', async () => {
    const time = new FakeTime()
    const metadata = () => imageOf({ __consumer_offsets: 1 })
    const offset = (value: number) =>
      encodeOffset('g', 't', 0, {
        offset: value,
        leaderEpoch: -1,
        metadata: '',
        commitWallMs: 0,
        expireWallMs: undefined,
      })
    const batch = (value: number) => buildBatch([offset(value)], { baseOffset: value, timestamp: 0 })
    const log = {
      topicPartition: partition,
      logStartOffset: 0,
      logEndOffset: 2,
      read: () => ({ records: Buffer.concat([batch(0), batch(1)]), baseOffset: 0, nextOffset: 2 }),
    } as unknown as PartitionLog
    let committed: (isCommitted: boolean) => void = () => undefined
    let listener: LeadershipListener | undefined
    const asked: unknown[] = []
    const replicas = {
      log: () => log,
      highWatermark: () => 1,
      watchTopic: (_topic: string, given: LeadershipListener) => void (listener = given),
      whenCommitted: (_at: unknown, what: unknown) => {
        asked.push(what)
        return new Promise<boolean>(resolve => (committed = resolve))
      },
    } as unknown as Replicas
    const groups = coordinator(time, replicas, metadata)
    const read = () =>
      groups.read<unknown>(
        'g',
        error => error,
        shard => {
          const refusal = shard.fetchError('g', null, -1)
          return refusal === 'NONE' ? shard.offsets.of('g').get('t')?.get(0)?.offset : refusal
        },
      )
    groups.start()
    listener?.becameLeader(partition, 3)
    expect([read(), asked]).toEqual(['COORDINATOR_LOAD_IN_PROGRESS', [{ leaderEpoch: 3, endOffset: 2 }]])
    committed(true)
    await time.pass(1)
    expect(read()).toBe(1)
    groups.stop()
  })

  it('tells offsets at once when the high watermark passed them between two reads', async () => {
    const time = new FakeTime()
    const committed = { offset: 7, leaderEpoch: -1, metadata: '', commitWallMs: 0, expireWallMs: undefined }
    const batch = buildBatch([encodeOffset('g', 't', 0, committed)], { baseOffset: 0, timestamp: 0 })
    let highWatermark = 0
    const log = {
      topicPartition: partition,
      logStartOffset: 0,
      logEndOffset: 2,
      read: (offset: number) =>
        offset === 0
          ? { records: batch, baseOffset: 0, nextOffset: 1 }
          : { records: Buffer.alloc(0), baseOffset: 1, nextOffset: 2 },
    } as unknown as PartitionLog
    let listener: LeadershipListener | undefined
    const replicas = {
      log: () => log,
      highWatermark: () => highWatermark,
      watchTopic: (_topic: string, given: LeadershipListener) => void (listener = given),
    } as unknown as Replicas
    const groups = coordinator(time, replicas, () => imageOf({ __consumer_offsets: 1 }))
    groups.start()
    listener?.becameLeader(partition, 3)
    highWatermark = 2
    await time.pass(1)
    const told = groups.read<ErrorName>(
      'g',
      error => error,
      shard => shard.fetchError('g', null, -1),
    )
    expect(told).toBe('NONE')
    groups.stop()
  })
})
