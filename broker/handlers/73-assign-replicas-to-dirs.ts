/**
 * AssignReplicasToDirs: v0, between brokers and the controller. A broker with several log directories says where its replicas are (KIP-858).
 *
 * Errors: of the whole STALE_BROKER_EPOCH, NOT_CONTROLLER; per partition UNKNOWN_TOPIC_ID, UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER.
 */
import { assignDirectories } from '../controller/change-topics.ts'
import { errorCode } from '../protocol/errors.ts'
import type {
  AssignReplicasToDirsRequest,
  assignReplicasToDirsResponse,
} from '../protocol/messages/73-assign-replicas-to-dirs.ts'
import type { Input } from '../protocol/schema.ts'
import { submit } from './controller-services.ts'
import { handler, requestRight } from './handler.ts'

type Response = Input<typeof assignReplicasToDirsResponse>

export const assignReplicasToDirs = handler<AssignReplicasToDirsRequest, Response>({
  apiKey: 73,
  versions: [0, 0],
  listeners: ['controller'],
  authorization: [requestRight('ClusterAction')],
  fail: (_request, error) => ({ errorCode: errorCode(error), directories: [] }),
  handle: (request, context) =>
    submit(context, assignDirectories, request, {
      reply: (reply): Response => reply,
      refused: (error): Response => ({ errorCode: errorCode(error), directories: [] }),
    }),
})
