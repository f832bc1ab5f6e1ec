/** ListOffsets over its wire format, against real logs. */
import { describe, expect, test, vi } from 'vitest'
import { SegmentedLog } from '#broker/log/partition-log.ts'
import { CorruptRecordsError } from '#broker/log/replicated-batches.ts'
import { errorCode } from '#broker/protocol/errors.ts'
import type { ListOffsetsResponse } from '#broker/protocol/messages/02-list-offsets.ts'
import { startWallMs, TestCluster } from '../replication/test-cluster.ts'

async function offset(
  cluster: TestCluster,
  timestamp: number,
  options: { version?: number; replicaId?: number; broker?: number; currentLeaderEpoch?: number; twice?: boolean } = {},
) {
  const partition = { partitionIndex: 0, currentLeaderEpoch: options.currentLeaderEpoch ?? -1, timestamp }
  const reply = await cluster.broker(options.broker ?? 1).request<ListOffsetsResponse>(2, options.version ?? 11, {
    replicaId: options.replicaId ?? -1,
    isolationLevel: 0,
    topics: [{ name: 'events', partitions: options.twice === true ? [partition, partition] : [partition] }],
  })
  return reply!.topics[0]!.partitions[0]!
}

async function filled(): Promise<TestCluster> {
  const cluster = new TestCluster(1)
  cluster.createTopic('events', [1])
  for (const timestamp of [10, 30, 20])
    await cluster.broker(1).produce('events', ['x'], { batch: { timestamp: startWallMs + timestamp } })
  return cluster
}

describe('ListOffsets', () => {
  test('latest, earliest and by time', async () => {
    const cluster = await filled()
    expect(await offset(cluster, -1)).toMatchObject({ errorCode: 0, offset: 3, timestamp: -1, leaderEpoch: 0 })
    expect(await offset(cluster, -2)).toMatchObject({ errorCode: 0, offset: 0, timestamp: -1, leaderEpoch: 0 })
    expect(await offset(cluster, startWallMs + 15)).toMatchObject({
      offset: 1,
      timestamp: startWallMs + 30,
      leaderEpoch: 0,
    })
    expect(await offset(cluster, startWallMs + 31)).toMatchObject({ errorCode: 0, offset: -1, timestamp: -1 })
  })

  test('the start of an empty log has the epoch in which its first record would be written', async () => {
    const cluster = new TestCluster(1)
    cluster.createTopic('events', [1])
    expect(await offset(cluster, -2)).toMatchObject({ errorCode: 0, offset: 0, leaderEpoch: 0 })
    expect(await offset(cluster, -4)).toMatchObject({ errorCode: 0, offset: 0, leaderEpoch: 0 })
  })

  test('KIP-734: the record with the largest timestamp', async () => {
    expect(await offset(await filled(), -3)).toMatchObject({ offset: 1, timestamp: startWallMs + 30 })
  })

  test('a newest record that damage does not let find is an error of its partition', async () => {
    const cluster = await filled()
    const find = vi.spyOn(SegmentedLog.prototype, 'findMaxTimestamp').mockImplementation(() => {
      throw new CorruptRecordsError('all of them are damaged')
    })
    const { errorCode: code } = await offset(cluster, -3).finally(() => find.mockRestore())
    expect(code).toBe(errorCode('CORRUPT_MESSAGE'))
    expect(await offset(cluster, -3)).toMatchObject({ errorCode: 0, offset: 1 })
  })

  test('without tiered storage the local log is all there is, and nothing is tiered', async () => {
    const cluster = await filled()
    expect(await offset(cluster, -4)).toMatchObject({ errorCode: 0, offset: 0 })
    expect(await offset(cluster, -5)).toMatchObject({ errorCode: 0, offset: -1, leaderEpoch: -1 })
    expect(await offset(cluster, -6)).toMatchObject({ errorCode: 0, offset: -1 })
  })

  test.each([
    [-3, 6],
    [-4, 7],
    [-5, 8],
    [-6, 10],
  ])('special offset %i is refused in version %i, which lacks it', async (timestamp, version) => {
    expect((await offset(await filled(), timestamp, { version })).errorCode).toBe(errorCode('UNSUPPORTED_VERSION'))
  })

  test.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])('version %i answers', async version => {
    expect(await offset(await filled(), -1, { version })).toMatchObject({ errorCode: 0, offset: 3 })
  })

  test('a partition named twice', async () => {
    expect((await offset(await filled(), -1, { twice: true })).errorCode).toBe(errorCode('INVALID_REQUEST'))
  })

  test('another leader epoch', async () => {
    const cluster = await filled()
    expect((await offset(cluster, -1, { currentLeaderEpoch: 4 })).errorCode).toBe(errorCode('UNKNOWN_LEADER_EPOCH'))
  })

  test('KIP-207: a new leader that does not know what is committed says so', async () => {
    const cluster = new TestCluster(3)
    cluster.createTopic('events', [1, 2, 3])
    // The followers hold the record, but have not heard that it is committed.
    await cluster.until(cluster.broker(1).produce('events', ['a']))
    expect(cluster.broker(2).replica('events').highWatermark).toBe(0)
    cluster.cut.add('3>2')
    cluster.kill(1)
    expect((await offset(cluster, -1, { broker: 2 })).errorCode).toBe(errorCode('OFFSET_NOT_AVAILABLE'))
    expect((await offset(cluster, -1, { broker: 2, version: 4 })).errorCode).toBe(errorCode('LEADER_NOT_AVAILABLE'))
    expect((await offset(cluster, -1, { broker: 2, replicaId: -2 })).offset).toBe(1)
    cluster.cut.clear()
    await cluster.time.run(3000)
    expect(await offset(cluster, -1, { broker: 2 })).toMatchObject({ errorCode: 0, offset: 1 })
  })
})
