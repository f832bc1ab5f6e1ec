/**
 * Every error code of Kafka 4.3, once. Refusals travel through the broker as these names; only handlers turn them into codes.
 *
 * - `retriable`: a client may send the same request again and expect it to work in the end.
 * - `definite`: an operation answered with this code certainly did not happen. False when it may have happened, or may yet: a produce that
 *   was appended can still be answered with NOT_LEADER_OR_FOLLOWER when the leader steps down before replication is done. Checkers use it
 *   to tell failed from unknown.
 *
 * Source: Kafka protocol guide, "Error Codes"; codes and retriability as in Apache Kafka 4.3.1.
 */

export interface ErrorEntry<C extends number = number> {
  readonly code: C
  readonly retriable: boolean
  readonly definite: boolean
  readonly message: string
}

function entry<C extends number>(code: C, retriable: boolean, definite: boolean, message: string): ErrorEntry<C> {
  return { code, retriable, definite, message }
}

/** Certainly did not happen, and will not when it is tried again as it is. */
const refused = <C extends number>(code: C, message: string): ErrorEntry<C> => entry(code, false, true, message)
/** Certainly did not happen; worth another try. */
const retriable = <C extends number>(code: C, message: string): ErrorEntry<C> => entry(code, true, true, message)
/** May have happened, or may yet. */
const refusedOrDone = <C extends number>(code: C, message: string): ErrorEntry<C> => entry(code, false, false, message)
/** May have happened, or may yet; worth another try. */
const retriableOrDone = <C extends number>(code: C, message: string): ErrorEntry<C> => entry(code, true, false, message)

