import { describe, expect, it } from 'vitest'
import { MetadataImage } from '#broker/controller/image.ts'
import { Groups } from '#broker/coordinator/groups/groups.ts'
import { DiskError } from '#broker/environment/environment.ts'
import type { PartitionLog } from '#broker/log/log.ts'
import type { LeadershipListener, Replicas } from '#broker/replication/replication.ts'
import { FakeTime } from '../../controller/fakes.ts'
import { testConfig } from '../../controller/harness.ts'

const partition = { topic: '__consumer_offsets', partition: 0 }

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
    const replicas = { log: () => log, watchTopic } as unknown as Replicas
    const metadata = () => MetadataImage.empty('')
    const groups = new Groups({
      environment: time.environment,
      config: testConfig(),
      liveConfig: () => testConfig(),
      replicas,
      metadata,
    })
    groups.start()
    listener?.becameLeader(partition, 1)
    await time.pass(1)
    expect(reads).toBe(2)
    expect(groups.list()).toEqual({ groups: [], loading: true })
    listener?.resigned(partition, 2)
    expect(groups.list()).toEqual({ groups: [], loading: false })
    groups.stop()
  })
})
