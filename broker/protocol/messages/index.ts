/**
 * All requests and responses, by name and by key. Loads every declaration: for tools, tests and the handler table; a single handler
 * imports its own file.
 */
import { apiByKey } from '../apis.ts'
import type { Message } from '../schema.ts'
import { produceRequest, produceResponse } from './00-produce.ts'
import { fetchRequest, fetchResponse } from './01-fetch.ts'
import { listOffsetsRequest, listOffsetsResponse } from './02-list-offsets.ts'
import { metadataRequest, metadataResponse } from './03-metadata.ts'
import { offsetCommitRequest, offsetCommitResponse } from './08-offset-commit.ts'
import { offsetFetchRequest, offsetFetchResponse } from './09-offset-fetch.ts'
import { findCoordinatorRequest, findCoordinatorResponse } from './10-find-coordinator.ts'
import { joinGroupRequest, joinGroupResponse } from './11-join-group.ts'
import { heartbeatRequest, heartbeatResponse } from './12-heartbeat.ts'
import { leaveGroupRequest, leaveGroupResponse } from './13-leave-group.ts'
import { syncGroupRequest, syncGroupResponse } from './14-sync-group.ts'
import { describeGroupsRequest, describeGroupsResponse } from './15-describe-groups.ts'
import { listGroupsRequest, listGroupsResponse } from './16-list-groups.ts'
import { saslHandshakeRequest, saslHandshakeResponse } from './17-sasl-handshake.ts'
import { apiVersionsRequest, apiVersionsResponse } from './18-api-versions.ts'
import { createTopicsRequest, createTopicsResponse } from './19-create-topics.ts'
import { deleteTopicsRequest, deleteTopicsResponse } from './20-delete-topics.ts'
import { deleteRecordsRequest, deleteRecordsResponse } from './21-delete-records.ts'
import { initProducerIdRequest, initProducerIdResponse } from './22-init-producer-id.ts'
import { offsetForLeaderEpochRequest, offsetForLeaderEpochResponse } from './23-offset-for-leader-epoch.ts'
import { addPartitionsToTxnRequest, addPartitionsToTxnResponse } from './24-add-partitions-to-txn.ts'
import { addOffsetsToTxnRequest, addOffsetsToTxnResponse } from './25-add-offsets-to-txn.ts'
import { endTxnRequest, endTxnResponse } from './26-end-txn.ts'
import { writeTxnMarkersRequest, writeTxnMarkersResponse } from './27-write-txn-markers.ts'
import { txnOffsetCommitRequest, txnOffsetCommitResponse } from './28-txn-offset-commit.ts'
import { describeAclsRequest, describeAclsResponse } from './29-describe-acls.ts'
import { createAclsRequest, createAclsResponse } from './30-create-acls.ts'
import { deleteAclsRequest, deleteAclsResponse } from './31-delete-acls.ts'
import { describeConfigsRequest, describeConfigsResponse } from './32-describe-configs.ts'
import { alterConfigsRequest, alterConfigsResponse } from './33-alter-configs.ts'
import { alterReplicaLogDirsRequest, alterReplicaLogDirsResponse } from './34-alter-replica-log-dirs.ts'
import { describeLogDirsRequest, describeLogDirsResponse } from './35-describe-log-dirs.ts'
import { saslAuthenticateRequest, saslAuthenticateResponse } from './36-sasl-authenticate.ts'
import { createPartitionsRequest, createPartitionsResponse } from './37-create-partitions.ts'
import { createDelegationTokenRequest, createDelegationTokenResponse } from './38-create-delegation-token.ts'
import { renewDelegationTokenRequest, renewDelegationTokenResponse } from './39-renew-delegation-token.ts'
import { expireDelegationTokenRequest, expireDelegationTokenResponse } from './40-expire-delegation-token.ts'
import { describeDelegationTokenRequest, describeDelegationTokenResponse } from './41-describe-delegation-token.ts'
import { deleteGroupsRequest, deleteGroupsResponse } from './42-delete-groups.ts'
import { electLeadersRequest, electLeadersResponse } from './43-elect-leaders.ts'
import { incrementalAlterConfigsRequest, incrementalAlterConfigsResponse } from './44-incremental-alter-configs.ts'
import {
  alterPartitionReassignmentsRequest,
  alterPartitionReassignmentsResponse,
} from './45-alter-partition-reassignments.ts'
import {
  listPartitionReassignmentsRequest,
  listPartitionReassignmentsResponse,
} from './46-list-partition-reassignments.ts'
import { offsetDeleteRequest, offsetDeleteResponse } from './47-offset-delete.ts'
import { describeClientQuotasRequest, describeClientQuotasResponse } from './48-describe-client-quotas.ts'
import { alterClientQuotasRequest, alterClientQuotasResponse } from './49-alter-client-quotas.ts'
import {
  describeUserScramCredentialsRequest,
  describeUserScramCredentialsResponse,
} from './50-describe-user-scram-credentials.ts'
import {
  alterUserScramCredentialsRequest,
  alterUserScramCredentialsResponse,
} from './51-alter-user-scram-credentials.ts'
import { voteRequest, voteResponse } from './52-vote.ts'
import { beginQuorumEpochRequest, beginQuorumEpochResponse } from './53-begin-quorum-epoch.ts'
import { endQuorumEpochRequest, endQuorumEpochResponse } from './54-end-quorum-epoch.ts'
import { describeQuorumRequest, describeQuorumResponse } from './55-describe-quorum.ts'
import { alterPartitionRequest, alterPartitionResponse } from './56-alter-partition.ts'
import { updateFeaturesRequest, updateFeaturesResponse } from './57-update-features.ts'
import { envelopeRequest, envelopeResponse } from './58-envelope.ts'
import { fetchSnapshotRequest, fetchSnapshotResponse } from './59-fetch-snapshot.ts'
import { describeClusterRequest, describeClusterResponse } from './60-describe-cluster.ts'
import { describeProducersRequest, describeProducersResponse } from './61-describe-producers.ts'
import { brokerRegistrationRequest, brokerRegistrationResponse } from './62-broker-registration.ts'
import { brokerHeartbeatRequest, brokerHeartbeatResponse } from './63-broker-heartbeat.ts'
import { unregisterBrokerRequest, unregisterBrokerResponse } from './64-unregister-broker.ts'
import { describeTransactionsRequest, describeTransactionsResponse } from './65-describe-transactions.ts'
import { listTransactionsRequest, listTransactionsResponse } from './66-list-transactions.ts'
import { allocateProducerIdsRequest, allocateProducerIdsResponse } from './67-allocate-producer-ids.ts'
import { consumerGroupHeartbeatRequest, consumerGroupHeartbeatResponse } from './68-consumer-group-heartbeat.ts'
import { consumerGroupDescribeRequest, consumerGroupDescribeResponse } from './69-consumer-group-describe.ts'
import { controllerRegistrationRequest, controllerRegistrationResponse } from './70-controller-registration.ts'
import {
  getTelemetrySubscriptionsRequest,
  getTelemetrySubscriptionsResponse,
} from './71-get-telemetry-subscriptions.ts'
import { pushTelemetryRequest, pushTelemetryResponse } from './72-push-telemetry.ts'
import { assignReplicasToDirsRequest, assignReplicasToDirsResponse } from './73-assign-replicas-to-dirs.ts'
import { listConfigResourcesRequest, listConfigResourcesResponse } from './74-list-config-resources.ts'
import { describeTopicPartitionsRequest, describeTopicPartitionsResponse } from './75-describe-topic-partitions.ts'
import { shareGroupHeartbeatRequest, shareGroupHeartbeatResponse } from './76-share-group-heartbeat.ts'
import { shareGroupDescribeRequest, shareGroupDescribeResponse } from './77-share-group-describe.ts'
import { shareFetchRequest, shareFetchResponse } from './78-share-fetch.ts'
import { shareAcknowledgeRequest, shareAcknowledgeResponse } from './79-share-acknowledge.ts'
import { addRaftVoterRequest, addRaftVoterResponse } from './80-add-raft-voter.ts'
import { removeRaftVoterRequest, removeRaftVoterResponse } from './81-remove-raft-voter.ts'
import { updateRaftVoterRequest, updateRaftVoterResponse } from './82-update-raft-voter.ts'
import {
  initializeShareGroupStateRequest,
  initializeShareGroupStateResponse,
} from './83-initialize-share-group-state.ts'
import { readShareGroupStateRequest, readShareGroupStateResponse } from './84-read-share-group-state.ts'
import { writeShareGroupStateRequest, writeShareGroupStateResponse } from './85-write-share-group-state.ts'
import { deleteShareGroupStateRequest, deleteShareGroupStateResponse } from './86-delete-share-group-state.ts'
import {
  readShareGroupStateSummaryRequest,
  readShareGroupStateSummaryResponse,
} from './87-read-share-group-state-summary.ts'
import { streamsGroupHeartbeatRequest, streamsGroupHeartbeatResponse } from './88-streams-group-heartbeat.ts'
import { streamsGroupDescribeRequest, streamsGroupDescribeResponse } from './89-streams-group-describe.ts'
import {
  describeShareGroupOffsetsRequest,
  describeShareGroupOffsetsResponse,
} from './90-describe-share-group-offsets.ts'
import { alterShareGroupOffsetsRequest, alterShareGroupOffsetsResponse } from './91-alter-share-group-offsets.ts'
import { deleteShareGroupOffsetsRequest, deleteShareGroupOffsetsResponse } from './92-delete-share-group-offsets.ts'

