/**
 * DescribeUserScramCredentials: v0. Which SCRAM mechanisms users have credentials for, and with how many iterations; never the keys (KIP-554).
 *
 * Behavior: no users, or null, means all.
 * Errors: CLUSTER_AUTHORIZATION_FAILED; per user RESOURCE_NOT_FOUND, DUPLICATE_RESOURCE.
 */
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type {
  DescribeUserScramCredentialsRequest,
  describeUserScramCredentialsResponse,
} from '../protocol/messages/50-describe-user-scram-credentials.ts'
import type { Input } from '../protocol/schema.ts'
import { handler, requestRight } from './handler.ts'

type Response = Input<typeof describeUserScramCredentialsResponse>

const failure = (user: string, error: ErrorName, message: string) => ({
  user,
  errorCode: errorCode(error),
  errorMessage: `${message}: ${user}`,
  credentialInfos: [],
})

export const describeUserScramCredentials = handler<DescribeUserScramCredentialsRequest, Response>({
  apiKey: 50,
  versions: [0, 0],
  listeners: ['broker', 'controller'],
  authorization: [requestRight('Describe')],
  fail: (_request, error, errorMessage) => ({ errorCode: errorCode(error), errorMessage, results: [] }),
  handle: ({ users }, { services }) => {
    const credentials = [...services.metadata().scramCredentials.values()]
    const named = (users ?? []).map(({ name }) => name)
    const wanted = named.length === 0 ? credentials.map(({ name }) => name) : named
    const results = [...new Set(wanted)].map(user => {
      if (named.indexOf(user) !== named.lastIndexOf(user))
        return failure(
          user,
          'DUPLICATE_RESOURCE',
          'Cannot describe SCRAM credentials for the same user twice in a single request',
        )
      const own = credentials.filter(({ name }) => name === user)
      if (own.length === 0)
        return failure(user, 'RESOURCE_NOT_FOUND', 'Attempt to describe a user credential that does not exist')
      const credentialInfos = own.map(({ mechanism, iterations }) => ({ mechanism, iterations }))
      return { user, errorCode: 0, errorMessage: null, credentialInfos }
    })
    return { errorCode: 0, errorMessage: null, results }
  },
})
