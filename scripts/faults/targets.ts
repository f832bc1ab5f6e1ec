/** Nodes and links that a fault names, before its time has come: whether they can ever be there. */
import type { Cluster } from '../cluster/cluster.ts'
import { isRole } from '../observe/roles.ts'
import type { LinkChoice } from './kind.ts'

/** A word for nodes that is no number. `isRole` refuses a role that cannot be meant. */
const isWord = (name: string): boolean => name === 'all' || name === 'random' || isRole(name)

/** What of these names no node of the cluster can ever be, in words; undefined where all can be. */
export async function strangerAmong(
  cluster: Cluster,
  names: readonly (number | string)[],
): Promise<string | undefined> {
  const ids = (await cluster.nodes()).map(({ id }) => id)
  const stranger = names.map(String).find(name => !ids.includes(Number(name)) && !isWord(name))
  if (stranger === undefined) return undefined
  return `there is no node ${stranger} in the cluster ${cluster.spec.name}: it has ${ids.join(', ')}`
}

/** The same of the ends of links: numbers, all and clients. */
export async function strangerAtLinks(cluster: Cluster, { from, to }: LinkChoice): Promise<string | undefined> {
  const ends = [...from, ...to].filter(end => end !== 'client')
  const word = ends.map(String).find(end => end !== 'all' && isWord(end))
  if (word !== undefined) return `${word} is no end of a link: expected numbers of nodes, "all" or "client"`
  return await strangerAmong(cluster, ends)
}