export const errorTable = {
  UNKNOWN_SERVER_ERROR: refusedOrDone(-1, 'The server failed in a way that has no code of its own.'),
  NONE: refusedOrDone(0, 'No error.'),
  OFFSET_OUT_OF_RANGE: refused(1, 'The offset lies outside the range that the log holds.'),
  CORRUPT_MESSAGE: retriable(2, 'The record batch is damaged: bad checksum, size or format.'),
  UNKNOWN_TOPIC_OR_PARTITION: retriableOrDone(3, 'This broker has no such topic or partition.'),
  INVALID_FETCH_SIZE: refused(4, 'The fetch size is not valid.'),
  LEADER_NOT_AVAILABLE: retriable(5, 'The partition has no leader at the moment.'),
  NOT_LEADER_OR_FOLLOWER: retriableOrDone(6, 'This broker does not lead the partition, or holds no replica of it.'),
  REQUEST_TIMED_OUT: retriableOrDone(7, 'The operation did not finish within its timeout; it may still take effect.'),
  BROKER_NOT_AVAILABLE: refusedOrDone(8, 'The broker cannot be reached.'),
  REPLICA_NOT_AVAILABLE: retriable(9, 'The replica cannot serve the partition at the moment.'),
  MESSAGE_TOO_LARGE: refused(10, 'The record batch is larger than the topic or broker allows.'),
  STALE_CONTROLLER_EPOCH: refused(11, 'The request comes from a controller that has been replaced.'),
  OFFSET_METADATA_TOO_LARGE: refused(12, 'The metadata attached to the committed offset is too long.'),
  NETWORK_EXCEPTION: retriableOrDone(13, 'The connection closed before a response arrived.'),
  COORDINATOR_LOAD_IN_PROGRESS: retriable(14, 'The coordinator is still loading its state.'),
  COORDINATOR_NOT_AVAILABLE: retriableOrDone(15, 'There is no coordinator available at the moment.'),
  NOT_COORDINATOR: retriableOrDone(16, 'This broker is not the coordinator of the group or transactional id.'),
  INVALID_TOPIC_EXCEPTION: refused(17, 'The topic name is not legal, or the topic may not be used this way.'),
  RECORD_LIST_TOO_LARGE: refused(18, 'The record batch is larger than a log segment.'),
  NOT_ENOUGH_REPLICAS: retriable(
    19,
    'Nothing was written: fewer replicas are in sync than min.insync.replicas asks for.',
  ),
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: retriableOrDone(
    20,
    'The batch was written, but the in-sync set shrank below min.insync.replicas before it was replicated.',
  ),
  INVALID_REQUIRED_ACKS: refused(21, 'acks must be -1, 0 or 1.'),
  ILLEGAL_GENERATION: refused(22, 'The generation of the group has moved on.'),
  INCONSISTENT_GROUP_PROTOCOL: refused(23, 'The member shares no protocol with the rest of the group, or named none.'),
  INVALID_GROUP_ID: refused(24, 'The group id is not legal.'),
  UNKNOWN_MEMBER_ID: refused(25, 'The coordinator does not know this member.'),
  INVALID_SESSION_TIMEOUT: refused(26, 'The session timeout is outside the bounds that the broker sets.'),
  REBALANCE_IN_PROGRESS: refused(27, 'The group is rebalancing; the member has to join again.'),
  INVALID_COMMIT_OFFSET_SIZE: refused(28, 'The offset commit is too large to be stored.'),
  TOPIC_AUTHORIZATION_FAILED: refused(29, 'Not authorized for the topic.'),
  GROUP_AUTHORIZATION_FAILED: refused(30, 'Not authorized for the group.'),
  CLUSTER_AUTHORIZATION_FAILED: refused(31, 'Not authorized for this operation on the cluster.'),
  INVALID_TIMESTAMP: refused(32, "A record's timestamp is too far from the broker's time."),
  UNSUPPORTED_SASL_MECHANISM: refused(33, 'The broker does not offer this SASL mechanism.'),
  ILLEGAL_SASL_STATE: refused(34, 'The request does not fit the state of the SASL exchange.'),
  UNSUPPORTED_VERSION: refused(35, 'The broker does not support this version of the API.'),
  TOPIC_ALREADY_EXISTS: refused(36, 'A topic of this name exists.'),
  INVALID_PARTITIONS: refused(37, 'The number of partitions is not possible.'),
  INVALID_REPLICATION_FACTOR: refused(38, 'The replication factor is below 1 or above the number of brokers.'),
  INVALID_REPLICA_ASSIGNMENT: refused(39, 'The replica assignment is not possible.'),
  INVALID_CONFIG: refused(40, 'A configuration value is not legal.'),
  NOT_CONTROLLER: retriableOrDone(41, 'This node is not the active controller.'),
  INVALID_REQUEST: refused(42, 'The request contradicts itself or the protocol.'),
  UNSUPPORTED_FOR_MESSAGE_FORMAT: refused(43, 'The message format does not support the request.'),
  POLICY_VIOLATION: refused(44, 'A policy of this cluster forbids the request.'),
  OUT_OF_ORDER_SEQUENCE_NUMBER: refused(45, "The producer's sequence number leaves a gap."),
  DUPLICATE_SEQUENCE_NUMBER: refusedOrDone(46, "The producer's sequence number was used before."),
  INVALID_PRODUCER_EPOCH: refused(47, "The producer's epoch is older than the one known here."),
  INVALID_TXN_STATE: refused(48, 'The transaction is not in a state that allows this.'),
  INVALID_PRODUCER_ID_MAPPING: refused(49, 'The producer id does not belong to the transactional id.'),
  INVALID_TRANSACTION_TIMEOUT: refused(50, 'The transaction timeout is above transaction.max.timeout.ms.'),
  CONCURRENT_TRANSACTIONS: retriableOrDone(51, 'Another operation on the same transaction is under way.'),
  TRANSACTION_COORDINATOR_FENCED: refused(52, 'The transaction coordinator that sent the marker has been replaced.'),
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: refused(53, 'Not authorized for the transactional id.'),
  SECURITY_DISABLED: refused(54, 'No authorizer is configured.'),
  OPERATION_NOT_ATTEMPTED: refused(55, 'Not tried, because another part of the request failed.'),
  KAFKA_STORAGE_ERROR: retriableOrDone(56, 'The disk that holds the partition failed.'),
  LOG_DIR_NOT_FOUND: refused(57, 'No such log directory on this broker.'),
  SASL_AUTHENTICATION_FAILED: refused(58, 'SASL authentication failed.'),
  UNKNOWN_PRODUCER_ID: refused(59, 'The broker holds no state of this producer id.'),
  REASSIGNMENT_IN_PROGRESS: refused(60, 'A reassignment of the partition is under way.'),
  DELEGATION_TOKEN_AUTH_DISABLED: refused(61, 'Delegation tokens are not enabled.'),
  DELEGATION_TOKEN_NOT_FOUND: refused(62, 'No such delegation token.'),
  DELEGATION_TOKEN_OWNER_MISMATCH: refused(63, 'The principal is neither owner nor renewer of the token.'),
  DELEGATION_TOKEN_REQUEST_NOT_ALLOWED: refused(
    64,
    'Delegation tokens cannot be requested over this kind of connection.',
  ),
  DELEGATION_TOKEN_AUTHORIZATION_FAILED: refused(65, 'Not authorized for the delegation token.'),
  DELEGATION_TOKEN_EXPIRED: refused(66, 'The delegation token has expired.'),
  INVALID_PRINCIPAL_TYPE: refused(67, 'The type of the principal is not supported.'),
  NON_EMPTY_GROUP: refused(68, 'The group has members.'),
  GROUP_ID_NOT_FOUND: refused(69, 'No such group.'),
  FETCH_SESSION_ID_NOT_FOUND: retriable(70, 'The broker does not know the fetch session.'),
  INVALID_FETCH_SESSION_EPOCH: retriable(71, 'The epoch of the fetch session is not the expected one.'),
  LISTENER_NOT_FOUND: retriable(72, 'The leader has no listener of the name on which the request came in.'),
  TOPIC_DELETION_DISABLED: refused(73, 'Topic deletion is switched off.'),
  FENCED_LEADER_EPOCH: retriable(74, "The leader epoch is older than the broker's."),
  UNKNOWN_LEADER_EPOCH: retriable(75, "The leader epoch is newer than the broker's."),
  UNSUPPORTED_COMPRESSION_TYPE: refused(76, 'The client cannot read the compression of this partition.'),
  STALE_BROKER_EPOCH: refused(77, 'The broker epoch is not that of the current registration.'),
  OFFSET_NOT_AVAILABLE: retriable(78, 'The new leader does not know its high watermark yet.'),
  MEMBER_ID_REQUIRED: refused(79, 'The member has to join again with the member id given here.'),
  PREFERRED_LEADER_NOT_AVAILABLE: retriable(80, 'The preferred leader is not available.'),
  GROUP_MAX_SIZE_REACHED: refused(81, 'The group is full.'),
  FENCED_INSTANCE_ID: refused(82, 'Another member with the same group.instance.id has taken over.'),
  ELIGIBLE_LEADERS_NOT_AVAILABLE: retriable(83, 'No eligible replica is available to lead.'),
  ELECTION_NOT_NEEDED: retriable(84, 'The partition already has the leader that was asked for.'),
  NO_REASSIGNMENT_IN_PROGRESS: refused(85, 'No reassignment is under way.'),
  GROUP_SUBSCRIBED_TO_TOPIC: refused(86, 'The group is subscribed to the topic, so its offsets cannot be deleted.'),
  INVALID_RECORD: refused(87, "The broker's validation rejected a record."),
  UNSTABLE_OFFSET_COMMIT: retriable(88, 'A pending transaction may still change the offsets.'),
  THROTTLING_QUOTA_EXCEEDED: retriable(89, 'A quota is exhausted; try later.'),
  PRODUCER_FENCED: refused(90, 'A newer producer with the same transactional id has taken over.'),
  RESOURCE_NOT_FOUND: refused(91, 'The request names a resource that does not exist.'),
  DUPLICATE_RESOURCE: refused(92, 'The request names the same resource twice.'),
  UNACCEPTABLE_CREDENTIAL: refused(93, 'The credential is not acceptable.'),
  INCONSISTENT_VOTER_SET: refused(94, 'Sender or receiver is not a voter of the quorum.'),
  INVALID_UPDATE_VERSION: refused(95, 'The feature cannot be updated to this version.'),
  FEATURE_UPDATE_FAILED: refused(96, 'The controller could not update the feature.'),
  PRINCIPAL_DESERIALIZATION_FAILURE: refused(97, 'The principal of a forwarded request cannot be read.'),
  SNAPSHOT_NOT_FOUND: refused(98, 'No such snapshot.'),
  POSITION_OUT_OF_RANGE: refused(99, 'The position is outside the snapshot.'),
  UNKNOWN_TOPIC_ID: retriableOrDone(100, 'This broker has no topic with this id.'),
  DUPLICATE_BROKER_REGISTRATION: refused(101, 'A live broker uses this broker id.'),
  BROKER_ID_NOT_REGISTERED: refused(102, 'No broker with this id is registered.'),
  INCONSISTENT_TOPIC_ID: retriable(103, 'The topic id is not the one that the log has.'),
  INCONSISTENT_CLUSTER_ID: refused(104, 'The cluster id is not the one of this cluster.'),
  TRANSACTIONAL_ID_NOT_FOUND: refused(105, 'No such transactional id.'),
  FETCH_SESSION_TOPIC_ID_ERROR: retriable(106, 'The fetch session mixes topic names and topic ids.'),
  INELIGIBLE_REPLICA: refused(107, 'The proposed in-sync set names a replica that may not join.'),
  NEW_LEADER_ELECTED: refusedOrDone(108, 'The in-sync set was changed, and the leadership moved away with it.'),
  OFFSET_MOVED_TO_TIERED_STORAGE: refused(109, 'The offset has been moved to tiered storage.'),
  FENCED_MEMBER_EPOCH: refused(110, "The member's epoch is fenced: give up all partitions and join again."),
  UNRELEASED_INSTANCE_ID: refused(111, 'Another member still holds this instance id.'),
  UNSUPPORTED_ASSIGNOR: refused(112, 'The group does not support the assignor.'),
  STALE_MEMBER_EPOCH: refused(113, "The member's epoch is old; heartbeat first, then try again."),
  MISMATCHED_ENDPOINT_TYPE: refused(114, 'The request reached the wrong kind of endpoint.'),
  UNSUPPORTED_ENDPOINT_TYPE: refused(115, 'This kind of endpoint is not supported.'),
  UNKNOWN_CONTROLLER_ID: refused(116, 'No controller with this id is known.'),
  UNKNOWN_SUBSCRIPTION_ID: refused(117, 'The telemetry subscription is unknown or out of date.'),
  TELEMETRY_TOO_LARGE: refused(118, 'The telemetry payload is too large.'),
  INVALID_REGISTRATION: refused(119, 'The controller does not accept the registration.'),
  TRANSACTION_ABORTABLE: refusedOrDone(
    120,
    'The transaction failed; abort it to go on with the same transactional id.',
  ),
  INVALID_RECORD_STATE: refused(121, "The record's state does not allow the acknowledgement."),
  SHARE_SESSION_NOT_FOUND: retriable(122, 'No such share session.'),
  INVALID_SHARE_SESSION_EPOCH: retriable(123, 'The epoch of the share session is not the expected one.'),
  FENCED_STATE_EPOCH: refused(124, 'The state epoch of the share group does not match.'),
  INVALID_VOTER_KEY: refused(125, "The voter's id and directory are not those of the receiver."),
  DUPLICATE_VOTER: refused(126, 'The replica is a voter already.'),
  VOTER_NOT_FOUND: refused(127, 'The replica is not a voter.'),
  INVALID_REGULAR_EXPRESSION: refused(128, 'The regular expression cannot be used.'),
  REBOOTSTRAP_REQUIRED: refused(129, "The client's view of the cluster is too old: bootstrap again."),
  STREAMS_INVALID_TOPOLOGY: refused(130, 'The topology is not valid.'),
  STREAMS_INVALID_TOPOLOGY_EPOCH: refused(131, 'The epoch of the topology is not valid.'),
  STREAMS_TOPOLOGY_FENCED: refused(132, 'The topology has been replaced by a newer one.'),
  SHARE_SESSION_LIMIT_REACHED: retriable(133, 'The broker holds as many share sessions as it may.'),
} as const

