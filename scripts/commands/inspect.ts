/** `inspect`: the cluster's own view of itself (quorum, topics, leaders, in-sync replicas), or all that is known of one node. */
import type { Cluster, NodeState } from '../cluster/cluster.ts'
import { attachCluster } from '../cluster/runtimes.ts'
import { WireClient } from '../cluster/wire.ts'
import type { MetadataView } from '../cluster/wire-requests.ts'
import { allTopics } from '../cluster/wire-requests.ts'
import { failure, messageOf } from '../errors.ts'
import { paint } from '../output.ts'
import { table } from './describe.ts'
import type { CommonOptions } from './options.ts'
import { resolveNodes } from './options.ts'
import type { Session } from './session.ts'
import { tellingSilence } from './silence.ts'

export async function inspect(names: readonly string[], options: CommonOptions, session: Session): Promise<void> {
  const cluster = await attachCluster(options.name)
  if (names.length > 0) return await inspectNodes(cluster, await resolveNodes(cluster, names), session)
  const [quorum, view] = await Promise.all([cluster.quorum(), metadataOf(cluster, session)])
  const document = {
    name: cluster.spec.name,
    quorum,
    unfenced: view.brokers.map(broker => broker.id).sort((a, b) => a - b),
    topics: view.topics,
  }
  const text = session.output.json ? '' : await topicTable(view)
  session.output.result(document, () =>
    [
      quorum === undefined
        ? paint.red('quorum: no leader')
        : `quorum: leader ${quorum.leaderId}, epoch ${quorum.leaderEpoch}, high watermark ${quorum.highWatermark}, voters ${quorum.voters.map(({ id, logEndOffset }) => `${id} (end ${logEndOffset})`).join(', ')}`,
      `unfenced brokers: ${document.unfenced.join(', ')}`,
      '',
      view.topics.length === 0 ? 'no topics' : text,
    ].join('\n'),
  )
}

const answerMs = 5_000

async function metadataOf(cluster: Cluster, { output }: Session): Promise<MetadataView> {
  const nodes = await cluster.nodes()
  const up = nodes.filter(node => node.roles.includes('broker') && node.state === 'running')
  const problems: string[] = []
  const known = cluster.kafkaOptions()
  const note = (message: string) => output.note(message)
  const client = { ...known, socketFactory: tellingSilence({ note, socketFactory: known.socketFactory }) }
  for (const node of up) {
    const patience = AbortSignal.timeout(answerMs)
    try {
      const asked = await WireClient.open(node, client, patience)
      try {
        return await allTopics(asked)
      } finally {
        asked.close()
      }
    } catch (error) {
      problems.push(
        `broker ${node.id}: ${patience.aborted ? `no answer within ${answerMs / 1_000} s` : messageOf(error)}`,
      )
    }
  }
  throw failure(
    `No broker of ${cluster.spec.name} answers${problems.length === 0 ? ': none is running' : `: ${problems.join('; ')}`}.`,
    `./faultline status --name ${cluster.spec.name}`,
  )
}

async function topicTable(view: MetadataView): Promise<string> {
  const rows = view.topics.flatMap(topic =>
    topic.partitions.map(partition => [
      topic.name,
      String(partition.index),
      partition.leader < 0 ? paint.red('none') : String(partition.leader),
      partition.replicas.join(','),
      partition.isr.length < partition.replicas.length
        ? paint.yellow(partition.isr.join(','))
        : partition.isr.join(','),
    ]),
  )
  return await table(['topic', 'partition', 'leader', 'replicas', 'in sync'], rows)
}

async function inspectNodes(cluster: Cluster, ids: readonly number[], session: Session): Promise<void> {
  const nodes = (await cluster.nodes()).filter(node => ids.includes(node.id))
  const documents = await Promise.all(nodes.map(async node => ({ ...node, reports: await ownReport(node) })))
  session.output.result(documents.length === 1 ? documents[0] : documents, () =>
    JSON.stringify(documents, undefined, 2),
  )
}

/** What the node's read-only HTTP state says; a text when it does not answer. */
async function ownReport(node: NodeState): Promise<unknown> {
  if (node.inspector === undefined || node.state !== 'running') return undefined
  try {
    const response = await fetch(node.inspector, { signal: AbortSignal.timeout(2_000) })
    return await response.json()
  } catch (error) {
    return `${node.inspector} does not answer: ${messageOf(error)}`
  }
}
