/**
 * All record types of __consumer_offsets, the log of the group coordinator, by name. The type number is `key.key`.
 */
import { legacyOffsetCommitKey, legacyOffsetCommitValue } from './legacy-offset-commit.ts'
import { offsetCommitKey, offsetCommitValue } from './offset-commit.ts'
import { groupMetadataKey, groupMetadataValue } from './group-metadata.ts'
import { consumerGroupMetadataKey, consumerGroupMetadataValue } from './consumer-group-metadata.ts'
import {
  consumerGroupPartitionMetadataKey,
  consumerGroupPartitionMetadataValue,
} from './consumer-group-partition-metadata.ts'
import { consumerGroupMemberMetadataKey, consumerGroupMemberMetadataValue } from './consumer-group-member-metadata.ts'
import {
  consumerGroupTargetAssignmentMetadataKey,
  consumerGroupTargetAssignmentMetadataValue,
} from './consumer-group-target-assignment-metadata.ts'
import {
  consumerGroupTargetAssignmentMemberKey,
  consumerGroupTargetAssignmentMemberValue,
} from './consumer-group-target-assignment-member.ts'
import {
  consumerGroupCurrentMemberAssignmentKey,
  consumerGroupCurrentMemberAssignmentValue,
} from './consumer-group-current-member-assignment.ts'
import { shareGroupMemberMetadataKey, shareGroupMemberMetadataValue } from './share-group-member-metadata.ts'
import { shareGroupMetadataKey, shareGroupMetadataValue } from './share-group-metadata.ts'
import {
  shareGroupTargetAssignmentMetadataKey,
  shareGroupTargetAssignmentMetadataValue,
} from './share-group-target-assignment-metadata.ts'
import {
  shareGroupTargetAssignmentMemberKey,
  shareGroupTargetAssignmentMemberValue,
} from './share-group-target-assignment-member.ts'
import {
  shareGroupCurrentMemberAssignmentKey,
  shareGroupCurrentMemberAssignmentValue,
} from './share-group-current-member-assignment.ts'
import {
  shareGroupStatePartitionMetadataKey,
  shareGroupStatePartitionMetadataValue,
} from './share-group-state-partition-metadata.ts'
import {
  consumerGroupRegularExpressionKey,
  consumerGroupRegularExpressionValue,
} from './consumer-group-regular-expression.ts'
import { streamsGroupMetadataKey, streamsGroupMetadataValue } from './streams-group-metadata.ts'
import { streamsGroupMemberMetadataKey, streamsGroupMemberMetadataValue } from './streams-group-member-metadata.ts'
import {
  streamsGroupTargetAssignmentMetadataKey,
  streamsGroupTargetAssignmentMetadataValue,
} from './streams-group-target-assignment-metadata.ts'
import {
  streamsGroupTargetAssignmentMemberKey,
  streamsGroupTargetAssignmentMemberValue,
} from './streams-group-target-assignment-member.ts'
import {
  streamsGroupCurrentMemberAssignmentKey,
  streamsGroupCurrentMemberAssignmentValue,
} from './streams-group-current-member-assignment.ts'
import { streamsGroupTopologyKey, streamsGroupTopologyValue } from './streams-group-topology.ts'

export const groupRecords = {
  LegacyOffsetCommit: { key: legacyOffsetCommitKey, value: legacyOffsetCommitValue },
  OffsetCommit: { key: offsetCommitKey, value: offsetCommitValue },
  GroupMetadata: { key: groupMetadataKey, value: groupMetadataValue },
  ConsumerGroupMetadata: { key: consumerGroupMetadataKey, value: consumerGroupMetadataValue },
  ConsumerGroupPartitionMetadata: {
    key: consumerGroupPartitionMetadataKey,
    value: consumerGroupPartitionMetadataValue,
  },
  ConsumerGroupMemberMetadata: { key: consumerGroupMemberMetadataKey, value: consumerGroupMemberMetadataValue },
  ConsumerGroupTargetAssignmentMetadata: {
    key: consumerGroupTargetAssignmentMetadataKey,
    value: consumerGroupTargetAssignmentMetadataValue,
  },
  ConsumerGroupTargetAssignmentMember: {
    key: consumerGroupTargetAssignmentMemberKey,
    value: consumerGroupTargetAssignmentMemberValue,
  },
  ConsumerGroupCurrentMemberAssignment: {
    key: consumerGroupCurrentMemberAssignmentKey,
    value: consumerGroupCurrentMemberAssignmentValue,
  },
  ShareGroupMemberMetadata: { key: shareGroupMemberMetadataKey, value: shareGroupMemberMetadataValue },
  ShareGroupMetadata: { key: shareGroupMetadataKey, value: shareGroupMetadataValue },
  ShareGroupTargetAssignmentMetadata: {
    key: shareGroupTargetAssignmentMetadataKey,
    value: shareGroupTargetAssignmentMetadataValue,
  },
  ShareGroupTargetAssignmentMember: {
    key: shareGroupTargetAssignmentMemberKey,
    value: shareGroupTargetAssignmentMemberValue,
  },
  ShareGroupCurrentMemberAssignment: {
    key: shareGroupCurrentMemberAssignmentKey,
    value: shareGroupCurrentMemberAssignmentValue,
  },
  ShareGroupStatePartitionMetadata: {
    key: shareGroupStatePartitionMetadataKey,
    value: shareGroupStatePartitionMetadataValue,
  },
  ConsumerGroupRegularExpression: {
    key: consumerGroupRegularExpressionKey,
    value: consumerGroupRegularExpressionValue,
  },
  StreamsGroupMetadata: { key: streamsGroupMetadataKey, value: streamsGroupMetadataValue },
  StreamsGroupMemberMetadata: { key: streamsGroupMemberMetadataKey, value: streamsGroupMemberMetadataValue },
  StreamsGroupTargetAssignmentMetadata: {
    key: streamsGroupTargetAssignmentMetadataKey,
    value: streamsGroupTargetAssignmentMetadataValue,
  },
  StreamsGroupTargetAssignmentMember: {
    key: streamsGroupTargetAssignmentMemberKey,
    value: streamsGroupTargetAssignmentMemberValue,
  },
  StreamsGroupCurrentMemberAssignment: {
    key: streamsGroupCurrentMemberAssignmentKey,
    value: streamsGroupCurrentMemberAssignmentValue,
  },
  StreamsGroupTopology: { key: streamsGroupTopologyKey, value: streamsGroupTopologyValue },
} as const

export type GroupRecordName = keyof typeof groupRecords
