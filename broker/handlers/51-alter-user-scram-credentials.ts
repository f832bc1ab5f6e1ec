/**
 * AlterUserScramCredentials: v0. Sets and removes what users prove themselves with (KIP-554). The client salts the password; it never comes here.
 *
 * Behavior: forwarded to the active controller (KIP-590).
 * Errors: CLUSTER_AUTHORIZATION_FAILED, NOT_CONTROLLER; per user UNACCEPTABLE_CREDENTIAL, UNSUPPORTED_SASL_MECHANISM, RESOURCE_NOT_FOUND,
 *   DUPLICATE_RESOURCE.
 */
import { alterScramCredentials } from '../controller/alter-scram-credentials.ts'
import { errorFields } from '../controller/operation.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type {
  AlterUserScramCredentialsRequest,
  alterUserScramCredentialsResponse,
} from '../protocol/messages/51-alter-user-scram-credentials.ts'
import type { Input } from '../protocol/schema.ts'
import { submit } from './controller-services.ts'
import { handler, requestRight } from './handler.ts'

type Response = Input<typeof alterUserScramCredentialsResponse>

function refused(request: AlterUserScramCredentialsRequest, error: ErrorName, errorMessage: string): Response {
  const users = new Set([...request.deletions, ...request.upsertions].map(({ name }) => name))
  return { results: [...users].map(user => ({ user, errorCode: errorCode(error), errorMessage })) }
}

export const alterUserScramCredentials = handler<AlterUserScramCredentialsRequest, Response>({
  apiKey: 51,
  versions: [0, 0],
  listeners: ['broker', 'controller'],
  authorization: [requestRight('Alter')],
  forwardToController: true,
  fail: refused,
  handle: (request, context) =>
    submit(context, alterScramCredentials, request, {
      reply: ({ results }): Response => ({
        results: results.map(({ user, failure }) => ({ user, ...errorFields(failure) })),
      }),
      refused: (error, message) => refused(request, error, message),
    }),
})
