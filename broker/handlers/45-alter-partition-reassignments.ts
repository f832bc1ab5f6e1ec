/**
 * AlterPartitionReassignments: v0-1. Gives partitions other replicas, or cancels that (KIP-455).
 *
 * Behavior: forwarded to the active controller (KIP-590). The answer says that the reassignment has begun; ListPartitionReassignments and
 * Metadata show how far it is.
 * Versions: v1 may forbid a change of the replication factor (KIP-860).
 * Errors: of the whole NOT_CONTROLLER, REQUEST_TIMED_OUT, POLICY_VIOLATION; per partition UNKNOWN_TOPIC_OR_PARTITION,
 * NO_REASSIGNMENT_IN_PROGRESS, INVALID_REPLICA_ASSIGNMENT, INVALID_REPLICATION_FACTOR.
 */
import { reassignPartitions as operation } from '../controller/reassign-partitions.ts'
import { errorCode, type ErrorName } from '../protocol/errors.ts'
import type {
  AlterPartitionReassignmentsRequest,
  alterPartitionReassignmentsResponse,
} from '../protocol/messages/45-alter-partition-reassignments.ts'
import type { Input } from '../protocol/schema.ts'
import { submit } from './controller-services.ts'
import { handler, requestRight } from './handler.ts'

type Response = Input<typeof alterPartitionReassignmentsResponse>

const refused = (error: ErrorName, errorMessage: string): Response => ({
  errorCode: errorCode(error),
  errorMessage,
  responses: [],
})

export const alterPartitionReassignments = handler<AlterPartitionReassignmentsRequest, Response>({
  apiKey: 45,
  versions: [0, 1],
  listeners: ['broker', 'controller'],
  authorization: [requestRight('Alter')],
  forwardToController: true,
  fail: (_request, error, message) => refused(error, message),
  handle: (request, context) =>
    submit(context, operation, request, {
      timeoutMs: request.timeoutMs,
      reply: (reply): Response => ({ errorCode: 0, errorMessage: null, ...reply }),
      refused,
    }),
})
