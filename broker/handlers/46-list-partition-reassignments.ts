/**
 * ListPartitionReassignments: v0. The reassignments that are under way (KIP-455).
 *
 * Behavior: forwarded to the active controller (KIP-590). With topics null, all; what is not being reassigned is left out.
 * Errors: NOT_CONTROLLER, REQUEST_TIMED_OUT.
 */
import { listReassignments as operation } from '../controller/reassign-partitions.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type {
  ListPartitionReassignmentsRequest,
  listPartitionReassignmentsResponse,
} from '../protocol/messages/46-list-partition-reassignments.ts'
import type { Input } from '../protocol/schema.ts'
import { submit } from './controller-services.ts'
import { handler, requestRight } from './handler.ts'

type Response = Input<typeof listPartitionReassignmentsResponse>

const refused = (error: ErrorName, errorMessage: string): Response => ({
  errorCode: errorCode(error),
  errorMessage,
  topics: [],
})

export const listPartitionReassignments = handler<ListPartitionReassignmentsRequest, Response>({
  apiKey: 46,
  versions: [0, 0],
  listeners: ['broker', 'controller'],
  authorization: [requestRight('Describe')],
  forwardToController: true,
  fail: (_request, error, message) => refused(error, message),
  handle: (request, context) =>
    submit(context, operation, request, {
      timeoutMs: request.timeoutMs,
      reply: (reply): Response => ({ errorCode: 0, errorMessage: null, ...reply }),
      refused,
    }),
})
