/**
 * Every API of Kafka 4.3 in one table: keys, names, versions, and on which kind of listener it is served. Cheap to import: it names no
 * message; `messages/index.ts` has the declarations by key, and `tests/broker/protocol` proves that both agree.
 *
 * Keys 4 to 7 (LeaderAndIsr, StopReplica, UpdateMetadata, ControlledShutdown) went with ZooKeeper and are absent.
 * Source: Kafka protocol guide, "Api Keys"; Apache Kafka 4.3.1.
 */

export type ListenerKind = 'broker' | 'controller' | 'both'

export interface Api {
  readonly key: number
  readonly name: string
  readonly minVersion: number
  readonly maxVersion: number
  /** Highest version to advertise; the one above is still marked unstable in Kafka 4.3. */
  readonly latestStable: number
  /** First version with compact lengths, tagged fields and the flexible headers (KIP-482); Infinity when there is none. */
  readonly firstFlexible: number
  readonly listeners: ListenerKind
}

function api(
  key: number,
  name: string,
  [minVersion, maxVersion]: readonly [number, number],
  firstFlexible: number,
  listeners: ListenerKind,
  latestStable = maxVersion,
): Api {
  return { key, name, minVersion, maxVersion, latestStable, firstFlexible, listeners }
}

/** In key order. */
export const apis: readonly Api[] = [
  api(0, 'Produce', [3, 13], 9, 'broker'),
  api(1, 'Fetch', [4, 18], 12, 'both'),
  api(2, 'ListOffsets', [1, 11], 6, 'broker'),
  api(3, 'Metadata', [0, 13], 9, 'broker'),
  api(8, 'OffsetCommit', [2, 10], 8, 'broker'),
  api(9, 'OffsetFetch', [1, 10], 6, 'broker'),
  api(10, 'FindCoordinator', [0, 6], 3, 'broker'),
  api(11, 'JoinGroup', [0, 9], 6, 'broker'),
  api(12, 'Heartbeat', [0, 4], 4, 'broker'),
  api(13, 'LeaveGroup', [0, 5], 4, 'broker'),
  api(14, 'SyncGroup', [0, 5], 4, 'broker'),
  api(15, 'DescribeGroups', [0, 6], 5, 'broker'),
  api(16, 'ListGroups', [0, 5], 3, 'broker'),
  api(17, 'SaslHandshake', [0, 1], Infinity, 'both'),
  api(18, 'ApiVersions', [0, 4], 3, 'both'),
  api(19, 'CreateTopics', [2, 7], 5, 'both'),
  api(20, 'DeleteTopics', [1, 6], 4, 'both'),
  api(21, 'DeleteRecords', [0, 2], 2, 'broker'),
  api(22, 'InitProducerId', [0, 6], 2, 'broker', 5),
  api(23, 'OffsetForLeaderEpoch', [2, 4], 4, 'broker'),
  api(24, 'AddPartitionsToTxn', [0, 5], 3, 'broker'),
  api(25, 'AddOffsetsToTxn', [0, 4], 3, 'broker'),
  api(26, 'EndTxn', [0, 5], 3, 'broker'),
  api(27, 'WriteTxnMarkers', [1, 2], 1, 'broker'),
  api(28, 'TxnOffsetCommit', [0, 5], 3, 'broker'),
  api(29, 'DescribeAcls', [1, 3], 2, 'both'),
  api(30, 'CreateAcls', [1, 3], 2, 'both'),
  api(31, 'DeleteAcls', [1, 3], 2, 'both'),
  api(32, 'DescribeConfigs', [1, 4], 4, 'both'),
  api(33, 'AlterConfigs', [0, 2], 2, 'both'),
  api(34, 'AlterReplicaLogDirs', [1, 2], 2, 'broker'),
  api(35, 'DescribeLogDirs', [1, 5], 2, 'broker'),
  api(36, 'SaslAuthenticate', [0, 2], 2, 'both'),
  api(37, 'CreatePartitions', [0, 3], 2, 'both'),
  api(38, 'CreateDelegationToken', [1, 3], 2, 'both'),
  api(39, 'RenewDelegationToken', [1, 2], 2, 'both'),
  api(40, 'ExpireDelegationToken', [1, 2], 2, 'both'),
  api(41, 'DescribeDelegationToken', [1, 3], 2, 'both'),
  api(42, 'DeleteGroups', [0, 2], 2, 'broker'),
  api(43, 'ElectLeaders', [0, 2], 2, 'both'),
  api(44, 'IncrementalAlterConfigs', [0, 1], 1, 'both'),
  api(45, 'AlterPartitionReassignments', [0, 1], 0, 'both'),
  api(46, 'ListPartitionReassignments', [0, 0], 0, 'both'),
  api(47, 'OffsetDelete', [0, 0], Infinity, 'broker'),
  api(48, 'DescribeClientQuotas', [0, 1], 1, 'broker'),
  api(49, 'AlterClientQuotas', [0, 1], 1, 'both'),
  api(50, 'DescribeUserScramCredentials', [0, 0], 0, 'both'),
  api(51, 'AlterUserScramCredentials', [0, 0], 0, 'both'),
  api(52, 'Vote', [0, 2], 0, 'controller'),
  api(53, 'BeginQuorumEpoch', [0, 1], 1, 'controller'),
  api(54, 'EndQuorumEpoch', [0, 1], 1, 'controller'),
  api(55, 'DescribeQuorum', [0, 2], 0, 'both'),
  api(56, 'AlterPartition', [2, 3], 0, 'controller'),
  api(57, 'UpdateFeatures', [0, 2], 0, 'both'),
  api(58, 'Envelope', [0, 0], 0, 'controller'),
  api(59, 'FetchSnapshot', [0, 1], 0, 'controller'),
  api(60, 'DescribeCluster', [0, 2], 0, 'both'),
  api(61, 'DescribeProducers', [0, 0], 0, 'broker'),
  api(62, 'BrokerRegistration', [0, 4], 0, 'controller'),
  api(63, 'BrokerHeartbeat', [0, 2], 0, 'controller'),
  api(64, 'UnregisterBroker', [0, 0], 0, 'both'),
  api(65, 'DescribeTransactions', [0, 0], 0, 'broker'),
  api(66, 'ListTransactions', [0, 2], 0, 'broker'),
  api(67, 'AllocateProducerIds', [0, 0], 0, 'controller'),
  api(68, 'ConsumerGroupHeartbeat', [0, 1], 0, 'broker'),
  api(69, 'ConsumerGroupDescribe', [0, 1], 0, 'broker'),
  api(70, 'ControllerRegistration', [0, 0], 0, 'controller'),
  api(71, 'GetTelemetrySubscriptions', [0, 0], 0, 'broker'),
  api(72, 'PushTelemetry', [0, 0], 0, 'broker'),
  api(73, 'AssignReplicasToDirs', [0, 0], 0, 'controller'),
  api(74, 'ListConfigResources', [0, 1], 0, 'broker'),
  api(75, 'DescribeTopicPartitions', [0, 0], 0, 'broker'),
  api(76, 'ShareGroupHeartbeat', [1, 1], 0, 'broker'),
  api(77, 'ShareGroupDescribe', [1, 1], 0, 'broker'),
  api(78, 'ShareFetch', [1, 2], 0, 'broker'),
  api(79, 'ShareAcknowledge', [1, 2], 0, 'broker'),
  api(80, 'AddRaftVoter', [0, 1], 0, 'both'),
  api(81, 'RemoveRaftVoter', [0, 0], 0, 'both'),
  api(82, 'UpdateRaftVoter', [0, 0], 0, 'controller'),
  api(83, 'InitializeShareGroupState', [0, 0], 0, 'broker'),
  api(84, 'ReadShareGroupState', [0, 0], 0, 'broker'),
  api(85, 'WriteShareGroupState', [0, 1], 0, 'broker'),
  api(86, 'DeleteShareGroupState', [0, 0], 0, 'broker'),
  api(87, 'ReadShareGroupStateSummary', [0, 1], 0, 'broker'),
  api(88, 'StreamsGroupHeartbeat', [0, 0], 0, 'broker'),
  api(89, 'StreamsGroupDescribe', [0, 0], 0, 'broker'),
  api(90, 'DescribeShareGroupOffsets', [0, 1], 0, 'broker'),
  api(91, 'AlterShareGroupOffsets', [0, 0], 0, 'broker'),
  api(92, 'DeleteShareGroupOffsets', [0, 0], 0, 'broker'),
]

const byKey = new Map(apis.map(entry => [entry.key, entry]))
const byName = new Map(apis.map(entry => [entry.name, entry]))

/** The API of a key that came in a request header; undefined when Kafka 4.3 has none. */
export function apiByKey(key: number): Api | undefined {
  return byKey.get(key)
}

/** The API of a name such as 'Fetch'. */
export function apiByName(name: string): Api | undefined {
  return byName.get(name)
}

/**
 * Librdkafka before 2.8 tests for Produce v0-2 before it trusts a broker, so brokers must offer a minimum of 0 on the broker listener
 * although they refuse these versions (KAFKA-18659).
 */
export const produceAdvertisedMinVersion = 0
