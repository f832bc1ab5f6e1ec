/** Every declared message: what the codec tests run over. */
import { requestHeader, responseHeader } from '#broker/protocol/headers.ts'
import { messages } from '#broker/protocol/messages/index.ts'
import * as consumerProtocol from '#broker/protocol/records/consumer-protocol.ts'
import * as control from '#broker/protocol/records/control.ts'
import { groupRecords } from '#broker/protocol/records/group/index.ts'
import { metadataRecords } from '#broker/protocol/records/metadata/index.ts'
import * as principalData from '#broker/protocol/records/principal-data.ts'
import * as producerSnapshot from '#broker/protocol/records/producer-snapshot.ts'
import * as quorumState from '#broker/protocol/records/quorum-state.ts'
import * as remoteLog from '#broker/protocol/records/remote-log-metadata.ts'
import { shareRecords } from '#broker/protocol/records/share/index.ts'
import { transactionRecords } from '#broker/protocol/records/transaction/index.ts'
import type { Message } from '#broker/protocol/schema.ts'

const pairs = [groupRecords, transactionRecords, shareRecords].flatMap(records =>
  Object.values<{ readonly key: Message; readonly value: Message }>(records).flatMap(({ key, value }) => [key, value]),
)

export const allMessages: readonly Message[] = [
  requestHeader,
  responseHeader,
  ...Object.values<{ readonly request: Message; readonly response: Message }>(messages).flatMap(each => [
    each.request,
    each.response,
  ]),
  ...Object.values<Message>(metadataRecords),
  ...pairs,
  ...[control, consumerProtocol, principalData, producerSnapshot, quorumState, remoteLog].flatMap(module =>
    Object.values<Message>(module),
  ),
]

/** Every message in every version: [title, message, version]. */
export const allVersions: readonly (readonly [string, Message, number])[] = allMessages.flatMap(message =>
  Array.from(
    { length: message.maxVersion - message.minVersion + 1 },
    (_, index) => [`${message.name} v${message.minVersion + index}`, message, message.minVersion + index] as const,
  ),
)
