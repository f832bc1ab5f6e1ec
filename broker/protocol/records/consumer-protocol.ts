/**
 * What consumers of the classic protocol put into JoinGroup and SyncGroup; opaque to the broker, except in `describe` and migrations.
 *
 * An int16 version stands in front of both (prefixed.ts). Source: Kafka protocol guide, KIP-429, KIP-792, KIP-881.
 */
import { array, bytes, int32, message, string, type Infer } from '../schema.ts'

export const consumerProtocolSubscription = message({
  name: 'ConsumerProtocolSubscription',
  kind: 'data',
  versions: '0-3',
  flexible: 'none',
  fields: {
    topics: array(string()),
    userData: bytes({ nullable: '0+', default: null }),
    /** For cooperative rebalancing (KIP-429). */
    ownedPartitions: array(
      { versions: '1+', ignorable: true },
      {
        topic: string(),
        partitions: array(int32()),
      },
    ),
    /** Generation in which the partitions were owned (KIP-792). */
    generationId: int32({ versions: '2+', default: -1, ignorable: true }),
    rackId: string({ versions: '3+', nullable: '3+', default: null, ignorable: true }),
  },
})
export type ConsumerProtocolSubscription = Infer<typeof consumerProtocolSubscription>

export const consumerProtocolAssignment = message({
  name: 'ConsumerProtocolAssignment',
  kind: 'data',
  versions: '0-3',
  flexible: 'none',
  fields: {
    assignedPartitions: array({
      topic: string(),
      partitions: array(int32()),
    }),
    userData: bytes({ nullable: '0+', default: null }),
  },
})
export type ConsumerProtocolAssignment = Infer<typeof consumerProtocolAssignment>