export const messages = {
  Produce: { request: produceRequest, response: produceResponse },
  Fetch: { request: fetchRequest, response: fetchResponse },
  ListOffsets: { request: listOffsetsRequest, response: listOffsetsResponse },
  Metadata: { request: metadataRequest, response: metadataResponse },
  OffsetCommit: { request: offsetCommitRequest, response: offsetCommitResponse },
  OffsetFetch: { request: offsetFetchRequest, response: offsetFetchResponse },
  FindCoordinator: { request: findCoordinatorRequest, response: findCoordinatorResponse },
  JoinGroup: { request: joinGroupRequest, response: joinGroupResponse },
  Heartbeat: { request: heartbeatRequest, response: heartbeatResponse },
  LeaveGroup: { request: leaveGroupRequest, response: leaveGroupResponse },
  SyncGroup: { request: syncGroupRequest, response: syncGroupResponse },
  DescribeGroups: { request: describeGroupsRequest, response: describeGroupsResponse },
  ListGroups: { request: listGroupsRequest, response: listGroupsResponse },
  SaslHandshake: { request: saslHandshakeRequest, response: saslHandshakeResponse },
  ApiVersions: { request: apiVersionsRequest, response: apiVersionsResponse },
  CreateTopics: { request: createTopicsRequest, response: createTopicsResponse },
  DeleteTopics: { request: deleteTopicsRequest, response: deleteTopicsResponse },
  DeleteRecords: { request: deleteRecordsRequest, response: deleteRecordsResponse },
  InitProducerId: { request: initProducerIdRequest, response: initProducerIdResponse },
  OffsetForLeaderEpoch: { request: offsetForLeaderEpochRequest, response: offsetForLeaderEpochResponse },
  AddPartitionsToTxn: { request: addPartitionsToTxnRequest, response: addPartitionsToTxnResponse },
  AddOffsetsToTxn: { request: addOffsetsToTxnRequest, response: addOffsetsToTxnResponse },
  EndTxn: { request: endTxnRequest, response: endTxnResponse },
  WriteTxnMarkers: { request: writeTxnMarkersRequest, response: writeTxnMarkersResponse },
  TxnOffsetCommit: { request: txnOffsetCommitRequest, response: txnOffsetCommitResponse },
  DescribeAcls: { request: describeAclsRequest, response: describeAclsResponse },
  CreateAcls: { request: createAclsRequest, response: createAclsResponse },
  DeleteAcls: { request: deleteAclsRequest, response: deleteAclsResponse },
  DescribeConfigs: { request: describeConfigsRequest, response: describeConfigsResponse },
  AlterConfigs: { request: alterConfigsRequest, response: alterConfigsResponse },
  AlterReplicaLogDirs: { request: alterReplicaLogDirsRequest, response: alterReplicaLogDirsResponse },
  DescribeLogDirs: { request: describeLogDirsRequest, response: describeLogDirsResponse },
  SaslAuthenticate: { request: saslAuthenticateRequest, response: saslAuthenticateResponse },
  CreatePartitions: { request: createPartitionsRequest, response: createPartitionsResponse },
  CreateDelegationToken: { request: createDelegationTokenRequest, response: createDelegationTokenResponse },
  RenewDelegationToken: { request: renewDelegationTokenRequest, response: renewDelegationTokenResponse },
  ExpireDelegationToken: { request: expireDelegationTokenRequest, response: expireDelegationTokenResponse },
  DescribeDelegationToken: { request: describeDelegationTokenRequest, response: describeDelegationTokenResponse },
  DeleteGroups: { request: deleteGroupsRequest, response: deleteGroupsResponse },
  ElectLeaders: { request: electLeadersRequest, response: electLeadersResponse },
  IncrementalAlterConfigs: { request: incrementalAlterConfigsRequest, response: incrementalAlterConfigsResponse },
  AlterPartitionReassignments: {
    request: alterPartitionReassignmentsRequest,
    response: alterPartitionReassignmentsResponse,
  },
  ListPartitionReassignments: {
    request: listPartitionReassignmentsRequest,
    response: listPartitionReassignmentsResponse,
  },
  OffsetDelete: { request: offsetDeleteRequest, response: offsetDeleteResponse },
  DescribeClientQuotas: { request: describeClientQuotasRequest, response: describeClientQuotasResponse },
  AlterClientQuotas: { request: alterClientQuotasRequest, response: alterClientQuotasResponse },
  DescribeUserScramCredentials: {
    request: describeUserScramCredentialsRequest,
    response: describeUserScramCredentialsResponse,
  },
  AlterUserScramCredentials: { request: alterUserScramCredentialsRequest, response: alterUserScramCredentialsResponse },
  Vote: { request: voteRequest, response: voteResponse },
  BeginQuorumEpoch: { request: beginQuorumEpochRequest, response: beginQuorumEpochResponse },
  EndQuorumEpoch: { request: endQuorumEpochRequest, response: endQuorumEpochResponse },
  DescribeQuorum: { request: describeQuorumRequest, response: describeQuorumResponse },
  AlterPartition: { request: alterPartitionRequest, response: alterPartitionResponse },
  UpdateFeatures: { request: updateFeaturesRequest, response: updateFeaturesResponse },
  Envelope: { request: envelopeRequest, response: envelopeResponse },
  FetchSnapshot: { request: fetchSnapshotRequest, response: fetchSnapshotResponse },
  DescribeCluster: { request: describeClusterRequest, response: describeClusterResponse },
  DescribeProducers: { request: describeProducersRequest, response: describeProducersResponse },
  BrokerRegistration: { request: brokerRegistrationRequest, response: brokerRegistrationResponse },
  BrokerHeartbeat: { request: brokerHeartbeatRequest, response: brokerHeartbeatResponse },
  UnregisterBroker: { request: unregisterBrokerRequest, response: unregisterBrokerResponse },
  DescribeTransactions: { request: describeTransactionsRequest, response: describeTransactionsResponse },
  ListTransactions: { request: listTransactionsRequest, response: listTransactionsResponse },
  AllocateProducerIds: { request: allocateProducerIdsRequest, response: allocateProducerIdsResponse },
  ConsumerGroupHeartbeat: { request: consumerGroupHeartbeatRequest, response: consumerGroupHeartbeatResponse },
  ConsumerGroupDescribe: { request: consumerGroupDescribeRequest, response: consumerGroupDescribeResponse },
  ControllerRegistration: { request: controllerRegistrationRequest, response: controllerRegistrationResponse },
  GetTelemetrySubscriptions: { request: getTelemetrySubscriptionsRequest, response: getTelemetrySubscriptionsResponse },
  PushTelemetry: { request: pushTelemetryRequest, response: pushTelemetryResponse },
  AssignReplicasToDirs: { request: assignReplicasToDirsRequest, response: assignReplicasToDirsResponse },
  ListConfigResources: { request: listConfigResourcesRequest, response: listConfigResourcesResponse },
  DescribeTopicPartitions: { request: describeTopicPartitionsRequest, response: describeTopicPartitionsResponse },
  ShareGroupHeartbeat: { request: shareGroupHeartbeatRequest, response: shareGroupHeartbeatResponse },
  ShareGroupDescribe: { request: shareGroupDescribeRequest, response: shareGroupDescribeResponse },
  ShareFetch: { request: shareFetchRequest, response: shareFetchResponse },
  ShareAcknowledge: { request: shareAcknowledgeRequest, response: shareAcknowledgeResponse },
  AddRaftVoter: { request: addRaftVoterRequest, response: addRaftVoterResponse },
  RemoveRaftVoter: { request: removeRaftVoterRequest, response: removeRaftVoterResponse },
  UpdateRaftVoter: { request: updateRaftVoterRequest, response: updateRaftVoterResponse },
  InitializeShareGroupState: { request: initializeShareGroupStateRequest, response: initializeShareGroupStateResponse },
  ReadShareGroupState: { request: readShareGroupStateRequest, response: readShareGroupStateResponse },
  WriteShareGroupState: { request: writeShareGroupStateRequest, response: writeShareGroupStateResponse },
  DeleteShareGroupState: { request: deleteShareGroupStateRequest, response: deleteShareGroupStateResponse },
  ReadShareGroupStateSummary: {
    request: readShareGroupStateSummaryRequest,
    response: readShareGroupStateSummaryResponse,
  },
  StreamsGroupHeartbeat: { request: streamsGroupHeartbeatRequest, response: streamsGroupHeartbeatResponse },
  StreamsGroupDescribe: { request: streamsGroupDescribeRequest, response: streamsGroupDescribeResponse },
  DescribeShareGroupOffsets: { request: describeShareGroupOffsetsRequest, response: describeShareGroupOffsetsResponse },
  AlterShareGroupOffsets: { request: alterShareGroupOffsetsRequest, response: alterShareGroupOffsetsResponse },
  DeleteShareGroupOffsets: { request: deleteShareGroupOffsetsRequest, response: deleteShareGroupOffsetsResponse },
} as const

export type ApiName = keyof typeof messages

export interface Exchange {
  readonly request: Message
  readonly response: Message
}

/** Both messages of an API key; undefined for a key that Kafka 4.3 does not have. */
export function messagesOf(key: number): Exchange | undefined {
  const api = apiByKey(key)
  return api === undefined ? undefined : messages[api.name as ApiName]
}
