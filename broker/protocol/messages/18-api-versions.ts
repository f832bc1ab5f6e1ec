/**
 * ApiVersions, API key 18, v0-4.
 *
 * Versions that a node speaks; the first request of most clients.
 *
 * The response has header v0 in every version; a version that is not known is answered with v0 and UNSUPPORTED_VERSION (KIP-511).
 * Versions: v3 flexible, client software, features (KIP-584); v4 features whose lowest version is 0.
 */
import { array, bool, int16, int32, message, offset, string, type Infer } from '../schema.ts'

export const apiVersionsRequest = message({
  key: 18,
  name: 'ApiVersionsRequest',
  kind: 'request',
  versions: '0-4',
  flexible: '3+',
  fields: {
    clientSoftwareName: string({ versions: '3+', ignorable: true }),
    clientSoftwareVersion: string({ versions: '3+', ignorable: true }),
  },
})
export type ApiVersionsRequest = Infer<typeof apiVersionsRequest>

export const apiVersionsResponse = message({
  key: 18,
  name: 'ApiVersionsResponse',
  kind: 'response',
  versions: '0-4',
  flexible: '3+',
  fields: {
    errorCode: int16(),
    apiKeys: array({
      apiKey: int16(),
      minVersion: int16(),
      maxVersion: int16(),
    }),
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ versions: '1+', ignorable: true }),
    supportedFeatures: array(
      { versions: '3+', tag: 0, ignorable: true },
      {
        name: string(),
        minVersion: int16(),
        maxVersion: int16(),
      },
    ),
    /** Offset of the metadata log up to which the features below hold, -1 for unknown. */
    finalizedFeaturesEpoch: offset({ versions: '3+', tag: 1, default: -1, ignorable: true }),
    finalizedFeatures: array(
      { versions: '3+', tag: 2, ignorable: true },
      {
        name: string(),
        maxVersionLevel: int16(),
        minVersionLevel: int16(),
      },
    ),
    /** A leftover of the migration from ZooKeeper. */
    zkMigrationReady: bool({ versions: '3+', tag: 3, default: false, ignorable: true }),
  },
})
export type ApiVersionsResponse = Infer<typeof apiVersionsResponse>
