/**
 * UpdateFeatures: v0-2. Raises and lowers feature levels.
 *
 * Behavior: forwarded to the active controller (KIP-590); all updates of a request are made, or none.
 * Versions: v1 dry run and kinds of downgrade (KIP-778); v2 without results per feature. In v0 allowDowngrade is not looked at, as in Kafka.
 * Errors: INVALID_UPDATE_VERSION, NOT_CONTROLLER, REQUEST_TIMED_OUT.
 */
import { updateFeatures as operation } from '../controller/update-features.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type { UpdateFeaturesRequest, updateFeaturesResponse } from '../protocol/messages/57-update-features.ts'
import type { Input } from '../protocol/schema.ts'
import { submit } from './controller-services.ts'
import { handler, requestRight } from './handler.ts'

type Response = Input<typeof updateFeaturesResponse>

const refused = (error: ErrorName, errorMessage: string): Response => ({
  errorCode: errorCode(error),
  errorMessage,
  results: [],
})

export const updateFeatures = handler<UpdateFeaturesRequest, Response>({
  apiKey: 57,
  versions: [0, 2],
  listeners: ['broker', 'controller'],
  authorization: [requestRight('Alter')],
  forwardToController: true,
  fail: (_request, error, message) => refused(error, message),
  handle: (request, context) =>
    submit(context, operation, request, {
      timeoutMs: request.timeoutMs,
      reply: ({ failure }): Response => {
        if (failure !== undefined) {
          const prefix = 'The update failed for all features since the following feature had an error: '
          return refused(failure.error, prefix + failure.message)
        }
        const results = request.featureUpdates.map(({ feature }) => ({ feature, errorCode: 0, errorMessage: null }))
        return { errorCode: 0, errorMessage: null, results }
      },
      refused,
    }),
})
