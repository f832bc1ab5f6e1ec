/**
 * StreamsGroupDescribe, API key 89, v0.
 *
 * State, topology and members of streams groups (KIP-1071).
 */
import { array, bool, int16, int32, message, offset, string, struct, uint16, type Infer } from '../schema.ts'

export const streamsGroupDescribeRequest = message({
  key: 89,
  name: 'StreamsGroupDescribeRequest',
  kind: 'request',
  versions: '0',
  flexible: '0+',
  fields: {
    groupIds: array(string()),
    includeAuthorizedOperations: bool(),
  },
})
export type StreamsGroupDescribeRequest = Infer<typeof streamsGroupDescribeRequest>

/** Shared by several fields below. */
const taskIds = {
  subtopologyId: string(),
  partitions: array(int32()),
}

/** Shared by several fields below. */
const assignment = {
  activeTasks: array(taskIds),
  standbyTasks: array(taskIds),
  warmupTasks: array(taskIds),
}

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

export const streamsGroupDescribeResponse = message({
  key: 89,
  name: 'StreamsGroupDescribeResponse',
  kind: 'response',
  versions: '0',
  flexible: '0+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    groups: array({
      errorCode: int16(),
      errorMessage: string({ nullable: '0+', default: null }),
      groupId: string(),
      groupState: string(),
      groupEpoch: int32(),
      assignmentEpoch: int32(),
      topology: struct(
        { nullable: '0+', default: null },
        {
          epoch: int32(),
          subtopologies: array(
            { nullable: '0+', default: null },
            {
              subtopologyId: string(),
              sourceTopics: array(string()),
              repartitionSinkTopics: array(string()),
              stateChangelogTopics: array(topicInfo),
              repartitionSourceTopics: array(topicInfo),
            },
          ),
        },
      ),
      members: array({
        memberId: string(),
        memberEpoch: int32(),
        instanceId: string({ nullable: '0+', default: null }),
        rackId: string({ nullable: '0+', default: null }),
        clientId: string(),
        clientHost: string(),
        topologyEpoch: int32(),
        processId: string(),
        userEndpoint: struct({ nullable: '0+', default: null }, endpoint),
        clientTags: array(keyValue),
        taskOffsets: array(taskOffset),
        taskEndOffsets: array(taskOffset),
        assignment: struct(assignment),
        targetAssignment: struct(assignment),
        isClassic: bool(),
      }),
      /** Bit field; -2147483648 when not asked for (KIP-430). */
      authorizedOperations: int32({ default: -2147483648 }),
    }),
  },
})
export type StreamsGroupDescribeResponse = Infer<typeof streamsGroupDescribeResponse>
