/**
 * ApiVersions: v0-4. Which APIs in which versions this listener serves, and which features are supported and finalized.
 *
 * Behavior:
 * - The response header is always v0, so that a client that asked too high can read it; a version we do not know is answered as v0 with
 *   UNSUPPORTED_VERSION (dispatch.ts).
 * - Produce is advertised from version 0 on broker listeners although 0-2 are not served: old librdkafka gives up otherwise (KAFKA-18659).
 * Versions: v3 client software name and version, features (KIP-511, KIP-584); v4 features whose lowest level is 0 (KIP-1022).
 * Errors: INVALID_REQUEST for a malformed client software name or version.
 */
import { supportedFeatures } from '../controller/features.ts'
import { errorCode } from '../protocol/errors.ts'
import type { ApiVersionsRequest, apiVersionsResponse } from '../protocol/messages/18-api-versions.ts'
import type { Input } from '../protocol/schema.ts'
import { handler, type Handler, type ListenerKind } from './handler.ts'

export const apiVersionsKey = 18
const produceKey = 0

export function advertisedRange(
  served: Handler,
  listenerKind: ListenerKind,
): { apiKey: number; minVersion: number; maxVersion: number } {
  const [minimum, maximum] = served.versions
  const quirk = served.apiKey === produceKey && listenerKind === 'broker'
  return { apiKey: served.apiKey, minVersion: quirk ? 0 : minimum, maxVersion: maximum }
}

/** KIP-511: letters, digits, dots and dashes, beginning and ending with a letter or digit. */
const softwarePattern = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/

export const apiVersions = handler<ApiVersionsRequest, Input<typeof apiVersionsResponse>>({
  apiKey: apiVersionsKey,
  versions: [0, 4],
  listeners: ['broker', 'controller'],
  authorization: 'anyone',
  fail: (_request, error) => ({ errorCode: errorCode(error), apiKeys: [] }),
  handle: (request, { apiVersion, connection, services }) => {
    const nameless =
      apiVersion >= 3 &&
      !(softwarePattern.test(request.clientSoftwareName) && softwarePattern.test(request.clientSoftwareVersion))
    if (nameless) return { errorCode: errorCode('INVALID_REQUEST'), apiKeys: [] }
    if (apiVersion >= 3)
      connection.toldClientSoftware({ name: request.clientSoftwareName, version: request.clientSoftwareVersion })
    const image = services.metadata()
    return {
      errorCode: 0,
      apiKeys: services.dispatch.apiVersions(connection),
      throttleTimeMs: 0,
      supportedFeatures: supportedFeatures
        .filter(({ minVersion }) => apiVersion >= 4 || minVersion > 0)
        .map(({ name, minVersion, maxVersion }) => ({ name, minVersion, maxVersion })),
      finalizedFeaturesEpoch: image.offset,
      finalizedFeatures: [...image.features].map(([name, level]) => ({
        name,
        maxVersionLevel: level,
        minVersionLevel: level,
      })),
    }
  },
})
