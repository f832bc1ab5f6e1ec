/** Nodes by what they are at a moment: `controller`, `leader:orders-0`, `follower:orders-0`, `coordinator:readers`. Asked over the wire. */
import { usageError } from '../errors.ts'
import type { ObservableCluster } from './lines.ts'
import { isUnknown, known, partitionOf, type Observation, type Watch } from './model.ts'
import { observeOnce } from './observe.ts'
import { splitPartition } from './predicate-form.ts'
import { mergedWatch } from './predicates.ts'

interface Role {
  readonly watch: Watch
  /** The node, or why there is none. */
  readonly pick: (seen: Observation) => number | string
}

const example = 'For example: controller, leader:orders-0, follower:orders-0, coordinator:readers.'

/** Undefined: no role, but a number or another word for nodes. Refuses a role that cannot be meant. */
function roleOf(name: string): Role | undefined {
  if (name === 'controller') return { watch: { quorum: true }, pick: theController }
  const colon = name.indexOf(':')
  if (colon < 0) return undefined
  const [kind, of] = [name.slice(0, colon), name.slice(colon + 1)]
  if (kind === 'coordinator' && of !== '') return { watch: { groups: [of] }, pick: seen => theCoordinator(seen, of) }
  if (kind === 'leader' || kind === 'follower') {
    const split = splitPartition(of)
    if (split === undefined)
      throw usageError(`${JSON.stringify(name)}: expected a partition such as orders-0 behind ${kind}:.`, example)
    const pick = kind === 'leader' ? theLeader : aFollower
    return { watch: { topics: [split[0]] }, pick: seen => pick(seen, ...split) }
  }
  throw usageError(`${JSON.stringify(name)} is no role: expected leader:, follower: or coordinator:.`, example)
}

export function isRole(name: string): boolean {
  return roleOf(name) !== undefined
}

/** What has to be observed for these names. */
export function watchOfRoles(names: readonly string[]): Watch {
  return mergedWatch(names.flatMap(name => roleOf(name) ?? []))
}

/** Who has the role in an observation; refuses when nobody is known to have it. */
export function nodeInRole(name: string, seen: Observation): number {
  const picked = roleOf(name)?.pick(seen) ?? `${name} is no role`
  if (typeof picked === 'number') return picked
  throw usageError(
    `${name} names nobody at the moment: ${picked}.`,
    'Say a number, or wait: ./faultline watch shows it.',
  )
}

/** Numbers as they are, roles as one look at the cluster has them. */
export async function nodesInRoles(cluster: ObservableCluster, names: readonly string[]): Promise<Map<string, number>> {
  const roles = names.filter(isRole)
  if (roles.length === 0) return new Map()
  const seen = await observeOnce(cluster, watchOfRoles(roles))
  return new Map(roles.map(name => [name, nodeInRole(name, seen)]))
}

function theController({ quorum }: Observation): number | string {
  if (quorum === undefined) return 'the quorum was not asked'
  return isUnknown(quorum) ? quorum.unknown : quorum.leader
}

function theCoordinator({ groups }: Observation, id: string): number | string {
  if (isUnknown(groups)) return groups.unknown
  const group = groups?.[id]
  if (group === null) return `there is no group ${id}`
  if (group === undefined) return 'the group was not asked for'
  return isUnknown(group) ? group.unknown : group.coordinator
}

function theLeader(seen: Observation, topic: string, index: number): number | string {
  const partition = partitionOf(seen, topic, index)
  if (partition === undefined) return whyUnknown(seen, topic, index)
  return partition.leader >= 0 ? partition.leader : `${partition.name} has no leader`
}

/** One that is in sync, where there is one. */
function aFollower(seen: Observation, topic: string, index: number): number | string {
  const partition = partitionOf(seen, topic, index)
  if (partition === undefined) return whyUnknown(seen, topic, index)
  const followers = partition.replicas.filter(id => id !== partition.leader)
  return (
    followers.find(id => partition.isr.includes(id)) ??
    followers[0] ??
    `${partition.name} has no replica but its leader`
  )
}

function whyUnknown({ topics }: Observation, topic: string, index: number): string {
  if (isUnknown(topics)) return topics.unknown
  const found = topics?.[topic]
  if (found === null) return `there is no topic ${topic}`
  if (isUnknown(found)) return found.unknown
  const partition = known(found)?.partitions[index]
  return isUnknown(partition) ? partition.unknown : `there is no partition ${topic}-${index}`
}
