/** The id of a topic, asked of the brokers that answer: Metadata v12, which is the first to be sure that a topic can be asked for by name and told by id. */
import { metadataRequest, metadataResponse } from '#broker/protocol/messages/03-metadata.ts'
import { codec } from '#broker/protocol/codec.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { Writer } from '../cluster/wire-format.ts'
import { endpointOf, WireClient } from '../cluster/wire.ts'
import { failure, messageOf } from '../errors.ts'

const metadataKey = 3
const version = 12
const noId = 'AAAAAAAAAAAAAAAAAAAAAA'

const answerMs = 5_000

export interface TopicIdentity {
  readonly id: string
  /** Their indexes. */
  readonly partitions: readonly number[]
}

/** Undefined when there is no such topic. */
export async function topicIdOf(
  cluster: Cluster,
  name: string,
  patienceMs = answerMs,
): Promise<TopicIdentity | undefined> {
  const problems: string[] = []
  for (const address of cluster.bootstrap) {
    const patience = AbortSignal.timeout(patienceMs)
    try {
      const client = await WireClient.open(endpointOf(address), cluster.kafkaOptions(), patience)
      try {
        return await ask(client, name)
      } finally {
        client.close()
      }
    } catch (error) {
      problems.push(patience.aborted ? `${address}: no answer within ${patienceMs / 1_000} s` : messageOf(error))
    }
  }
  throw failure(`No broker says which id the topic ${name} has: ${problems.join('; ')}.`)
}

async function ask(client: WireClient, name: string): Promise<TopicIdentity | undefined> {
  const asked = { topics: [{ topicId: noId, name }], allowAutoTopicCreation: false }
  const body = new Writer().bytes(codec(metadataRequest, version).encodeToBuffer(asked))
  const answer = await client.request(metadataKey, version, body, { flexible: true })
  const { topics } = codec(metadataResponse, version).decode(answer.rest())
  const found = topics.find(topic => topic.name === name && topic.errorCode === 0)
  return found && { id: found.topicId, partitions: found.partitions.map(({ partitionIndex }) => partitionIndex) }
}
