import { describe, expect, it } from 'vitest'
import { applyRecords, compareImages, MetadataError } from '#broker/controller/image-builder.ts'
import { MetadataImage } from '#broker/controller/image.ts'
import { brokerRegistrationChange, directoryMigrating, partitionChange } from '#broker/controller/metadata-record.ts'
import type { MetadataRecord, PartitionRecord, RegisterBrokerRecord } from '#broker/controller/metadata-record.ts'

const clusterId = 'KRaftClusterAAAAAAAAAA'
const orders = 'ordersAAAAAAAAAAAAAAAA'
const at = { offset: 9, epoch: 1 }

function registration(brokerId: number, brokerEpoch: number): RegisterBrokerRecord {
  return {
    type: 'RegisterBroker',
    brokerId,
    isMigratingZkBroker: false,
    incarnationId: `incarnation${brokerId}AAAAAAAAAA`,
    brokerEpoch,
    endPoints: [{ name: 'PLAINTEXT', host: '127.0.0.1', port: 9092 + brokerId, securityProtocol: 0 }],
    features: [{ name: 'metadata.version', minSupportedVersion: 7, maxSupportedVersion: 30 }],
    rack: brokerId === 1 ? 'a' : null,
    fenced: true,
    inControlledShutdown: false,
    logDirs: [`directory${brokerId}AAAAAAAAAAAA`],
    cordonedLogDirs: null,
  }
}

function partition(partitionId: number, replicas: number[]): PartitionRecord {
  return {
    type: 'Partition',
    partitionId,
    topicId: orders,
    replicas,
    isr: replicas,
    removingReplicas: [],
    addingReplicas: [],
    leader: replicas[0]!,
    leaderRecoveryState: 0,
    leaderEpoch: 0,
    partitionEpoch: 0,
    directories: replicas.map(id => `directory${id}AAAAAAAAAAAA`),
    eligibleLeaderReplicas: null,
    lastKnownElr: null,
  }
}

const base: MetadataRecord[] = [
  { type: 'FeatureLevel', name: 'metadata.version', featureLevel: 30 },
  registration(1, 1),
  registration(2, 2),
  { type: 'Topic', name: 'orders', topicId: orders },
  partition(0, [1, 2]),
  partition(1, [2, 1]),
  { type: 'Config', resourceType: 2, resourceName: 'orders', name: 'retention.ms', value: '1000' },
  { type: 'Config', resourceType: 4, resourceName: '', name: 'log.cleaner.threads', value: '2' },
  { type: 'ProducerIds', brokerId: 1, brokerEpoch: 1, nextProducerId: 1000n },
]

const fold = (records: readonly MetadataRecord[], image = MetadataImage.empty(clusterId)) =>
  applyRecords(image, records, { offset: 8, epoch: 1 })

describe('the metadata image', () => {
  it('shows what the records say', () => {
    const { image } = fold(base)
    expect(image.partition('orders', 0)).toMatchObject({ leader: 1, isr: [1, 2], leaderEpoch: 0 })
    expect(image.topicsById.get(orders)).toBe(image.topicsByName.get('orders'))
    expect(image.config('topic', 'orders').get('retention.ms')).toBe('1000')
    expect(image.config('broker', '').get('log.cleaner.threads')).toBe('2')
    expect(image.isBrokerAlive(1)).toBe(false)
    expect(image.metadataVersion()).toBe(30)
    expect(image.producerIds?.nextProducerId).toBe(1000n)
  })

  it('is rebuilt by its own records, with nothing lost', () => {
    const { image } = fold([
      ...base,
      brokerRegistrationChange(1, 1, { fenced: -1 }),
      partitionChange(orders, 1, { isr: [1], leader: 1, leaderRecoveryState: 1, eligibleLeaderReplicas: [2] }),
      {
        type: 'ClientQuota',
        entity: [{ entityType: 'user', entityName: null }],
        key: 'producer_byte_rate',
        value: 5.5,
        remove: false,
      },
      {
        type: 'AccessControlEntry',
        id: 'aclAAAAAAAAAAAAAAAAAAA',
        resourceType: 2,
        resourceName: 'orders',
        patternType: 3,
        principal: 'User:a',
        host: '*',
        operation: 3,
        permissionType: 3,
      },
    ])
    const rebuilt = applyRecords(MetadataImage.empty(clusterId), image.toRecords(), { offset: 8, epoch: 1 }).image
    expect(rebuilt).toEqual(image)
    const same = compareImages(image, rebuilt)
    expect([same.changedTopics.size, same.changedBrokers.size, same.changedConfigs.length]).toEqual([0, 0, 0])
    expect([same.aclsChanged, same.clientQuotasChanged, same.producerIdsChanged]).toEqual([false, false, false])
  })

  it('never changes: the next one shares what stayed the same', () => {
    const { image } = fold(base)
    const before = image.topicsByName.get('orders')!
    const next = applyRecords(image, [partitionChange(orders, 0, { isr: [1] })], at)
    expect(before.partitions.get(0)!.isr).toEqual([1, 2])
    expect(next.image.partition('orders', 0)!.isr).toEqual([1])
    expect(next.image.partition('orders', 1)).toBe(before.partitions.get(1))
    expect(next.image.brokers).toBe(image.brokers)
  })

  it('raises the leader epoch with every leader a change names, the partition epoch with every change', () => {
    const { image } = fold([
      ...base,
      partitionChange(orders, 0, { isr: [1] }),
      partitionChange(orders, 0, { leader: 1 }),
    ])
    expect(image.partition('orders', 0)).toMatchObject({ leaderEpoch: 1, partitionEpoch: 2 })
  })

  it('reads partitions from before log directories were assigned', () => {
    const { image } = fold([...base.slice(0, 4), { ...partition(0, [1, 2]), directories: [] }])
    expect(image.partition('orders', 0)!.directories).toEqual([directoryMigrating, directoryMigrating])
  })

  it('refuses records that do not fit the state before them', () => {
    expect(() => fold([partitionChange(orders, 0, { isr: [1] })])).toThrow(MetadataError)
    expect(() => fold([...base, { type: 'Topic', name: 'orders', topicId: 'again' }])).toThrow(/second topic/)
    expect(() => fold([...base, { type: 'FenceBroker', id: 1, epoch: 77 }])).toThrow(/registered with epoch 1/)
  })
})

