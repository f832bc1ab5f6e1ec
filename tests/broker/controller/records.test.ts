import { describe, expect, it } from 'vitest'
import { brokerRegistrationChange, decodeRecord, encodeRecord, partitionChange } from '#broker/controller/records.ts'
import type { MetadataRecord } from '#broker/controller/records.ts'

const id = 'MjEyMDE5MTgxNzE2MTUxNA'
const directory = 'ZGlyZWN0b3J5QUFBQUFBQQ'

const records: MetadataRecord[] = [
  {
    type: 'RegisterBroker',
    brokerId: 1,
    isMigratingZkBroker: false,
    incarnationId: id,
    brokerEpoch: 12,
    endPoints: [{ name: 'PLAINTEXT', host: 'localhost', port: 65_000, securityProtocol: 0 }],
    features: [{ name: 'metadata.version', minSupportedVersion: 7, maxSupportedVersion: 30 }],
    rack: null,
    fenced: true,
    inControlledShutdown: false,
    logDirs: [directory],
    cordonedLogDirs: null,
  },
  { type: 'UnregisterBroker', brokerId: 1, brokerEpoch: 12 },
  { type: 'Topic', name: 'orders', topicId: id },
  {
    type: 'Partition',
    partitionId: 0,
    topicId: id,
    replicas: [1, 2],
    isr: [1],
    removingReplicas: [],
    addingReplicas: [2],
    leader: 1,
    leaderRecoveryState: 1,
    leaderEpoch: 3,
    partitionEpoch: 4,
    directories: [directory, directory],
    eligibleLeaderReplicas: [2],
    lastKnownElr: null,
  },
  partitionChange(id, 0, { isr: [2], leader: -1, directories: [directory] }),
  { type: 'RemoveTopic', topicId: id },
  { type: 'Config', resourceType: 2, resourceName: 'orders', name: 'retention.ms', value: null },
  { type: 'FeatureLevel', name: 'metadata.version', featureLevel: 30 },
  { type: 'ProducerIds', brokerId: 1, brokerEpoch: 12, nextProducerId: 9_007_199_254_740_993n },
  { type: 'FenceBroker', id: 1, epoch: 12 },
  { type: 'UnfenceBroker', id: 1, epoch: 12 },
  brokerRegistrationChange(1, 12, { fenced: -1 }),
  brokerRegistrationChange(1, 12, { inControlledShutdown: 1 }),
  brokerRegistrationChange(1, 12, { logDirs: [directory] }),
  {
    type: 'RegisterController',
    controllerId: 1,
    incarnationId: id,
    zkMigrationReady: false,
    endPoints: [],
    features: [],
  },
  { type: 'NoOp' },
  { type: 'BeginTransaction', name: 'bootstrap' },
  { type: 'EndTransaction' },
  { type: 'AbortTransaction', reason: null },
  { type: 'ClearElr', topicName: '' },
  { type: 'ZkMigrationState', zkMigrationState: 0 },
  {
    type: 'AccessControlEntry',
    id,
    resourceType: 2,
    resourceName: 'orders',
    patternType: 3,
    principal: 'User:a',
    host: '*',
    operation: 3,
    permissionType: 3,
  },
  { type: 'RemoveAccessControlEntry', id },
  {
    type: 'UserScramCredential',
    name: 'a',
    mechanism: 1,
    salt: Buffer.from('salt'),
    storedKey: Buffer.from('stored'),
    serverKey: Buffer.from('server'),
    iterations: 4096,
  },
  { type: 'RemoveUserScramCredential', name: 'a', mechanism: 1 },
  {
    type: 'ClientQuota',
    entity: [{ entityType: 'user', entityName: null }],
    key: 'producer_byte_rate',
    value: 1.5,
    remove: false,
  },
  {
    type: 'DelegationToken',
    owner: 'User:a',
    requester: 'User:a',
    renewers: ['User:b'],
    issueTimestamp: 1,
    maxTimestamp: 3,
    expirationTimestamp: 2,
    tokenId: 't',
  },
  { type: 'RemoveDelegationToken', tokenId: 't' },
]

describe('metadata records', () => {
  it.each(records.map(record => [record.type, record] as const))('%s survives its bytes', (_type, record) => {
    expect(decodeRecord(encodeRecord(record, 30))).toEqual(record)
  })

  it('begin with frame version 1, record type and version, as Kafka writes them', () => {
    expect(encodeRecord({ type: 'NoOp' }, 30).toString('hex')).toBe('01140000')
    expect(encodeRecord({ type: 'FeatureLevel', name: 'metadata.version', featureLevel: 30 }, 30).toString('hex')).toBe(
      `010c0011${Buffer.from('metadata.version').toString('hex')}001e00`,
    )
  })

  it('are written in a version that all nodes can read', () => {
    const registration = encodeRecord(records[0]!, 25)
    expect(registration.subarray(0, 3).toString('hex')).toBe('010003')
    const partition = decodeRecord(encodeRecord(records[3]!, 16))
    expect(partition).toMatchObject({ directories: [], eligibleLeaderReplicas: null, isr: [1] })
  })

  it('of an unknown type are an error, not skipped', () => {
    expect(() => decodeRecord(Buffer.from([1, 99, 0, 0]))).toThrow(/record type/)
  })
})
