/**
 * StreamsGroupHeartbeat, API key 88, v0.
 *
 * The one request of members of a streams group: topology, tasks, heartbeat, leave (KIP-1071).
 */
import { array, bool, int16, int32, int8, message, offset, string, struct, uint16, type Infer } from '../schema.ts'

/** Shared by several fields below. */
const endpoint = {
  host: string(),
  port: uint16(),
}

/** Shared by several fields below. */
const keyValue = {
  key: string(),
  value: string(),
}

/** Shared by several fields below. */
const taskIds = {
  subtopologyId: string(),
  partitions: array(int32()),
}

/** Shared by several fields below. */
const taskOffset = {
  subtopologyId: string(),
  partition: int32(),
  offset: offset(),
}

/** Shared by several fields below. */
const topicInfo = {
  name: string(),
  partitions: int32(),
  replicationFactor: int16(),
  topicConfigs: array(keyValue),
}

export const streamsGroupHeartbeatRequest = message({
  key: 88,
  name: 'StreamsGroupHeartbeatRequest',
  kind: 'request',
  versions: '0',
  flexible: '0+',
  fields: {
    groupId: string(),
    memberId: string(),
    memberEpoch: int32(),
    endpointInformationEpoch: int32(),
    instanceId: string({ nullable: '0+', default: null }),
    rackId: string({ nullable: '0+', default: null }),
    rebalanceTimeoutMs: int32({ default: -1 }),
    topology: struct(
      { nullable: '0+', default: null },
      {
        epoch: int32(),
        subtopologies: array({
          subtopologyId: string(),
          sourceTopics: array(string()),
          sourceTopicRegex: array(string()),
          stateChangelogTopics: array(topicInfo),
          repartitionSinkTopics: array(string()),
          repartitionSourceTopics: array(topicInfo),
          copartitionGroups: array({
            sourceTopics: array(int16()),
            sourceTopicRegex: array(int16()),
            repartitionSourceTopics: array(int16()),
          }),
        }),
      },
    ),
    activeTasks: array({ nullable: '0+', default: null }, taskIds),
    standbyTasks: array({ nullable: '0+', default: null }, taskIds),
    warmupTasks: array({ nullable: '0+', default: null }, taskIds),
    processId: string({ nullable: '0+', default: null }),
    userEndpoint: struct({ nullable: '0+', default: null }, endpoint),
    clientTags: array({ nullable: '0+', default: null }, keyValue),
    taskOffsets: array({ nullable: '0+', default: null }, taskOffset),
    taskEndOffsets: array({ nullable: '0+', default: null }, taskOffset),
    shutdownApplication: bool({ default: false }),
  },
})
export type StreamsGroupHeartbeatRequest = Infer<typeof streamsGroupHeartbeatRequest>

/** Shared by several fields below. */
const status = {
  statusCode: int8(),
  statusDetail: string(),
}

/** Shared by several fields below. */
const topicPartition = {
  topic: string(),
  partitions: array(int32()),
}

export const streamsGroupHeartbeatResponse = message({
  key: 88,
  name: 'StreamsGroupHeartbeatResponse',
  kind: 'response',
  versions: '0',
  flexible: '0+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+', default: null }),
    memberId: string(),
    memberEpoch: int32(),
    heartbeatIntervalMs: int32(),
    acceptableRecoveryLag: int32(),
    taskOffsetIntervalMs: int32(),
    status: array({ nullable: '0+' }, status),
    activeTasks: array({ nullable: '0+', default: null }, taskIds),
    standbyTasks: array({ nullable: '0+', default: null }, taskIds),
    warmupTasks: array({ nullable: '0+', default: null }, taskIds),
    endpointInformationEpoch: int32(),
    partitionsByUserEndpoint: array(
      { nullable: '0+', default: null },
      {
        userEndpoint: struct(endpoint),
        activePartitions: array(topicPartition),
        standbyPartitions: array(topicPartition),
      },
    ),
  },
})
export type StreamsGroupHeartbeatResponse = Infer<typeof streamsGroupHeartbeatResponse>
