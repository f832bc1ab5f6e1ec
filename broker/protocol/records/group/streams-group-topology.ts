/**
 * StreamsGroupTopology: record type 23 of the group coordinator.
 */
import { array, int16, int32, message, string, type Infer } from '../../schema.ts'

export const streamsGroupTopologyKey = message({
  key: 23,
  name: 'StreamsGroupTopologyKey',
  kind: 'data',
  versions: '0',
  flexible: 'none',
  fields: {
    groupId: string(),
  },
})
export type StreamsGroupTopologyKey = Infer<typeof streamsGroupTopologyKey>

/** Shared by several fields below. */
const topicConfig = {
  key: string(),
  value: string(),
}

/** Shared by several fields below. */
const topicInfo = {
  name: string(),
  partitions: int32(),
  replicationFactor: int16(),
  topicConfigs: array(topicConfig),
}

export const streamsGroupTopologyValue = message({
  key: 23,
  name: 'StreamsGroupTopologyValue',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
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
})
export type StreamsGroupTopologyValue = Infer<typeof streamsGroupTopologyValue>
