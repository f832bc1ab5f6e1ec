/**
 * DescribeClientQuotas: v0-1. Quotas of users, client ids and addresses that match a filter, from the metadata of this broker (KIP-546).
 *
 * Versions: v1 flexible.
 * Errors: CLUSTER_AUTHORIZATION_FAILED, INVALID_REQUEST, UNSUPPORTED_VERSION for an entity type we do not know.
 */
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type {
  DescribeClientQuotasRequest,
  describeClientQuotasResponse,
} from '../protocol/messages/48-describe-client-quotas.ts'
import type { Input } from '../protocol/schema.ts'
import { describeQuotas } from '../security/quotas/describe-quotas.ts'
import { handler, requestRight } from './handler.ts'

type Response = Input<typeof describeClientQuotasResponse>

function refused(error: ErrorName, errorMessage: string): Response {
  return { errorCode: errorCode(error), errorMessage, entries: null }
}

export const describeClientQuotas = handler<DescribeClientQuotasRequest, Response>({
  apiKey: 48,
  versions: [0, 1],
  listeners: ['broker'],
  authorization: [requestRight('DescribeConfigs')],
  fail: (_request, error, message) => refused(error, message),
  handle: (request, { services }) => {
    const found = describeQuotas(services.metadata().clientQuotas, request)
    if ('error' in found) return refused(found.error, found.message)
    return { errorCode: 0, errorMessage: null, entries: found }
  },
})
