/**
 * ListConfigResources, API key 74, v0-1.
 *
 * Resources that have settings (KIP-1142); v0 lists client metrics only (KIP-714).
 */
import { array, int16, int32, int8, message, string, type Infer } from '../schema.ts'

export const listConfigResourcesRequest = message({
  key: 74,
  name: 'ListConfigResourcesRequest',
  kind: 'request',
  versions: '0-1',
  flexible: '0+',
  fields: {
    resourceTypes: array({ versions: '1+' }, int8()),
  },
})
export type ListConfigResourcesRequest = Infer<typeof listConfigResourcesRequest>

export const listConfigResourcesResponse = message({
  key: 74,
  name: 'ListConfigResourcesResponse',
  kind: 'response',
  versions: '0-1',
  flexible: '0+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    configResources: array({
      resourceName: string(),
      resourceType: int8({ versions: '1+', default: 16, ignorable: true }),
    }),
  },
})
export type ListConfigResourcesResponse = Infer<typeof listConfigResourcesResponse>
