/** Which rights each API asks for, as requests that need them; see authorization.test.ts. Source: Kafka's KafkaApis and ControllerApis. */
import { anonymous, serializePrincipal } from '#broker/net/principal.ts'
import type { ErrorName } from '#broker/protocol/errors.ts'
import { buildBatch } from '#broker/protocol/records/batch-build.ts'
import type { AclOperation, ResourceType } from '#broker/security/authorization/acl.ts'
import { TestNode } from './controller-context.ts'

export const topic = 'orders'
export const cluster = 'kafka-cluster'
type Right = readonly [AclOperation, ResourceType, string]
export const on = (operation: AclOperation, resourceType: ResourceType, name: string): Right => [
  operation,
  resourceType,
  name,
]
const clusterAction = on('ClusterAction', 'Cluster', cluster)

export interface Case {
  readonly body: object
  readonly refused: ErrorName
  /** All are needed: without any one of them the request is refused with `refused`, or with the code given here. */
  readonly rights: readonly (Right | readonly [...Right, ErrorName])[]
  readonly version?: number
  readonly listener?: 'broker' | 'controller'
}

export const node = new TestNode()
await node.startBrokers(1)
await node.createTopic(topic, [1])
for (const name of ['by-name', 'by-id', 'by-cluster']) await node.createTopic(name, [1])
const idOf = (name: string) => node.publisher.image.topicsByName.get(name)?.id ?? ''
const topicId = idOf(topic)

const needsCluster = (operation: AclOperation, body: object, more: Partial<Case> = {}): Case => ({
  body,
  refused: 'CLUSTER_AUTHORIZATION_FAILED',
  rights: [on(operation, 'Cluster', cluster)],
  ...more,
})
const needsTopic = (operation: AclOperation, body: object, more: Partial<Case> = {}): Case => ({
  body,
  refused: 'TOPIC_AUTHORIZATION_FAILED',
  rights: [on(operation, 'Topic', topic)],
  ...more,
})
const needsGroup = (operation: AclOperation, body: object, more: Partial<Case> = {}): Case => ({
  body,
  refused: 'GROUP_AUTHORIZATION_FAILED',
  rights: [on(operation, 'Group', 'g')],
  ...more,
})
const writesAs = on('Write', 'TransactionalId', 'tx')
const transactionalId = 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED'

const producer = { producerId: 5n, producerEpoch: 0 }
const batch = buildBatch([{ value: Buffer.from('x') }])
const transactionalBatch = buildBatch([{ value: Buffer.from('x') }], { transactional: true, producerId: 5n })
const produced = (records: Buffer, transactional: string | null) => ({
  transactionalId: transactional,
  acks: 1,
  timeoutMs: 100,
  topicData: [{ name: topic, partitionData: [{ index: 0, records }] }],
})
const fetched = (replicaId: number) => ({
  replicaId,
  maxWaitMs: 0,
  minBytes: 0,
  maxBytes: 1000,
  isolationLevel: 0,
  sessionId: 0,
  sessionEpoch: -1,
  topics: [{ topic, partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 100 }] }],
  forgottenTopicsData: [],
  rackId: '',
})
const offsets = [{ name: topic, partitions: [{ partitionIndex: 0, committedOffset: 0, committedMetadata: '' }] }]
const commit = { groupId: 'g', generationIdOrMemberEpoch: -1, memberId: '', retentionTimeMs: -1, topics: offsets }
const configOf = (resourceType: number, resourceName: string) => ({
  resources: [{ resourceType, resourceName, configurationKeys: null, configs: [] }],
  includeSynonyms: false,
  validateOnly: true,
})
const newTopic = { name: 'new', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }
const acl = {
  resourceType: 2,
  resourceName: 't',
  resourcePatternType: 3,
  principal: 'User:a',
  host: '*',
  operation: 3,
  permissionType: 3,
}
const aclFilter = {
  resourceTypeFilter: 2,
  resourceNameFilter: 't',
  patternTypeFilter: 3,
  principalFilter: null,
  hostFilter: null,
  operation: 1,
  permissionType: 1,
}
const quotaEntity = [{ entityType: 'user', entityName: 'a' }]
const shared = (fields: object) => ({
  groupId: 'g',
  topics: [{ topicId, partitions: [{ partition: 0, stateEpoch: 0, leaderEpoch: 0, startOffset: 0, ...fields }] }],
})
const voter = { clusterId: null, topics: [] }
const registration = { ...node.registration(2), logDirs: [], isMigratingZkBroker: false }

