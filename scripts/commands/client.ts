/** kafkajs as the commands use it: quiet, connected for one piece of work, and its errors in one line. */
import type { Admin, Kafka } from 'kafkajs'
import type { Cluster } from '../cluster/cluster.ts'
import { attachCluster } from '../cluster/runtimes.ts'
import { failure, messageOf, ToolkitError } from '../errors.ts'
import type { CommonOptions } from './options.ts'

export async function kafkaOf(options: CommonOptions): Promise<{ kafka: Kafka; cluster: Cluster }> {
  const [{ default: kafkajs }, { endingSpins }, cluster] = await Promise.all([
    import('kafkajs'),
    import('../workload/kafkajs-goodbye.ts'),
    attachCluster(options.name),
  ])
  const kafka = new kafkajs.Kafka({
    clientId: 'faultline',
    logLevel: kafkajs.logLevel.NOTHING,
    logCreator: endingSpins(() => () => undefined),
    // About 10 s in all: as long as a group's coordinator needs to come up on a slow machine.
    retry: { retries: 8, initialRetryTime: 100, maxRetryTime: 2_000 },
    ...cluster.kafkaOptions(),
  })
  return { kafka, cluster }
}

export async function withAdmin<T>(
  options: CommonOptions,
  work: (admin: Admin, cluster: Cluster) => Promise<T>,
): Promise<T> {
  const { kafka, cluster } = await kafkaOf(options)
  const admin = kafka.admin()
  return await explained(async () => {
    await admin.connect()
    try {
      return await work(admin, cluster)
    } finally {
      await admin.disconnect()
    }
  })
}

/** Refuses a topic that is not there; kafkajs would speak of partitions, or make it. */
export async function requireTopic(admin: Admin, topic: string, cluster: string): Promise<void> {
  if ((await admin.listTopics()).includes(topic)) return
  throw failure(`There is no topic ${topic}.`, `./faultline topic list --name ${cluster} shows the topics.`)
}

/** Errors of kafkajs as failures of the command: one line, no stack. */
export async function explained<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof ToolkitError) throw error
    throw failure(textOf(error), undefined, error)
  }
}

function textOf(error: unknown): string {
  if (error instanceof Error && 'errors' in error && Array.isArray(error.errors)) {
    const parts = error.errors.map(part => messageOf(part))
    if (parts.length > 0) return parts.join('; ')
  }
  return messageOf(error)
}
