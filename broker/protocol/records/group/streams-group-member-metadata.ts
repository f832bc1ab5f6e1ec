/**
 * StreamsGroupMemberMetadata: record type 19 of the group coordinator.
 */
import { array, int32, message, string, struct, uint16, type Infer } from '../../schema.ts'

export const streamsGroupMemberMetadataKey = message({
  key: 19,
  name: 'StreamsGroupMemberMetadataKey',
  kind: 'data',
  versions: '0',
  flexible: 'none',
  fields: {
    groupId: string(),
    memberId: string(),
  },
})
export type StreamsGroupMemberMetadataKey = Infer<typeof streamsGroupMemberMetadataKey>

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

export const streamsGroupMemberMetadataValue = message({
  key: 19,
  name: 'StreamsGroupMemberMetadataValue',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    instanceId: string({ nullable: '0+' }),
    rackId: string({ nullable: '0+' }),
    clientId: string(),
    clientHost: string(),
    rebalanceTimeoutMs: int32({ default: -1 }),
    topologyEpoch: int32(),
    processId: string(),
    userEndpoint: struct({ nullable: '0+', default: null }, endpoint),
    clientTags: array(keyValue),
  },
})
export type StreamsGroupMemberMetadataValue = Infer<typeof streamsGroupMemberMetadataValue>
