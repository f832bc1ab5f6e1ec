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

/** Undefined when there is no such topic. */
export async function topicIdOf(cluster: Cluster, name: string, patienceMs = answerMs): Promise<string | undefined> {
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

async function ask(client: WireClient, name: string): Promise<string | undefined> {
  const asked = { topics: [{ topicId: noId, name }], allowAutoTopicCreation: false }
  const body = new Writer().bytes(codec(metadataRequest, version).encodeToBuffer(asked))
  const answer = await client.request(metadataKey, version, body, { flexible: true })
  const { topics } = codec(metadataResponse, version).decode(answer.rest())
  return topics.find(topic => topic.name === name && topic.errorCode === 0)?.topicId
}
