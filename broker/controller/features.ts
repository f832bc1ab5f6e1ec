/**
 * The features of this broker, their levels, and the records that begin a new cluster. A level may be finalized only when every node
 * supports it; what is not implemented must not be listed, or clients and tools would rely on it.
 * Sources: KIP-584, KIP-1022; levels as in Kafka 4.3 (MetadataVersion, GroupVersion, TransactionVersion, EligibleLeaderReplicasVersion).
 */
import type { FeatureRange, MetadataRecord } from './metadata-record.ts'

export interface SupportedFeature {
  readonly name: string
  readonly minVersion: number
  readonly maxVersion: number
  /** Level in a new cluster; 0 is "off" and needs no record. */
  readonly initialLevel: number
}

/** 3.3-IV3: the first one with KRaft in production. */
export const metadataVersionMin = 7
/** 4.3-IV0. */
export const metadataVersionLatest = 30

export const supportedFeatures: readonly SupportedFeature[] = [
  {
    name: 'metadata.version',
    minVersion: metadataVersionMin,
    maxVersion: metadataVersionLatest,
    initialLevel: metadataVersionLatest,
  },
]

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
    .filter(({ initialLevel }) => initialLevel > 0)
    .map(({ name, initialLevel }) => ({ type: 'FeatureLevel', name, featureLevel: initialLevel }))
}
