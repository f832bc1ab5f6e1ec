/** Nodes as they were before a fault that did not work out on all of them. */
import type { Cluster, NodeState, NodeStatus } from '../cluster/cluster.ts'
import { untilAllEnded } from '../settle.ts'

const isUp = (state: NodeStatus | undefined) => state === 'running' || state === 'starting'

/** Of `ids`, starts and resumes those that ran when `were` was asked, where they do not run now. */
export async function bringBack(cluster: Cluster, were: readonly NodeState[], ids: readonly number[]): Promise<void> {
  const ran = were.filter(({ id, state }) => ids.includes(id) && isUp(state)).map(({ id }) => id)
  const now = (await cluster.nodes()).filter(({ id }) => ran.includes(id))
  await untilAllEnded(
    now.map(async ({ id, state }) => {
      if (state === 'paused') await cluster.resume(id)
      else if (!isUp(state)) await cluster.start(id)
    }),
  )
}
