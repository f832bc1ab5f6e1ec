/**
 * DeleteAcls: v1-3. Deletes the access control entries that match filters, and says which they were.
 *
 * Behavior: forwarded to the active controller (KIP-590). Each filter succeeds or fails by itself; an entry that two filters match is named
 *   by both. A filter with UNKNOWN (0) in it closes the connection, as in Kafka.
 * Versions: v1 pattern types (KIP-290); v2 flexible; v3 users as resources.
 * Errors: CLUSTER_AUTHORIZATION_FAILED, SECURITY_DISABLED without an authorizer, NOT_CONTROLLER, INVALID_REQUEST.
 */
import { deleteAcls as operation } from '../controller/change-acls.ts'
import { errorFields } from '../controller/operation.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type { DeleteAclsRequest, deleteAclsResponse } from '../protocol/messages/31-delete-acls.ts'
import type { Input } from '../protocol/schema.ts'
import { refuseUnknownFilter } from './29-describe-acls.ts'
import { submit } from './controller-services.ts'
import { handler, requestRight } from './handler.ts'

type Response = Input<typeof deleteAclsResponse>

function refused({ filters }: DeleteAclsRequest, error: ErrorName, errorMessage: string): Response {
  return { filterResults: filters.map(() => ({ errorCode: errorCode(error), errorMessage, matchingAcls: [] })) }
}

export const deleteAcls = handler<DeleteAclsRequest, Response>({
  apiKey: 31,
  versions: [1, 3],
  listeners: ['broker', 'controller'],
  authorization: [requestRight('Alter')],
  forwardToController: true,
  fail: refused,
  check: ({ filters }) => {
    for (const filter of filters) refuseUnknownFilter(filter)
  },
  handle: (request, context) => {
    if (context.services.authorizer === undefined)
      return refused(request, 'SECURITY_DISABLED', 'No Authorizer is configured.')
    return submit(context, operation, request, {
      reply: ({ results }): Response => ({
        filterResults: results.map(result =>
          'error' in result
            ? { ...errorFields(result), matchingAcls: [] }
            : {
                ...errorFields(undefined),
                matchingAcls: result.map(acl => ({ ...errorFields(undefined), ...acl })),
              },
        ),
      }),
      refused: (error, message) => refused(request, error, message),
    })
  },
})
