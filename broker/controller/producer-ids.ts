/** AllocateProducerIds as an operation: every broker gets blocks of ids that nobody else ever gets. Source: KIP-730. */
import type { MetadataRecord } from './metadata-record.ts'
import { checkBrokerEpoch, isRefusal, refuse } from './operation.ts'
import type { Operation } from './operation.ts'

export const producerIdBlockSize = 1_000
const largestProducerId = 9_223_372_036_854_775_807n

export interface ProducerIdBlock {
  readonly errorCode: number
  readonly producerIdStart: bigint
  readonly producerIdLen: number
}

export const allocateProducerIds: Operation<
  { readonly brokerId: number; readonly brokerEpoch: number },
  ProducerIdBlock
> = ({ image }, { brokerId, brokerEpoch }) => {
  const sender = checkBrokerEpoch(image, brokerId, brokerEpoch)
  if (isRefusal(sender)) return sender
  const producerIdStart = image.producerIds?.nextProducerId ?? 0n
  const nextProducerId = producerIdStart + BigInt(producerIdBlockSize)
  if (nextProducerId > largestProducerId) {
    return refuse('UNKNOWN_SERVER_ERROR', 'All producer ids have been given away.')
  }
  const record: MetadataRecord = { type: 'ProducerIds', brokerId, brokerEpoch, nextProducerId }
  return { records: [record], reply: { errorCode: 0, producerIdStart, producerIdLen: producerIdBlockSize } }
}
