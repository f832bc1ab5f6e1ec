/**
 * AlterPartition: v2-3, between brokers and the controller. A leader proposes a new in-sync set.
 *
 * Behavior: decided by the active controller alone; the answer comes when it is committed, with the state that holds then.
 * Versions: v2 topic ids (KIP-516); v3 broker epochs of the replicas (KIP-903). v2 brokers' replicas count without that check.
 * Errors: of the whole NOT_CONTROLLER, STALE_BROKER_EPOCH; per partition see controller/alter-partition.ts.
 */
import { alterPartition as operation } from '../controller/alter-partition.ts'
import { errorCode } from '../protocol/errors.ts'
import type { AlterPartitionRequest, alterPartitionResponse } from '../protocol/messages/56-alter-partition.ts'
import type { Input } from '../protocol/schema.ts'
import { submit } from './controller-services.ts'
import { handler, requestRight } from './handler.ts'

type Response = Input<typeof alterPartitionResponse>
const firstVersionWithEpochs = 3

/** The replicas of a v2 request with the epoch that means "not known". */
function withEpochs(request: AlterPartitionRequest, apiVersion: number): AlterPartitionRequest {
  if (apiVersion >= firstVersionWithEpochs) return request
  return {
    ...request,
    topics: request.topics.map(({ topicId, partitions }) => ({
      topicId,
      partitions: partitions.map(partition => ({
        ...partition,
        newIsrWithEpochs: partition.newIsr.map(brokerId => ({ brokerId, brokerEpoch: -1 })),
      })),
    })),
  }
}

export const alterPartition = handler<AlterPartitionRequest, Response>({
  apiKey: 56,
  versions: [2, 3],
  listeners: ['controller'],
  authorization: [requestRight('ClusterAction')],
  fail: (_request, error) => ({ errorCode: errorCode(error), topics: [] }),
  handle: (request, context) =>
    submit(context, operation, withEpochs(request, context.apiVersion), {
      reply: ({ topics }): Response => ({
        errorCode: 0,
        topics: topics.map(({ topicId, partitions }) => ({
          topicId,
          partitions: partitions.map(partition => ({
            leaderId: 0,
            leaderEpoch: 0,
            isr: [],
            partitionEpoch: 0,
            ...partition,
          })),
        })),
      }),
      refused: (error): Response => ({ errorCode: errorCode(error), topics: [] }),
    }),
})
