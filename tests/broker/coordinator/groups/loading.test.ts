import { describe, expect, it } from 'vitest'
import { MetadataImage } from '#broker/controller/image.ts'
import { Groups } from '#broker/coordinator/groups/groups.ts'
import { DiskError } from '#broker/environment/environment.ts'
import type { PartitionLog } from '#broker/log/log.ts'
import type { Replicas } from '#broker/replication/replication.ts'
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
    const replicas = { log: () => log } as unknown as Replicas
    const metadata = () => MetadataImage.empty('')
    const groups = new Groups({ environment: time.environment, config: testConfig(), replicas, metadata })
    groups.becameLeader(partition, 1)
    await time.pass(1)
    expect(reads).toBe(2)
    expect(groups.list()).toEqual({ groups: [], loading: true })
    groups.resigned(partition)
    expect(groups.list()).toEqual({ groups: [], loading: false })
  })
})
