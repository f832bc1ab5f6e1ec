/** OffsetForLeaderEpoch over its wire format, against real logs. */
import { describe, expect, test } from 'vitest'
import { errorCode } from '#broker/protocol/errors.ts'
import type { OffsetForLeaderEpochResponse } from '#broker/protocol/messages/23-offset-for-leader-epoch.ts'
import { TestCluster } from '../replication/test-cluster.ts'

async function filled(): Promise<TestCluster> {
  const cluster = new TestCluster(1)
  cluster.createTopic('events', [1])
  for (let count = 0; count < 3; count += 1) await cluster.broker(1).produce('events', ['x'])
  return cluster
}

describe('OffsetForLeaderEpoch', () => {
  async function epochEnd(
    cluster: TestCluster,
    leaderEpoch: number,
    options: { version?: number; broker?: number } = {},
  ) {
    const partition = { partition: 0, currentLeaderEpoch: -1, leaderEpoch }
    const reply = await cluster
      .broker(options.broker ?? 1)
      .request<OffsetForLeaderEpochResponse>(23, options.version ?? 4, {
        replicaId: -1,
        topics: [{ topic: 'events', partitions: [partition] }],
      })
    return reply!.topics[0]!.partitions[0]!
  }

  test.each([2, 3, 4])('version %i says where the largest epoch that is not above ends', async version => {
    const cluster = await filled()
    cluster.change('events', { leader: 1 })
    cluster.change('events', { leader: 1 })
    await cluster.broker(1).produce('events', ['y'])
    expect(await epochEnd(cluster, 0, { version })).toMatchObject({ errorCode: 0, leaderEpoch: 0, endOffset: 3 })
    expect(await epochEnd(cluster, 2, { version })).toMatchObject({ errorCode: 0, leaderEpoch: 2, endOffset: 4 })
  })

  test('only the leader answers', async () => {
    const cluster = new TestCluster(2)
    cluster.createTopic('events', [1, 2])
    expect((await epochEnd(cluster, 0, { broker: 2 })).errorCode).toBe(errorCode('NOT_LEADER_OR_FOLLOWER'))
  })
})