/** By API key; those of APIs that are not registered wait. */
export const cases: Readonly<Record<number, readonly Case[]>> = {
  0: [
    needsTopic('Write', produced(batch, null), { version: 9 }),
    {
      body: produced(transactionalBatch, 'tx'),
      version: 9,
      refused: 'TOPIC_AUTHORIZATION_FAILED',
      rights: [on('Write', 'Topic', topic), [...writesAs, transactionalId]],
    },
  ],
  1: [
    needsTopic('Read', fetched(-1), { version: 12 }),
    { ...needsTopic('Read', fetched(2), { version: 12 }), rights: [clusterAction] },
    needsCluster('ClusterAction', fetched(2), { version: 12, listener: 'controller' }),
  ],
  2: [
    needsTopic('Describe', {
      replicaId: -1,
      isolationLevel: 0,
      topics: [{ name: topic, partitions: [{ partitionIndex: 0, timestamp: -1 }] }],
    }),
  ],
  3: [
    needsTopic('Describe', { topics: [{ name: topic }], allowAutoTopicCreation: false }, { version: 9 }),
    {
      body: { topics: [{ name: 'unknown' }], allowAutoTopicCreation: true },
      version: 9,
      refused: 'TOPIC_AUTHORIZATION_FAILED',
      rights: [on('Describe', 'Topic', 'unknown'), on('Create', 'Topic', 'unknown')],
    },
    {
      body: { topics: [{ name: 'unknown' }], allowAutoTopicCreation: true },
      version: 9,
      refused: 'TOPIC_AUTHORIZATION_FAILED',
      rights: [on('Describe', 'Topic', 'unknown'), on('Create', 'Cluster', cluster)],
    },
  ],
  8: [
    {
      body: commit,
      version: 8,
      refused: 'TOPIC_AUTHORIZATION_FAILED',
      rights: [on('Read', 'Topic', topic), [...on('Read', 'Group', 'g'), 'GROUP_AUTHORIZATION_FAILED']],
    },
  ],
  9: [needsGroup('Describe', { groups: [{ groupId: 'g', topics: [] }], requireStable: false }, { version: 8 })],
  10: [
    needsGroup('Describe', { keyType: 0, coordinatorKeys: ['g'] }),
    {
      body: { keyType: 1, coordinatorKeys: ['tx'] },
      refused: transactionalId,
      rights: [on('Describe', 'TransactionalId', 'tx')],
    },
  ],
  11: [
    needsGroup('Read', {
      groupId: 'g',
      sessionTimeoutMs: 6000,
      rebalanceTimeoutMs: 6000,
      memberId: '',
      protocolType: 'consumer',
      protocols: [],
    }),
  ],
  12: [needsGroup('Read', { groupId: 'g', generationId: 0, memberId: 'm' })],
  13: [needsGroup('Read', { groupId: 'g', members: [] })],
  14: [needsGroup('Read', { groupId: 'g', generationId: 0, memberId: 'm', assignments: [] })],
  15: [needsGroup('Describe', { groups: ['g'], includeAuthorizedOperations: false })],
  19: [
    needsTopic(
      'Create',
      { topics: [newTopic], timeoutMs: 100, validateOnly: true },
      { rights: newTopicRights('Topic') },
    ),
    needsTopic(
      'Create',
      { topics: [newTopic], timeoutMs: 100, validateOnly: true },
      { rights: newTopicRights('Cluster') },
    ),
  ],
  // What is deleted is gone for the others.
  20: [
    {
      body: { topics: [{ name: 'by-name', topicId: 'AAAAAAAAAAAAAAAAAAAAAA' }], timeoutMs: 100 },
      refused: 'TOPIC_AUTHORIZATION_FAILED',
      rights: [on('Delete', 'Topic', 'by-name'), on('Describe', 'Topic', 'by-name')],
    },
    {
      body: { topics: [{ name: null, topicId: idOf('by-id') }], timeoutMs: 100 },
      refused: 'TOPIC_AUTHORIZATION_FAILED',
      rights: [on('Delete', 'Topic', 'by-id')],
    },
    {
      body: { topics: [{ name: null, topicId: idOf('by-cluster') }], timeoutMs: 100 },
      refused: 'TOPIC_AUTHORIZATION_FAILED',
      rights: [on('Delete', 'Cluster', cluster)],
    },
  ],
  21: [
    needsTopic('Delete', { topics: [{ name: topic, partitions: [{ partitionIndex: 0, offset: 0 }] }], timeoutMs: 9 }),
  ],
  22: [
    needsCluster('IdempotentWrite', { transactionalId: null, transactionTimeoutMs: 100 }),
    {
      ...needsCluster('Write', { transactionalId: null, transactionTimeoutMs: 100 }),
      rights: [on('Write', 'Topic', topic)],
    },
    { body: { transactionalId: 'tx', transactionTimeoutMs: 100 }, refused: transactionalId, rights: [writesAs] },
  ],
  23: [
    needsTopic('Describe', { topics: [{ topic, partitions: [{ partition: 0, leaderEpoch: 0 }] }] }),
    {
      ...needsTopic('Describe', { topics: [{ topic, partitions: [{ partition: 0, leaderEpoch: 0 }] }] }),
      rights: [clusterAction],
    },
  ],
  24: [
    {
      body: {
        v3AndBelowTransactionalId: 'tx',
        v3AndBelowProducerId: 5n,
        v3AndBelowProducerEpoch: 0,
        v3AndBelowTopics: [{ name: topic, partitions: [0] }],
      },
      version: 3,
      refused: 'TOPIC_AUTHORIZATION_FAILED',
      rights: [on('Write', 'Topic', topic), [...writesAs, transactionalId]],
    },
    needsCluster('ClusterAction', {
      transactions: [{ transactionalId: 'tx', ...producer, topics: [{ name: topic, partitions: [0] }] }],
    }),
  ],
  25: [
    {
      body: { transactionalId: 'tx', ...producer, groupId: 'g' },
      refused: 'GROUP_AUTHORIZATION_FAILED',
      rights: [on('Read', 'Group', 'g'), [...writesAs, transactionalId]],
    },
  ],
  26: [{ body: { transactionalId: 'tx', ...producer, committed: true }, refused: transactionalId, rights: [writesAs] }],
  27: (['Alter', 'ClusterAction'] as const).map(operation =>
    needsCluster(operation, {
      markers: [
        {
          ...producer,
          transactionResult: true,
          topics: [{ name: topic, partitionIndexes: [0] }],
          coordinatorEpoch: 0,
        },
      ],
    }),
  ),
  28: [
    {
      body: { transactionalId: 'tx', groupId: 'g', ...producer, topics: offsets },
      refused: 'TOPIC_AUTHORIZATION_FAILED',
      rights: [
        on('Read', 'Topic', topic),
        [...on('Read', 'Group', 'g'), 'GROUP_AUTHORIZATION_FAILED'],
        [...writesAs, transactionalId],
      ],
    },
  ],
  29: [needsCluster('Describe', aclFilter)],
  30: [needsCluster('Alter', { creations: [acl] })],
  31: [needsCluster('Alter', { filters: [aclFilter] })],
  32: [
    needsTopic('DescribeConfigs', configOf(2, topic)),
    needsCluster('DescribeConfigs', configOf(4, '1')),
    needsGroup('DescribeConfigs', configOf(32, 'g')),
  ],
  33: [
    needsTopic('AlterConfigs', configOf(2, topic), { listener: 'controller' }),
    needsCluster('AlterConfigs', configOf(4, '1'), { listener: 'controller' }),
    needsGroup('AlterConfigs', configOf(32, 'g'), { listener: 'controller' }),
  ],
  34: [needsCluster('Alter', { dirs: [{ path: '/d', topics: [{ name: topic, partitions: [0] }] }] })],
  35: [needsCluster('Describe', { topics: null })],
  37: [
    needsTopic('Alter', { topics: [{ name: topic, count: 2, assignments: null }], timeoutMs: 100, validateOnly: true }),
  ],
  38: [
    {
      body: { ownerPrincipalType: 'User', ownerPrincipalName: 'bob', renewers: [], maxLifetimeMs: -1 },
      refused: 'DELEGATION_TOKEN_AUTHORIZATION_FAILED',
      rights: [on('CreateTokens', 'User', 'User:bob')],
    },
  ],
  42: [needsGroup('Delete', { groupsNames: ['g'] })],
  43: [needsCluster('Alter', { electionType: 0, topicPartitions: null, timeoutMs: 100 })],
  44: [
    needsTopic('AlterConfigs', configOf(2, topic), { listener: 'controller' }),
    needsCluster('AlterConfigs', configOf(4, '1'), { listener: 'controller' }),
    needsGroup('AlterConfigs', configOf(32, 'g'), { listener: 'controller' }),
  ],
  45: [needsCluster('Alter', { topics: [] })],
  46: [needsCluster('Describe', { topics: null })],
  47: [
    needsGroup('Delete', { groupId: 'g', topics: [] }),
    {
      body: { groupId: 'g', topics: [{ name: topic, partitions: [{ partitionIndex: 0 }] }] },
      refused: 'TOPIC_AUTHORIZATION_FAILED',
      rights: [on('Read', 'Topic', topic), [...on('Delete', 'Group', 'g'), 'GROUP_AUTHORIZATION_FAILED']],
    },
  ],
  48: [needsCluster('DescribeConfigs', { components: [], strict: false })],
  49: [
    needsCluster('AlterConfigs', {
      entries: [{ entity: quotaEntity, ops: [{ key: 'producer_byte_rate', value: 5, remove: false }] }],
      validateOnly: true,
    }),
  ],
  50: [needsCluster('Describe', { users: null })],
  51: [needsCluster('Alter', { deletions: [{ name: 'a', mechanism: 1 }], upsertions: [] })],
  52: [needsCluster('ClusterAction', voter)],
  53: [needsCluster('ClusterAction', voter)],
  54: [needsCluster('ClusterAction', voter)],
  55: [needsCluster('Describe', { topics: [] })],
  56: [needsCluster('ClusterAction', { brokerId: 1, brokerEpoch: 0, topics: [] })],
  57: [needsCluster('Alter', { featureUpdates: [], validateOnly: true })],
  58: [
    needsCluster('ClusterAction', {
      requestData: Buffer.alloc(0),
      requestPrincipal: serializePrincipal(anonymous),
      clientHostAddress: Buffer.from([127, 0, 0, 1]),
    }),
  ],
  59: [needsCluster('ClusterAction', { clusterId: null, replicaId: 1, maxBytes: 1, topics: [] })],
  60: [
    needsCluster('Alter', { includeClusterAuthorizedOperations: false, endpointType: 2 }, { listener: 'controller' }),
  ],
  61: [needsTopic('Read', { topics: [{ name: topic, partitionIndexes: [0] }] })],
  62: [needsCluster('ClusterAction', registration)],
  63: [
    needsCluster('ClusterAction', {
      brokerId: 1,
      brokerEpoch: 0,
      currentMetadataOffset: 0,
      wantFence: false,
      wantShutDown: false,
    }),
  ],
  64: [needsCluster('Alter', { brokerId: 7 })],
  65: [
    { body: { transactionalIds: ['tx'] }, refused: transactionalId, rights: [on('Describe', 'TransactionalId', 'tx')] },
  ],
  67: [needsCluster('ClusterAction', { brokerId: 1, brokerEpoch: 0 })],
  68: [needsGroup('Read', { groupId: 'g', memberId: 'm', memberEpoch: 0 })],
  69: [needsGroup('Describe', { groupIds: ['g'], includeAuthorizedOperations: false })],
  70: [
    needsCluster('ClusterAction', {
      controllerId: 3,
      incarnationId: topicId,
      zkMigrationReady: false,
      listeners: [],
      features: [],
    }),
  ],
  73: [needsCluster('ClusterAction', { brokerId: 1, brokerEpoch: 0, directories: [] })],
  74: [needsCluster('DescribeConfigs', { resourceTypes: [] })],
  75: [needsTopic('Describe', { topics: [{ name: topic }] })],
  76: [needsGroup('Read', { groupId: 'g', memberId: 'm', memberEpoch: 0 })],
  77: [needsGroup('Describe', { groupIds: ['g'], includeAuthorizedOperations: false })],
  88: [needsGroup('Read', { groupId: 'g', memberId: 'm', memberEpoch: -1, endpointInformationEpoch: 0 })],
  89: [needsGroup('Describe', { groupIds: ['g'], includeAuthorizedOperations: false })],
  78: [
    needsGroup('Read', {
      groupId: 'g',
      memberId: 'm',
      shareSessionEpoch: 0,
      maxWaitMs: 0,
      minBytes: 0,
      maxRecords: 1,
      batchSize: 1,
      topics: [],
      forgottenTopicsData: [],
    }),
  ],
  79: [needsGroup('Read', { groupId: 'g', memberId: 'm', shareSessionEpoch: 1, topics: [] })],
  82: [
    needsCluster('ClusterAction', {
      clusterId: null,
      currentLeaderEpoch: 1,
      voterId: 1,
      voterDirectoryId: topicId,
      listeners: [],
      kRaftVersionFeature: { minSupportedVersion: 0, maxSupportedVersion: 1 },
    }),
  ],
  83: [needsCluster('ClusterAction', shared({}))],
  84: [needsCluster('ClusterAction', shared({}))],
  85: [needsCluster('ClusterAction', shared({ stateBatches: [] }))],
  86: [needsCluster('ClusterAction', shared({}))],
  87: [needsCluster('ClusterAction', shared({}))],
  90: [needsGroup('Describe', { groups: [{ groupId: 'g', topics: [] }] })],
  91: [needsGroup('Read', { groupId: 'g', topics: [] })],
  92: [needsGroup('Delete', { groupId: 'g', topics: [] })],
}

function newTopicRights(by: 'Topic' | 'Cluster'): Case['rights'] {
  const create = by === 'Topic' ? on('Create', 'Topic', 'new') : on('Create', 'Cluster', cluster)
  return [create, on('DescribeConfigs', 'Topic', 'new')]
}
