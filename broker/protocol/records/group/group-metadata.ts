/**
 * State of a classic group; a null value deletes it. Record type 2 of __consumer_offsets.
 *
 * Versions of the value: v1 rebalance timeout; v2 time of the last change; v3 group instance id (KIP-345); v4 flexible.
 */
import { array, bytes, int32, message, offset, string, type Infer } from '../../schema.ts'

export const groupMetadataKey = message({
  key: 2,
  name: 'GroupMetadataKey',
  kind: 'data',
  versions: '0',
  flexible: 'none',
  fields: {
    group: string(),
  },
})
export type GroupMetadataKey = Infer<typeof groupMetadataKey>

/** Shared by several fields below. */
const memberMetadata = {
  memberId: string(),
  groupInstanceId: string({ versions: '3+', nullable: '3+', default: null, ignorable: true }),
  clientId: string(),
  clientHost: string(),
  rebalanceTimeout: int32({ versions: '1+', default: -1, ignorable: true }),
  sessionTimeout: int32(),
  subscription: bytes(),
  assignment: bytes(),
}

export const groupMetadataValue = message({
  key: 2,
  name: 'GroupMetadataValue',
  kind: 'data',
  versions: '0-4',
  flexible: '4+',
  fields: {
    protocolType: string(),
    generation: int32(),
    protocol: string({ nullable: '0+' }),
    /** Member id of the leader; null in an empty group. */
    leader: string({ nullable: '0+' }),
    currentStateTimestamp: offset({ versions: '2+', default: -1, ignorable: true }),
    members: array(memberMetadata),
  },
})
export type GroupMetadataValue = Infer<typeof groupMetadataValue>
