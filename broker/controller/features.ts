/**
 * The features of this broker, their levels, and the records that begin a new cluster. A level may be finalized only when every node
 * supports it; what is not implemented must not be listed, or clients and tools would rely on it.
 *
 * One table says it all. `newCluster` is the level of a cluster that is formatted here: it is raised to Kafka's default (the comment on the
 * line) by whoever completes the APIs that the level promises, and stays 0 until then. `maxVersion` is what this broker understands when
 * somebody else finalized it: Kafka's newest level as soon as a broker of that level can be joined, 0 (not offered) before.
 * Read a level with `image.feature('transaction.version')`.
 * Sources: KIP-584, KIP-1022; levels as in Kafka 4.3 (MetadataVersion, Feature).
 */
import type { FeatureRange, MetadataRecord } from './metadata-record.ts'

export interface Feature {
  readonly name: FeatureName
  readonly minVersion: number
  readonly maxVersion: number
  /** Level in a new cluster; 0 is "off" and needs no record. */
  readonly newCluster: number
  /** Levels of other features that a level of this one needs, lowest first. */
  readonly needs?: readonly { readonly level: number; readonly feature: FeatureName; readonly atLeast: number }[]
}

export type FeatureName =
  | 'metadata.version'
  | 'kraft.version'
  | 'transaction.version'
  | 'group.version'
  | 'eligible.leader.replicas.version'
  | 'share.version'
  | 'streams.version'

/** 3.3-IV3: the first one with KRaft in production. */
export const metadataVersionMin = 7
/** 4.3-IV0. */
export const metadataVersionLatest = 30

/** metadata.version from which controllers are registered (3.7-IV0, KIP-919) and brokers register their directories (3.7-IV2, KIP-858). */
export const metadataVersionOf = { controllerRegistration: 15, directories: 17, cordonedDirectories: 30 } as const

const features: readonly Feature[] = [
  {
    name: 'metadata.version',
    minVersion: metadataVersionMin,
    maxVersion: metadataVersionLatest,
    newCluster: metadataVersionLatest,
  },
  // Kafka: 0-2, default 2. 1 is KIP-890 part 1 (flexible records in the log), 2 part 2 (an epoch per transaction).
  { name: 'transaction.version', minVersion: 0, maxVersion: 2, newCluster: 2 },
  // Kafka: 0-1, default 1. 1 is KIP-848, the consumer protocol.
  { name: 'group.version', minVersion: 0, maxVersion: 1, newCluster: 1 },
  // Kafka: 0-1, default 1. 1 is KIP-932, share groups.
  { name: 'share.version', minVersion: 0, maxVersion: 1, newCluster: 1 },
  // Kafka: 0-1, default 1. 1 is KIP-1071, streams groups.
  { name: 'streams.version', minVersion: 0, maxVersion: 1, newCluster: 1 },
  // Kafka: 0-1, default 1. 1 is KIP-966, needs metadata.version 23.
  {
    name: 'eligible.leader.replicas.version',
    minVersion: 0,
    maxVersion: 1,
    newCluster: 0,
    needs: [{ level: 1, feature: 'metadata.version', atLeast: 23 }],
  },
  // Kafka: 0-1, default 1 with a dynamic quorum. 1 is KIP-853. Never a record of its own: it lives in the control records of the log.
  { name: 'kraft.version', minVersion: 0, maxVersion: 0, newCluster: 0 },
]

/**
 * What is offered. Kafka does not name a feature whose only level is 0; kraft.version is named all the same, since every cluster of Kafka's shows
 * it, and kafka-features then says which one this cluster has.
 */
export const supportedFeatures: readonly Feature[] = features.filter(
  ({ name, maxVersion }) => maxVersion > 0 || name === 'kraft.version',
)

/** Undefined for a name that is not offered. */
export function supportedFeature(name: string): Feature | undefined {
  return supportedFeatures.find(feature => feature.name === name)
}

/** The ranges as a broker or controller registers them. */
export function featureRanges(): FeatureRange[] {
  return supportedFeatures.map(({ name, minVersion, maxVersion }) => ({
    name,
    minSupportedVersion: minVersion,
    maxSupportedVersion: maxVersion,
  }))
}

/** First records of a cluster that was formatted without bootstrap records of its own. */
export function bootstrapRecords(): MetadataRecord[] {
  return supportedFeatures
    .filter(({ newCluster }) => newCluster > 0)
    .map(({ name, newCluster }) => ({ type: 'FeatureLevel', name, featureLevel: newCluster }))
}
