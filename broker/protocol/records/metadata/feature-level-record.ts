/**
 * A feature has a new level; metadata.version is the first record of a cluster (KIP-584, KIP-778).
 */
import { int16, message, string, type Infer } from '../../schema.ts'

export const featureLevelRecord = message({
  key: 12,
  name: 'FeatureLevelRecord',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    name: string(),
    /** 0 takes the feature away. */
    featureLevel: int16(),
  },
})
export type FeatureLevelRecord = Infer<typeof featureLevelRecord>
