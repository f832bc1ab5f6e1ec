/** Who a fault hits, by role: "the leader of partition 0" is looked up in what was observed last, at the moment of the fault. */
import type { NodeState } from '../cluster/cluster.ts'
import type { Observation, ObservedPartition } from '../history/operation.ts'

export interface TargetContext {
  readonly topic: string
  readonly observation: Observation
  readonly nodes: readonly NodeState[]
}

export interface Target {
  /** As it reads in the report, e.g. `the leader of partition 0`. */
  readonly name: string
  /** False while the observer has not heard yet what `pick` needs; who picks waits for it. Absent: always true. */
  readonly isKnown?: (observation: Observation, topic: string) => boolean
  /** Whose role it is about, if it is about one. */
  readonly partition?: number
  pick(context: TargetContext): readonly number[]
}

export function node(...ids: readonly number[]): Target {
  return { name: `node ${ids.join(', ')}`, pick: () => ids }
}

export function leaderOf(partition: number): Target {
  return {
    name: `the leader of partition ${partition}`,
    partition,
    isKnown: isObserved(partition),
    pick: context => one(observed(context, partition).leader, `partition ${partition} has no leader`),
  }
}

/** All replicas of the partition but its leader. */
export function followersOf(partition: number): Target {
  return {
    name: `the followers of partition ${partition}`,
    partition,
    isKnown: isObserved(partition),
    pick: context => {
      const { leader, replicas } = observed(context, partition)
      return replicas.filter(id => id !== leader)
    },
  }
}

/** One follower of the partition; with `avoidController` rather one that does not lead the metadata quorum. */
export function followerOf(partition: number, options: { readonly avoidController?: boolean } = {}): Target {
  return {
    name: `a follower of partition ${partition}`,
    partition,
    isKnown: isObserved(partition),
    pick: context => {
      const { leader, replicas } = observed(context, partition)
      const followers = replicas.filter(id => id !== leader)
      const rather = followers.filter(id => !options.avoidController || id !== context.observation.controller)
      return one(rather[0] ?? followers[0] ?? -1, `partition ${partition} has no follower`)
    },
  }
}

export const activeController: Target = {
  name: 'the active controller',
  isKnown: ({ controller }) => controller >= 0,
  pick: ({ observation }) => one(observation.controller, 'no active controller is known'),
}

export const everyBroker: Target = {
  name: 'every broker',
  pick: ({ nodes }) => nodes.filter(({ roles }) => roles.includes('broker')).map(({ id }) => id),
}

export const everyNode: Target = { name: 'every node', pick: ({ nodes }) => nodes.map(({ id }) => id) }

function isObserved(partition: number): NonNullable<Target['isKnown']> {
  return (observation, topic) => observation.partitions[`${topic}-${partition}`] !== undefined
}

function observed({ topic, observation }: TargetContext, partition: number): ObservedPartition {
  const found = observation.partitions[`${topic}-${partition}`]
  if (!found) throw new Error(`nothing was observed of ${topic}-${partition}`)
  return found
}

function one(id: number, otherwise: string): readonly number[] {
  if (id < 0) throw new Error(otherwise)
  return [id]
}
