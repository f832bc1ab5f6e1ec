/**
 * UpdateFeatures, API key 57, v0-2.
 *
 * Raises and lowers feature levels (KIP-584).
 *
 * Versions: v1 dry run and kinds of downgrade (KIP-778); v2 the response has no results per feature.
 */
import { array, bool, int16, int32, int8, message, string, type Infer } from '../schema.ts'

export const updateFeaturesRequest = message({
  key: 57,
  name: 'UpdateFeaturesRequest',
  kind: 'request',
  versions: '0-2',
  flexible: '0+',
  fields: {
    timeoutMs: int32({ default: 60000 }),
    featureUpdates: array({
      feature: string(),
      maxVersionLevel: int16(),
      allowDowngrade: bool({ versions: '0' }),
      upgradeType: int8({ versions: '1+', default: 1 }),
    }),
    /** Check, but change nothing. */
    validateOnly: bool({ versions: '1+', default: false }),
  },
})
export type UpdateFeaturesRequest = Infer<typeof updateFeaturesRequest>

export const updateFeaturesResponse = message({
  key: 57,
  name: 'UpdateFeaturesResponse',
  kind: 'response',
  versions: '0-2',
  flexible: '0+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+' }),
    results: array(
      { versions: '0-1', ignorable: true },
      {
        feature: string(),
        errorCode: int16(),
        errorMessage: string({ nullable: '0+' }),
      },
    ),
  },
})
export type UpdateFeaturesResponse = Infer<typeof updateFeaturesResponse>