describe('the delta', () => {
  const { image } = fold(base)

  it('names new and changed partitions with their previous state', () => {
    const delta = applyRecords(image, [partitionChange(orders, 1, { leader: 1 }), partition(2, [1])], at)
    const change = delta.changedTopics.get(orders)!
    expect([...change.partitions.keys()]).toEqual([1, 2])
    expect(change.partitions.get(1)!.previous).toBe(image.partition('orders', 1))
    expect(change.partitions.get(2)!.previous).toBeUndefined()
    expect(delta.newTopics.size).toBe(0)
    expect(delta.previous).toBe(image)
  })

  it('tells a topic deleted and created again under the same name apart by its id, and drops its settings', () => {
    const again = 'againAAAAAAAAAAAAAAAAA'
    const delta = applyRecords(
      image,
      [
        { type: 'RemoveTopic', topicId: orders },
        { type: 'Topic', name: 'orders', topicId: again },
        { ...partition(0, [2]), topicId: again },
      ],
      at,
    )
    expect([...delta.deletedTopics.keys()]).toEqual([orders])
    expect([...delta.newTopics]).toEqual([again])
    expect(delta.changedConfigs).toEqual([{ type: 'topic', name: 'orders' }])
    expect(delta.image.config('topic', 'orders').size).toBe(0)
  })

  it('says nothing of a topic that came and went within one batch', () => {
    const brief = 'briefAAAAAAAAAAAAAAAAA'
    const delta = applyRecords(
      image,
      [
        { type: 'Topic', name: 'brief', topicId: brief },
        { type: 'RemoveTopic', topicId: brief },
      ],
      at,
    )
    expect([delta.changedTopics.size, delta.newTopics.size, delta.deletedTopics.size]).toEqual([0, 0, 0])
  })

  it('names brokers, settings and features that changed', () => {
    const delta = applyRecords(
      image,
      [
        brokerRegistrationChange(2, 2, { fenced: -1 }),
        { type: 'Config', resourceType: 4, resourceName: '', name: 'log.cleaner.threads', value: null },
        { type: 'FeatureLevel', name: 'group.version', featureLevel: 1 },
      ],
      at,
    )
    expect(delta.changedBrokers.get(2)).toMatchObject({ previous: { fenced: true }, current: { fenced: false } })
    expect(delta.changedConfigs).toEqual([{ type: 'broker', name: '' }])
    expect([...delta.changedFeatures]).toEqual(['group.version'])
  })

  it('between two images is what a reader of the log would have seen', () => {
    const records = [partitionChange(orders, 1, { leader: 1 }), brokerRegistrationChange(1, 1, { fenced: -1 })]
    const folded = applyRecords(image, records, at)
    const compared = compareImages(image, folded.image)
    expect({ ...compared, fromSnapshot: false }).toEqual(folded)
  })
})
