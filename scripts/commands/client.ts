/** kafkajs as the commands use it: quiet, connected for one piece of work, and its errors in one line. */
import type { Admin, Kafka } from 'kafkajs'
import type { Cluster } from '../cluster/cluster.ts'
import { attachCluster } from '../cluster/runtimes.ts'
import { failure, messageOf, ToolkitError, usageError } from '../errors.ts'
import { Output } from '../output.ts'
import type { CommonOptions } from './options.ts'
import { tellingSilence } from './silence.ts'

export async function kafkaOf(options: CommonOptions): Promise<{ kafka: Kafka; cluster: Cluster }> {
  const [{ default: kafkajs }, { endingSpins }, cluster] = await Promise.all([
    import('kafkajs'),
    import('../workload/kafkajs-goodbye.ts'),
    attachCluster(options.name),
  ])
  const known = cluster.kafkaOptions()
  const output = new Output(options.json === true)
  const kafka = new kafkajs.Kafka({
    clientId: 'faultline',
    logLevel: kafkajs.logLevel.NOTHING,
    logCreator: endingSpins(() => () => undefined),
    // About 10 s in all: as long as a group's coordinator needs to come up on a slow machine.
    retry: { retries: 8, initialRetryTime: 100, maxRetryTime: 2_000 },
    ...known,
    socketFactory: tellingSilence({ note: message => output.note(message), socketFactory: known.socketFactory }),
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
  }, options.name)
}

/** Refuses a topic that is not there; kafkajs would speak of partitions, or make it. */
export async function requireTopic(admin: Admin, topic: string, cluster: string): Promise<void> {
  if ((await admin.listTopics()).includes(topic)) return
  throw failure(`There is no topic ${topic}.`, `./faultline topic list --name ${cluster} shows the topics.`)
}

/** Refuses a name that no topic can have, before anybody is asked. The rules are Kafka's (`Topic.validate`). */
export function requireTopicName(topic: string): void {
  if (/^[a-zA-Z0-9._-]{1,249}$/.test(topic) && topic !== '.' && topic !== '..') return
  throw usageError(
    `${JSON.stringify(topic)} cannot be the name of a topic: expected 1 to 249 of a-z, A-Z, 0-9, ".", "_" and "-", and not "." or "..".`,
  )
}

/** Errors of kafkajs as failures of the command: one line, no stack. */
export async function explained<T>(work: () => Promise<T>, cluster: string): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof ToolkitError) throw error
    const remedy = isConnectionError(error)
      ? `./faultline status --name ${cluster} shows which brokers run.`
      : undefined
    throw failure(textOf(error), remedy, error)
  }
}

/** Nobody answered, also after all tries. */
function isConnectionError(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (error.name === 'KafkaJSConnectionError' || error.name === 'KafkaJSRequestTimeoutError') return true
  return isConnectionError(error.cause)
}

function textOf(error: unknown): string {
  if (error instanceof Error && 'errors' in error && Array.isArray(error.errors)) {
    const parts = error.errors.map(part => messageOf(part))
    if (parts.length > 0) return parts.join('; ')
  }
  return messageOf(error)
}
