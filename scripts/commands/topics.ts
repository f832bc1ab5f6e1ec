/** topic create, list, describe, delete. */
import type { ITopicMetadata } from 'kafkajs'
import type { Cluster } from '../cluster/cluster.ts'
import { parseSettings } from '../cluster/spec.ts'
import { whyTopicIsRefused } from '../cluster/wire-requests.ts'
import type { TopicShape } from '../cluster/wire-requests.ts'
import { endpointOf, WireClient } from '../cluster/wire.ts'
import { failure, usageError } from '../errors.ts'
import { requireTopic, requireTopicName, withAdmin } from './client.ts'
import { table } from './describe.ts'
import type { CommonOptions } from './options.ts'
import type { Session } from './session.ts'

interface CreateOptions extends CommonOptions {
  readonly partitions: number
  readonly replicas?: number
  readonly set: readonly string[]
}

export async function createTopic(name: string, options: CreateOptions, session: Session): Promise<void> {
  requireTopicName(name)
  const settings = parseSettings(options.set)
  await withAdmin(options, async (admin, cluster) => {
    const replicas = options.replicas ?? Math.min(3, cluster.spec.brokers)
    const created = await admin
      .createTopics({
        waitForLeaders: true,
        topics: [
          {
            topic: name,
            numPartitions: options.partitions,
            replicationFactor: replicas,
            configEntries: Object.entries(settings).map(([key, value]) => ({ name: key, value })),
          },
        ],
      })
      .catch(async (error: unknown) => {
        throw await refused(error, { name, partitions: options.partitions, replicas, settings }, cluster)
      })
    if (!created)
      throw failure(`There is a topic ${name} already.`, `./faultline topic describe ${name} --name ${options.name}`)
    const document = { name, partitions: options.partitions, replicas, settings }
    session.output.result(document, () => `Created ${name}: ${options.partitions} partitions, ${replicas} replicas.`)
  })
}

export async function listTopics(
  options: CommonOptions & { readonly internal?: boolean },
  session: Session,
): Promise<void> {
  const topics = await withAdmin(options, async admin => (await admin.fetchTopicMetadata()).topics)
  const shown = topics
    .filter(topic => options.internal === true || !topic.name.startsWith('__'))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  const documents = shown.map(topic => ({
    name: topic.name,
    summary: `${topic.partitions.length} partitions, ${topic.partitions[0]?.replicas.length ?? 0} replicas`,
    partitions: topic.partitions.length,
    replicas: topic.partitions[0]?.replicas.length ?? 0,
  }))
  const text = await table(
    ['topic', 'partitions', 'replicas'],
    documents.map(row => [row.name, String(row.partitions), String(row.replicas)]),
  )
  session.output.result(documents, () => (documents.length === 0 ? 'No topics.' : text))
}

export async function describeTopic(name: string, options: CommonOptions, session: Session): Promise<void> {
  const { ConfigResourceTypes } = (await import('kafkajs')).default
  const document = await withAdmin(options, async admin => {
    await requireTopic(admin, name, options.name)
    const { topics } = await admin.fetchTopicMetadata({ topics: [name] })
    const offsets = await admin.fetchTopicOffsets(name)
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: ConfigResourceTypes.TOPIC, name }],
    })
    const changed = (resources[0]?.configEntries ?? []).filter(entry => !entry.isDefault)
    return {
      name,
      settings: Object.fromEntries(changed.map(entry => [entry.configName, entry.configValue])),
      partitions: partitionsOf(topics[0], offsets),
    }
  })
  const rows = document.partitions.map(p =>
    [p.index, p.leader, p.replicas.join(','), p.isr.join(','), p.earliestOffset, p.latestOffset].map(String),
  )
  const text = await table(['partition', 'leader', 'replicas', 'in sync', 'first offset', 'next offset'], rows)
  const settings = Object.entries(document.settings).map(([key, value]) => `${key}=${value}`)
  session.output.result(document, () =>
    [settings.length === 0 ? '' : `${settings.join('\n')}\n`, text].join('\n').trimStart(),
  )
}

/** kafkajs passes on the code of a refusal only; the broker that gave it says in words what is wrong, and is asked once more. */
async function refused(error: unknown, topic: TopicShape, cluster: Cluster): Promise<unknown> {
  const isRefusal = error instanceof Error && 'errors' in error && Array.isArray(error.errors)
  const why = isRefusal ? await reasonOf(topic, cluster) : ''
  if (why === '') return error
  const names =
    'The names of settings are those of Kafka’s topic configs: https://kafka.apache.org/documentation/#topicconfigs'
  return usageError(
    `The broker refuses the topic ${topic.name}: ${why}`,
    Object.keys(topic.settings).length === 0 ? undefined : names,
  )
}

const askingMs = 5_000

/** '' when no broker says. */
async function reasonOf(topic: TopicShape, cluster: Cluster): Promise<string> {
  for (const broker of cluster.bootstrap) {
    try {
      const client = await WireClient.open(endpointOf(broker), cluster.kafkaOptions())
      try {
        return await whyTopicIsRefused(client, topic, askingMs)
      } finally {
        client.close()
      }
    } catch {
      // Another broker may be up. When none is, what kafkajs said is told.
    }
  }
  return ''
}

function partitionsOf(
  topic: ITopicMetadata | undefined,
  offsets: readonly { partition: number; low: string; high: string }[],
) {
  return [...(topic?.partitions ?? [])]
    .sort((a, b) => a.partitionId - b.partitionId)
    .map(({ partitionId, leader, replicas, isr }) => {
      const found = offsets.find(offset => offset.partition === partitionId)
      return {
        index: partitionId,
        leader,
        replicas,
        isr,
        earliestOffset: Number(found?.low ?? -1),
        latestOffset: Number(found?.high ?? -1),
      }
    })
}

export async function deleteTopics(names: readonly string[], options: CommonOptions, session: Session): Promise<void> {
  await withAdmin(options, async admin => {
    for (const name of names) await requireTopic(admin, name, options.name)
    await admin.deleteTopics({ topics: [...names] })
  })
  session.output.result({ deleted: names }, () => `Deleted ${names.join(', ')}.`)
}
