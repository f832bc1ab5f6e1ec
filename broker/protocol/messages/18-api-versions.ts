/**
 * ApiVersions, API key 18, v0-4.
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
    throttleTimeMs: int32({ versions: '1+', ignorable: true }),
    supportedFeatures: array(
      { versions: '3+', tag: 0, ignorable: true },
      {
        name: string(),
        minVersion: int16(),
        maxVersion: int16(),
      },
    ),
    finalizedFeaturesEpoch: offset({ versions: '3+', tag: 1, default: -1, ignorable: true }),
    finalizedFeatures: array(
      { versions: '3+', tag: 2, ignorable: true },
      {
        name: string(),
        maxVersionLevel: int16(),
        minVersionLevel: int16(),
      },
    ),
    zkMigrationReady: bool({ versions: '3+', tag: 3, default: false, ignorable: true }),
  },
})
export type ApiVersionsResponse = Infer<typeof apiVersionsResponse>
