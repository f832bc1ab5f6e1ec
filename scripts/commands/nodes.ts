/** One operation on some nodes of a cluster, then their state. */
import type { Cluster } from '../cluster/cluster.ts'
import { attachCluster } from '../cluster/runtimes.ts'
import { failure } from '../errors.ts'
import type { Verb } from './breaking.ts'
import { describeCluster, nodeTable } from './describe.ts'
import type { CommonOptions } from './options.ts'
import { resolveNodes } from './options.ts'
import type { Session } from './session.ts'

interface OperateOptions extends CommonOptions {
  readonly wait?: boolean
}

export async function operate(
  verb: Verb,
  names: readonly string[],
  options: OperateOptions,
  session: Session,
): Promise<void> {
  const cluster = await attachCluster(options.name)
  const ids = await resolveNodes(cluster, names)
  const { output, signal } = session
  output.progress(`${verb}: node ${ids.join(', ')}`)
  if (verb === 'restart') await rollingRestart(cluster, ids, options.wait !== false, session)
  else await Promise.all(ids.map(id => cluster[verb](id)))
  signal.throwIfAborted()
  if ((verb === 'start' || verb === 'resume') && options.wait !== false) {
    output.progress('Waiting until every broker serves')
    await cluster.waitReady()
  }
  const document = await describeCluster(cluster)
  const text = output.json ? '' : await nodeTable(document, undefined)
  output.result(document, () => text)
}

/** The next node goes down only when the one before serves again: otherwise two replicas could be missing at once. */
async function rollingRestart(
  cluster: Cluster,
  ids: readonly number[],
  wait: boolean,
  session: Session,
): Promise<void> {
  for (const id of ids) {
    session.signal.throwIfAborted()
    session.output.progress(`restart: node ${id}`)
    await cluster.restart(id)
    if (!wait) continue
    if ((await cluster.nodes()).some(node => node.state === 'dead'))
      throw failure(`Node ${id} did not come back.`, `./faultline logs ${id}`)
    await cluster.waitReady()
  }
}
