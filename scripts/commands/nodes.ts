/** One operation on some nodes of a cluster, then their state. */
import type { Cluster } from '../cluster/cluster.ts'
import { attachCluster } from '../cluster/runtimes.ts'
import { failure, LeftAsItIs, messageOf } from '../errors.ts'
import { unlessAborted } from '../labs/interruptible.ts'
import type { Verb } from './breaking.ts'
import { describeCluster, nodeTable } from './describe.ts'
import type { CommonOptions } from './options.ts'
import { resolveNodesFor } from './options.ts'
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
  const { output, signal } = session
  const ids = await resolveNodesFor(verb, cluster, names, { note: message => output.note(message) })
  output.progress(ids.length === 0 ? `${verb}: there is no node to ${verb}` : `${verb}: node ${ids.join(', ')}`)
  const done: number[] = []
  try {
    if (verb === 'restart') await rollingRestart(cluster, ids, done, { wait: options.wait !== false, session })
    else await Promise.all(ids.map(id => cluster[verb](id).then(() => done.push(id))))
    signal.throwIfAborted()
    if (ids.length > 0 && (verb === 'start' || verb === 'resume') && options.wait !== false) {
      output.progress('Waiting until every broker serves')
      await unlessAborted(cluster.waitReady({ signal }), signal)
    }
  } catch (error) {
    if (!signal.aborted) throw error
    const words = leftWords(verb, ids, done)
    throw new LeftAsItIs(error === signal.reason ? words : `${messageOf(error)} ${words}`, error)
  }
  const document = await describeCluster(cluster)
  const text = output.json ? '' : await nodeTable(document, undefined)
  output.result(document, () => text)
}

/** Nothing of it is taken back: with which nodes it was done already is told. */
function leftWords(verb: Verb, ids: readonly number[], done: readonly number[]): string {
  const left = ids.filter(id => !done.includes(id))
  const one = (nodes: readonly number[], what: string) =>
    nodes.length === 0 ? [] : [`${verb} of node ${nodes.join(', ')} ${what}`]
  const begun = ids.filter(id => done.includes(id))
  return [...one(begun, 'was done'), ...one(left, 'was not done')].join('; ') || `there was no node to ${verb}`
}

/** The next node goes down only when the one before serves again: otherwise two replicas could be missing at once. */
async function rollingRestart(
  cluster: Cluster,
  ids: readonly number[],
  done: number[],
  { wait, session }: { readonly wait: boolean; readonly session: Session },
): Promise<void> {
  for (const id of ids) {
    session.signal.throwIfAborted()
    session.output.progress(`restart: node ${id}`)
    await cluster.restart(id)
    done.push(id)
    if (!wait) continue
    if ((await cluster.nodes()).some(node => node.state === 'dead'))
      throw failure(`Node ${id} did not come back.`, `./faultline logs ${id} --name ${cluster.spec.name}`)
    await unlessAborted(cluster.waitReady({ signal: session.signal }), session.signal)
  }
}
