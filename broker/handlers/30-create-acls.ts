/**
 * CreateAcls: v1-3. Creates access control entries.
 *
 * Behavior: forwarded to the active controller (KIP-590). Each entry succeeds or fails by itself; one that exists already succeeds.
 *   UNKNOWN (0) in an entry closes the connection, as in Kafka.
 * Versions: v1 pattern types (KIP-290); v2 flexible; v3 users as resources.
 * Errors: CLUSTER_AUTHORIZATION_FAILED, SECURITY_DISABLED without an authorizer, NOT_CONTROLLER; per entry INVALID_REQUEST.
 */
import { createAcls as operation } from '../controller/change-acls.ts'
import { errorFields } from '../controller/operation.ts'
import { errorCode, ProtocolError, type ErrorName } from '../protocol/errors.ts'
import type { CreateAclsRequest, createAclsResponse } from '../protocol/messages/30-create-acls.ts'
import type { Input } from '../protocol/schema.ts'
import { unknownCode } from '../security/authorization/acl-filter.ts'
import { submit } from './controller-services.ts'
import { handler, requestRight } from './handler.ts'

type Response = Input<typeof createAclsResponse>

function refused({ creations }: CreateAclsRequest, error: ErrorName, errorMessage: string): Response {
  return { results: creations.map(() => ({ errorCode: errorCode(error), errorMessage })) }
}

export const createAcls = handler<CreateAclsRequest, Response>({
  apiKey: 30,
  versions: [1, 3],
  listeners: ['broker', 'controller'],
  authorization: [requestRight('Alter')],
  forwardToController: true,
  fail: refused,
  check: ({ creations }) => {
    for (const { resourceType, resourcePatternType, operation: right, permissionType } of creations) {
      if ([resourceType, resourcePatternType, right, permissionType].includes(unknownCode))
        throw new ProtocolError('an access control entry has UNKNOWN elements')
    }
  },
  handle: (request, context) => {
    const creations = request.creations.map(({ resourcePatternType, ...acl }) => ({
      ...acl,
      patternType: resourcePatternType,
    }))
    if (context.services.authorizer === undefined)
      return refused(request, 'SECURITY_DISABLED', 'No Authorizer is configured.')
    return submit(
      context,
      operation,
      { creations },
      {
        reply: ({ failures }): Response => ({ results: failures.map(errorFields) }),
        refused: (error, message) => refused(request, error, message),
      },
    )
  },
})
