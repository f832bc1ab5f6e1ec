/**
 * What a power failure does to the logs of a topic, done to nodes that are processes: they are killed, and their segments lose all that was
 * not flushed. Brokers flush a segment when it is rolled or when they stop in order, unless flush.* settings say otherwise; so of a topic that
 * has neither, everything is lost. Files that are flushed when they are written (epochs, checkpoints) stay.
 */
import { readdirSync, rmSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import type { Cluster } from '../cluster/cluster.ts'
import { failure } from '../errors.ts'

/** With capability `read-log-directory`; the nodes have one log directory each. */
export async function loseUnflushed(cluster: Cluster, ids: readonly number[], topic: string): Promise<void> {
  if (!cluster.capabilities.has('read-log-directory'))
    throw failure(
      `The runtime ${cluster.spec.runtime} can neither cut the power nor reach the files of its nodes.`,
      'Use --runtime simulated or --runtime process.',
    )
  await Promise.all(ids.map(id => cluster.kill(id)))
  for (const { id, dataDir } of await cluster.nodes()) if (ids.includes(id)) emptyLogs(dataDir, topic)
}

function emptyLogs(dataDir: string, topic: string): void {
  // The name of another topic may begin with this one and a dash.
  const isOfTopic = (name: string) => name.startsWith(`${topic}-`) && /^\d+$/.test(name.slice(topic.length + 1))
  const folders = readdirSync(dataDir).filter(isOfTopic)
  if (folders.length === 0) throw failure(`There is no log of ${topic} in ${dataDir}.`)
  for (const folder of folders) {
    for (const name of readdirSync(join(dataDir, folder))) {
      const file = join(dataDir, folder, name)
      if (name.endsWith('.log')) truncateSync(file)
      // Derived from the log, and not flushed either.
      else if (/\.(index|timeindex|txnindex|snapshot)$/.test(name)) rmSync(file)
    }
  }
}
