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

interface ErrorEntry {
  readonly code: number
  readonly retriable: boolean
  readonly definite: boolean
  readonly message: string
}

export const errorTable = {
  UNKNOWN_SERVER_ERROR: {
    code: -1,
    retriable: false,
    definite: false,
    message: 'The server failed in a way that has no code of its own.',
  },
  NONE: { code: 0, retriable: false, definite: false, message: 'No error.' },
  OFFSET_OUT_OF_RANGE: {
    code: 1,
    retriable: false,
    definite: true,
    message: 'The offset lies outside the range that the log holds.',
  },
  CORRUPT_MESSAGE: {
    code: 2,
    retriable: true,
    definite: true,
    message: 'The record batch is damaged: bad checksum, size or format.',
  },
  UNKNOWN_TOPIC_OR_PARTITION: {
    code: 3,
    retriable: true,
    definite: false,
    message: 'This broker has no such topic or partition.',
  },
  INVALID_FETCH_SIZE: { code: 4, retriable: false, definite: true, message: 'The fetch size is not valid.' },
  LEADER_NOT_AVAILABLE: {
    code: 5,
    retriable: true,
    definite: true,
    message: 'The partition has no leader at the moment.',
  },
  NOT_LEADER_OR_FOLLOWER: {
    code: 6,
    retriable: true,
    definite: false,
    message: 'This broker does not lead the partition, or holds no replica of it.',
  },
  REQUEST_TIMED_OUT: {
    code: 7,
    retriable: true,
    definite: false,
    message: 'The operation did not finish within its timeout; it may still take effect.',
  },
  BROKER_NOT_AVAILABLE: { code: 8, retriable: false, definite: false, message: 'The broker cannot be reached.' },
  REPLICA_NOT_AVAILABLE: {
    code: 9,
    retriable: true,
    definite: true,
    message: 'The replica cannot serve the partition at the moment.',
  },
  MESSAGE_TOO_LARGE: {
    code: 10,
    retriable: false,
    definite: true,
    message: 'The record batch is larger than the topic or broker allows.',
  },
  STALE_CONTROLLER_EPOCH: {
    code: 11,
    retriable: false,
    definite: true,
    message: 'The request comes from a controller that has been replaced.',
  },
  OFFSET_METADATA_TOO_LARGE: {
    code: 12,
    retriable: false,
    definite: true,
    message: 'The metadata attached to the committed offset is too long.',
  },
  NETWORK_EXCEPTION: {
    code: 13,
    retriable: true,
    definite: false,
    message: 'The connection closed before a response arrived.',
  },
  COORDINATOR_LOAD_IN_PROGRESS: {
    code: 14,
    retriable: true,
    definite: true,
    message: 'The coordinator is still loading its state.',
  },
  COORDINATOR_NOT_AVAILABLE: {
    code: 15,
    retriable: true,
    definite: false,
    message: 'There is no coordinator available at the moment.',
  },
  NOT_COORDINATOR: {
    code: 16,
    retriable: true,
    definite: false,
    message: 'This broker is not the coordinator of the group or transactional id.',
  },
  INVALID_TOPIC_EXCEPTION: {
    code: 17,
    retriable: false,
    definite: true,
    message: 'The topic name is not legal, or the topic may not be used this way.',
  },
  RECORD_LIST_TOO_LARGE: {
    code: 18,
    retriable: false,
    definite: true,
    message: 'The record batch is larger than a log segment.',
  },
  NOT_ENOUGH_REPLICAS: {
    code: 19,
    retriable: true,
    definite: true,
    message: 'Nothing was written: fewer replicas are in sync than min.insync.replicas asks for.',
  },
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: {
    code: 20,
    retriable: true,
    definite: false,
    message: 'The batch was written, but the in-sync set shrank below min.insync.replicas before it was replicated.',
  },
  INVALID_REQUIRED_ACKS: { code: 21, retriable: false, definite: true, message: 'acks must be -1, 0 or 1.' },
  ILLEGAL_GENERATION: {
    code: 22,
    retriable: false,
    definite: true,
    message: 'The generation of the group has moved on.',
  },
  INCONSISTENT_GROUP_PROTOCOL: {
    code: 23,
    retriable: false,
    definite: true,
    message: 'The member shares no protocol with the rest of the group, or named none.',
  },
  INVALID_GROUP_ID: { code: 24, retriable: false, definite: true, message: 'The group id is not legal.' },
  UNKNOWN_MEMBER_ID: {
    code: 25,
    retriable: false,
    definite: true,
    message: 'The coordinator does not know this member.',
  },
  INVALID_SESSION_TIMEOUT: {
    code: 26,
    retriable: false,
    definite: true,
    message: 'The session timeout is outside the bounds that the broker sets.',
  },
  REBALANCE_IN_PROGRESS: {
    code: 27,
    retriable: false,
    definite: true,
    message: 'The group is rebalancing; the member has to join again.',
  },
  INVALID_COMMIT_OFFSET_SIZE: {
    code: 28,
    retriable: false,
    definite: true,
    message: 'The offset commit is too large to be stored.',
  },
  TOPIC_AUTHORIZATION_FAILED: { code: 29, retriable: false, definite: true, message: 'Not authorized for the topic.' },
  GROUP_AUTHORIZATION_FAILED: { code: 30, retriable: false, definite: true, message: 'Not authorized for the group.' },
  CLUSTER_AUTHORIZATION_FAILED: {
    code: 31,
    retriable: false,
    definite: true,
    message: 'Not authorized for this operation on the cluster.',
  },
  INVALID_TIMESTAMP: {
    code: 32,
    retriable: false,
    definite: true,
    message: "A record's timestamp is too far from the broker's time.",
  },
  UNSUPPORTED_SASL_MECHANISM: {
    code: 33,
    retriable: false,
    definite: true,
    message: 'The broker does not offer this SASL mechanism.',
  },
  ILLEGAL_SASL_STATE: {
    code: 34,
    retriable: false,
    definite: true,
    message: 'The request does not fit the state of the SASL exchange.',
  },
  UNSUPPORTED_VERSION: {
    code: 35,
    retriable: false,
    definite: true,
    message: 'The broker does not support this version of the API.',
  },
  TOPIC_ALREADY_EXISTS: { code: 36, retriable: false, definite: true, message: 'A topic of this name exists.' },
  INVALID_PARTITIONS: {
    code: 37,
    retriable: false,
    definite: true,
    message: 'The number of partitions is not possible.',
  },
  INVALID_REPLICATION_FACTOR: {
    code: 38,
    retriable: false,
    definite: true,
    message: 'The replication factor is below 1 or above the number of brokers.',
  },
  INVALID_REPLICA_ASSIGNMENT: {
    code: 39,
    retriable: false,
    definite: true,
    message: 'The replica assignment is not possible.',
  },
  INVALID_CONFIG: { code: 40, retriable: false, definite: true, message: 'A configuration value is not legal.' },
  NOT_CONTROLLER: { code: 41, retriable: true, definite: false, message: 'This node is not the active controller.' },
  INVALID_REQUEST: {
    code: 42,
    retriable: false,
    definite: true,
    message: 'The request contradicts itself or the protocol.',
  },
  UNSUPPORTED_FOR_MESSAGE_FORMAT: {
    code: 43,
    retriable: false,
    definite: true,
    message: 'The message format does not support the request.',
  },
  POLICY_VIOLATION: {
    code: 44,
    retriable: false,
    definite: true,
    message: 'A policy of this cluster forbids the request.',
  },
  OUT_OF_ORDER_SEQUENCE_NUMBER: {
    code: 45,
    retriable: false,
    definite: true,
    message: "The producer's sequence number leaves a gap.",
  },
  DUPLICATE_SEQUENCE_NUMBER: {
    code: 46,
    retriable: false,
    definite: false,
    message: "The producer's sequence number was used before.",
  },
  INVALID_PRODUCER_EPOCH: {
    code: 47,
    retriable: false,
    definite: true,
    message: "The producer's epoch is older than the one known here.",
  },
  INVALID_TXN_STATE: {
    code: 48,
    retriable: false,
    definite: true,
    message: 'The transaction is not in a state that allows this.',
  },
  INVALID_PRODUCER_ID_MAPPING: {
    code: 49,
    retriable: false,
    definite: true,
    message: 'The producer id does not belong to the transactional id.',
  },
  INVALID_TRANSACTION_TIMEOUT: {
    code: 50,
    retriable: false,
    definite: true,
    message: 'The transaction timeout is above transaction.max.timeout.ms.',
  },
  CONCURRENT_TRANSACTIONS: {
    code: 51,
    retriable: true,
    definite: false,
    message: 'Another operation on the same transaction is under way.',
  },
  TRANSACTION_COORDINATOR_FENCED: {
    code: 52,
    retriable: false,
    definite: true,
    message: 'The transaction coordinator that sent the marker has been replaced.',
  },
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: {
    code: 53,
    retriable: false,
    definite: true,
    message: 'Not authorized for the transactional id.',
  },
  SECURITY_DISABLED: { code: 54, retriable: false, definite: true, message: 'No authorizer is configured.' },
  OPERATION_NOT_ATTEMPTED: {
    code: 55,
    retriable: false,
    definite: true,
    message: 'Not tried, because another part of the request failed.',
  },
  KAFKA_STORAGE_ERROR: {
    code: 56,
    retriable: true,
    definite: false,
    message: 'The disk that holds the partition failed.',
  },
  LOG_DIR_NOT_FOUND: { code: 57, retriable: false, definite: true, message: 'No such log directory on this broker.' },
  SASL_AUTHENTICATION_FAILED: { code: 58, retriable: false, definite: true, message: 'SASL authentication failed.' },
  UNKNOWN_PRODUCER_ID: {
    code: 59,
    retriable: false,
    definite: true,
    message: 'The broker holds no state of this producer id.',
  },
  REASSIGNMENT_IN_PROGRESS: {
    code: 60,
    retriable: false,
    definite: true,
    message: 'A reassignment of the partition is under way.',
  },
  DELEGATION_TOKEN_AUTH_DISABLED: {
    code: 61,
    retriable: false,
    definite: true,
    message: 'Delegation tokens are not enabled.',
  },
  DELEGATION_TOKEN_NOT_FOUND: { code: 62, retriable: false, definite: true, message: 'No such delegation token.' },
  DELEGATION_TOKEN_OWNER_MISMATCH: {
    code: 63,
    retriable: false,
    definite: true,
    message: 'The principal is neither owner nor renewer of the token.',
  },
  DELEGATION_TOKEN_REQUEST_NOT_ALLOWED: {
    code: 64,
    retriable: false,
    definite: true,
    message: 'Delegation tokens cannot be requested over this kind of connection.',
  },
  DELEGATION_TOKEN_AUTHORIZATION_FAILED: {
    code: 65,
    retriable: false,
    definite: true,
    message: 'Not authorized for the delegation token.',
  },
  DELEGATION_TOKEN_EXPIRED: {
    code: 66,
    retriable: false,
    definite: true,
    message: 'The delegation token has expired.',
  },
  INVALID_PRINCIPAL_TYPE: {
    code: 67,
    retriable: false,
    definite: true,
    message: 'The type of the principal is not supported.',
  },
  NON_EMPTY_GROUP: { code: 68, retriable: false, definite: true, message: 'The group has members.' },
  GROUP_ID_NOT_FOUND: { code: 69, retriable: false, definite: true, message: 'No such group.' },
  FETCH_SESSION_ID_NOT_FOUND: {
    code: 70,
    retriable: true,
    definite: true,
    message: 'The broker does not know the fetch session.',
  },
  INVALID_FETCH_SESSION_EPOCH: {
    code: 71,
    retriable: true,
    definite: true,
    message: 'The epoch of the fetch session is not the expected one.',
  },
  LISTENER_NOT_FOUND: {
    code: 72,
    retriable: true,
    definite: true,
    message: 'The leader has no listener of the name on which the request came in.',
  },
  TOPIC_DELETION_DISABLED: { code: 73, retriable: false, definite: true, message: 'Topic deletion is switched off.' },
  FENCED_LEADER_EPOCH: {
    code: 74,
    retriable: true,
    definite: true,
    message: "The leader epoch is older than the broker's.",
  },
  UNKNOWN_LEADER_EPOCH: {
    code: 75,
    retriable: true,
    definite: true,
    message: "The leader epoch is newer than the broker's.",
  },
  UNSUPPORTED_COMPRESSION_TYPE: {
    code: 76,
    retriable: false,
    definite: true,
    message: 'The client cannot read the compression of this partition.',
  },
  STALE_BROKER_EPOCH: {
    code: 77,
    retriable: false,
    definite: true,
    message: 'The broker epoch is not that of the current registration.',
  },
  OFFSET_NOT_AVAILABLE: {
    code: 78,
    retriable: true,
    definite: true,
    message: 'The new leader does not know its high watermark yet.',
  },
  MEMBER_ID_REQUIRED: {
    code: 79,
    retriable: false,
    definite: true,
    message: 'The member has to join again with the member id given here.',
  },
  PREFERRED_LEADER_NOT_AVAILABLE: {
    code: 80,
    retriable: true,
    definite: true,
    message: 'The preferred leader is not available.',
  },
  GROUP_MAX_SIZE_REACHED: { code: 81, retriable: false, definite: true, message: 'The group is full.' },
  FENCED_INSTANCE_ID: {
    code: 82,
    retriable: false,
    definite: true,
    message: 'Another member with the same group.instance.id has taken over.',
  },
  ELIGIBLE_LEADERS_NOT_AVAILABLE: {
    code: 83,
    retriable: true,
    definite: true,
    message: 'No eligible replica is available to lead.',
  },
  ELECTION_NOT_NEEDED: {
    code: 84,
    retriable: true,
    definite: true,
    message: 'The partition already has the leader that was asked for.',
  },
  NO_REASSIGNMENT_IN_PROGRESS: { code: 85, retriable: false, definite: true, message: 'No reassignment is under way.' },
  GROUP_SUBSCRIBED_TO_TOPIC: {
    code: 86,
    retriable: false,
    definite: true,
    message: 'The group is subscribed to the topic, so its offsets cannot be deleted.',
  },
  INVALID_RECORD: { code: 87, retriable: false, definite: true, message: "The broker's validation rejected a record." },
  UNSTABLE_OFFSET_COMMIT: {
    code: 88,
    retriable: true,
    definite: true,
    message: 'A pending transaction may still change the offsets.',
  },
  THROTTLING_QUOTA_EXCEEDED: { code: 89, retriable: true, definite: true, message: 'A quota is exhausted; try later.' },
  PRODUCER_FENCED: {
    code: 90,
    retriable: false,
    definite: true,
    message: 'A newer producer with the same transactional id has taken over.',
  },
  RESOURCE_NOT_FOUND: {
    code: 91,
    retriable: false,
    definite: true,
    message: 'The request names a resource that does not exist.',
  },
  DUPLICATE_RESOURCE: {
    code: 92,
    retriable: false,
    definite: true,
    message: 'The request names the same resource twice.',
  },
  UNACCEPTABLE_CREDENTIAL: { code: 93, retriable: false, definite: true, message: 'The credential is not acceptable.' },
  INCONSISTENT_VOTER_SET: {
    code: 94,
    retriable: false,
    definite: true,
    message: 'Sender or receiver is not a voter of the quorum.',
  },
  INVALID_UPDATE_VERSION: {
    code: 95,
    retriable: false,
    definite: true,
    message: 'The feature cannot be updated to this version.',
  },
  FEATURE_UPDATE_FAILED: {
    code: 96,
    retriable: false,
    definite: true,
    message: 'The controller could not update the feature.',
  },
  PRINCIPAL_DESERIALIZATION_FAILURE: {
    code: 97,
    retriable: false,
    definite: true,
    message: 'The principal of a forwarded request cannot be read.',
  },
  SNAPSHOT_NOT_FOUND: { code: 98, retriable: false, definite: true, message: 'No such snapshot.' },
  POSITION_OUT_OF_RANGE: {
    code: 99,
    retriable: false,
    definite: true,
    message: 'The position is outside the snapshot.',
  },
  UNKNOWN_TOPIC_ID: { code: 100, retriable: true, definite: false, message: 'This broker has no topic with this id.' },
  DUPLICATE_BROKER_REGISTRATION: {
    code: 101,
    retriable: false,
    definite: true,
    message: 'A live broker uses this broker id.',
  },
  BROKER_ID_NOT_REGISTERED: {
    code: 102,
    retriable: false,
    definite: true,
    message: 'No broker with this id is registered.',
  },
  INCONSISTENT_TOPIC_ID: {
    code: 103,
    retriable: true,
    definite: true,
    message: 'The topic id is not the one that the log has.',
  },
  INCONSISTENT_CLUSTER_ID: {
    code: 104,
    retriable: false,
    definite: true,
    message: 'The cluster id is not the one of this cluster.',
  },
  TRANSACTIONAL_ID_NOT_FOUND: { code: 105, retriable: false, definite: true, message: 'No such transactional id.' },
  FETCH_SESSION_TOPIC_ID_ERROR: {
    code: 106,
    retriable: true,
    definite: true,
    message: 'The fetch session mixes topic names and topic ids.',
  },
  INELIGIBLE_REPLICA: {
    code: 107,
    retriable: false,
    definite: true,
    message: 'The proposed in-sync set names a replica that may not join.',
  },
  NEW_LEADER_ELECTED: {
    code: 108,
    retriable: false,
    definite: false,
    message: 'The in-sync set was changed, and the leadership moved away with it.',
  },
  OFFSET_MOVED_TO_TIERED_STORAGE: {
    code: 109,
    retriable: false,
    definite: true,
    message: 'The offset has been moved to tiered storage.',
  },
  FENCED_MEMBER_EPOCH: {
    code: 110,
    retriable: false,
    definite: true,
    message: "The member's epoch is fenced: give up all partitions and join again.",
  },
  UNRELEASED_INSTANCE_ID: {
    code: 111,
    retriable: false,
    definite: true,
    message: 'Another member still holds this instance id.',
  },
  UNSUPPORTED_ASSIGNOR: {
    code: 112,
    retriable: false,
    definite: true,
    message: 'The group does not support the assignor.',
  },
  STALE_MEMBER_EPOCH: {
    code: 113,
    retriable: false,
    definite: true,
    message: "The member's epoch is old; heartbeat first, then try again.",
  },
  MISMATCHED_ENDPOINT_TYPE: {
    code: 114,
    retriable: false,
    definite: true,
    message: 'The request reached the wrong kind of endpoint.',
  },
  UNSUPPORTED_ENDPOINT_TYPE: {
    code: 115,
    retriable: false,
    definite: true,
    message: 'This kind of endpoint is not supported.',
  },
  UNKNOWN_CONTROLLER_ID: {
    code: 116,
    retriable: false,
    definite: true,
    message: 'No controller with this id is known.',
  },
  UNKNOWN_SUBSCRIPTION_ID: {
    code: 117,
    retriable: false,
    definite: true,
    message: 'The telemetry subscription is unknown or out of date.',
  },
  TELEMETRY_TOO_LARGE: { code: 118, retriable: false, definite: true, message: 'The telemetry payload is too large.' },
  INVALID_REGISTRATION: {
    code: 119,
    retriable: false,
    definite: true,
    message: 'The controller does not accept the registration.',
  },
  TRANSACTION_ABORTABLE: {
    code: 120,
    retriable: false,
    definite: false,
    message: 'The transaction failed; abort it to go on with the same transactional id.',
  },
  INVALID_RECORD_STATE: {
    code: 121,
    retriable: false,
    definite: true,
    message: "The record's state does not allow the acknowledgement.",
  },
  SHARE_SESSION_NOT_FOUND: { code: 122, retriable: true, definite: true, message: 'No such share session.' },
  INVALID_SHARE_SESSION_EPOCH: {
    code: 123,
    retriable: true,
    definite: true,
    message: 'The epoch of the share session is not the expected one.',
  },
  FENCED_STATE_EPOCH: {
    code: 124,
    retriable: false,
    definite: true,
    message: 'The state epoch of the share group does not match.',
  },
  INVALID_VOTER_KEY: {
    code: 125,
    retriable: false,
    definite: true,
    message: "The voter's id and directory are not those of the receiver.",
  },
  DUPLICATE_VOTER: { code: 126, retriable: false, definite: true, message: 'The replica is a voter already.' },
  VOTER_NOT_FOUND: { code: 127, retriable: false, definite: true, message: 'The replica is not a voter.' },
  INVALID_REGULAR_EXPRESSION: {
    code: 128,
    retriable: false,
    definite: true,
    message: 'The regular expression cannot be used.',
  },
  REBOOTSTRAP_REQUIRED: {
    code: 129,
    retriable: false,
    definite: true,
    message: "The client's view of the cluster is too old: bootstrap again.",
  },
  STREAMS_INVALID_TOPOLOGY: { code: 130, retriable: false, definite: true, message: 'The topology is not valid.' },
  STREAMS_INVALID_TOPOLOGY_EPOCH: {
    code: 131,
    retriable: false,
    definite: true,
    message: 'The epoch of the topology is not valid.',
  },
  STREAMS_TOPOLOGY_FENCED: {
    code: 132,
    retriable: false,
    definite: true,
    message: 'The topology has been replaced by a newer one.',
  },
  SHARE_SESSION_LIMIT_REACHED: {
    code: 133,
    retriable: true,
    definite: true,
    message: 'The broker holds as many share sessions as it may.',
  },
} as const satisfies Record<string, ErrorEntry>

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