export type ErrorName = keyof typeof errorTable
export type ErrorCode = (typeof errorTable)[ErrorName]['code']

const namesByCode = new Map<number, ErrorName>(
  Object.entries(errorTable).map(([name, entry]) => [entry.code, name as ErrorName]),
)

/** The code that goes on the wire. */
export function errorCode(name: ErrorName): ErrorCode {
  return errorTable[name].code
}

/** The name of a code; a code that Kafka 4.3 does not have is UNKNOWN_SERVER_ERROR, as Kafka's own clients treat it. */
export function errorName(code: number): ErrorName {
  return namesByCode.get(code) ?? 'UNKNOWN_SERVER_ERROR'
}

/** Our one-sentence explanation of an error, for logs and for the error message fields of responses. */
export function errorMessage(name: ErrorName): string {
  return errorTable[name].message
}

/**
 * Bytes that are not what the protocol asks for, or a value that a version cannot carry. While reading, the connection has to be closed:
 * where the next request begins is not known any more.
 */
export class ProtocolError extends Error {
  /** INVALID_REQUEST for malformed bytes or values, UNSUPPORTED_VERSION for a version, or a field, that the version does not have. */
  readonly errorName: ErrorName

  constructor(message: string, errorName: ErrorName = 'INVALID_REQUEST', cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'ProtocolError'
    this.errorName = errorName
  }
}
