/** topic create, list, describe, delete. */
import type { ITopicMetadata } from 'kafkajs'
import { parseSettings } from '../cluster/spec.ts'
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
      .catch((error: unknown) => {
        throw refusedSettings(error, options.set)
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

/** kafkajs passes on the code of the refusal only; what it is about is known here. */
function refusedSettings(error: unknown, set: readonly string[]): unknown {
  const parts = error instanceof Error && 'errors' in error && Array.isArray(error.errors) ? error.errors : [error]
  const invalid = parts.some(
    (part: unknown) => part instanceof Error && 'type' in part && part.type === 'INVALID_CONFIG',
  )
  if (!invalid || set.length === 0) return error
  return usageError(
    `The broker refuses the topic settings ${set.join(', ')}: a name is not known, or a value does not fit.`,
    'The names are those of Kafka’s topic configs: https://kafka.apache.org/documentation/#topicconfigs',
  )
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
  await withAdmin(options, async admin => await admin.deleteTopics({ topics: [...names] }))
  session.output.result({ deleted: names }, () => `Deleted ${names.join(', ')}.`)
}
