/**
 * FeatureLevelRecord: metadata record type 12.
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
    featureLevel: int16(),
  },
})
export type FeatureLevelRecord = Infer<typeof featureLevelRecord>
