/**
 * Faults as data: what happens to whom, when, and for how long. A schedule can be drawn from a seed, made smaller, written into a file; and it
 * is a script of a lab. Whom it hits is looked up when its time has come; where there is nobody, or they are not in a state for it, it is missed.
 */
import type { Capability, NodeStatus } from '../../cluster/cluster.ts'
import type { LabRun, Script } from '../script.ts'
import { node, type Target } from '../targets.ts'

export const scheduledKinds = ['kill', 'stop', 'pause', 'partition', 'cut-one-way', 'power-failure'] as const
export type ScheduledKind = (typeof scheduledKinds)[number]

export interface ScheduledFault {
  /** After the beginning of the schedule. */
  readonly atMs: number
  readonly kind: ScheduledKind
  /** `leader of 0`, `follower of 0`, `followers of 0` (a partition), `controller`, `every node`, `node 2`. */
  readonly target: string
  /** Until it is undone: started, resumed, healed. */
  readonly forMs: number
}

/** What a runtime must be able to do for these kinds. */
export const capabilitiesFor: Readonly<Record<ScheduledKind, readonly Capability[]>> = {
  kill: ['kill', 'restart'],
  stop: ['stop', 'restart'],
  pause: ['pause'],
  partition: ['partition'],
  'cut-one-way': ['partition'],
  'power-failure': ['power-failure', 'restart'],
}

export function needsOf(faults: readonly ScheduledFault[]): Capability[] {
  return [...new Set(faults.flatMap(({ kind }) => capabilitiesFor[kind]))]
}

/** @throws Error that says what was expected of which fault */
export function checkSchedule(faults: readonly ScheduledFault[]): readonly ScheduledFault[] {
  for (const [index, fault] of faults.entries()) {
    const { atMs, forMs, kind, target } = fault
    const wrong = (what: string) => new Error(`fault ${index}: expected ${what}, got ${JSON.stringify(fault)}`)
    if (!scheduledKinds.includes(kind)) throw wrong(`a kind of ${scheduledKinds.join(', ')}`)
    if (!(atMs >= 0) || !(forMs >= 0)) throw wrong('atMs and forMs in milliseconds, 0 or more')
    if (!targetPattern.test(target)) throw wrong('a target like "leader of 0", "controller", "every node" or "node 2"')
  }
  return faults
}

const targetPattern = /^(?:(leader|follower|followers) of (\d+)|(controller)|(every node)|node (\d+))$/

interface Moment {
  readonly atMs: number
  readonly act: () => Promise<void>
}

/** A script that does this to the cluster, then waits until `lengthMs` have passed. */
export function faultSchedule(faults: readonly ScheduledFault[], lengthMs: number): Script {
  checkSchedule(faults)
  return async run => {
    run.step('the schedule of faults')
    const { clock } = run.cluster
    const startMs = clock.nowMs()
    const moments: Moment[] = []
    const plan = (moment: Moment) => {
      const later = moments.findIndex(({ atMs }) => atMs > moment.atMs)
      moments.splice(later < 0 ? moments.length : later, 0, moment)
    }
    for (const fault of faults) {
      const begin = async () => {
        const undo = await apply(run, fault)
        if (undo !== undefined) plan({ atMs: fault.atMs + fault.forMs, act: undo })
      }
      plan({ atMs: fault.atMs, act: begin })
    }
    plan({ atMs: lengthMs, act: async () => undefined })
    for (let moment = moments.shift(); moment !== undefined; moment = moments.shift()) {
      const restMs = startMs + moment.atMs - clock.nowMs()
      if (restMs > 0) await run.sleep(restMs)
      await moment.act()
    }
  }
}

type Undo = () => Promise<void>

/** Undefined: it hit nobody. */
async function apply(run: LabRun, fault: ScheduledFault): Promise<Undo | undefined> {
  const { kind, target } = fault
  const found = await idsOf(run, target)
  const hit = async (...states: readonly NodeStatus[]) => await inState(run, found, states)
  const up = await hit('running', 'starting', 'paused')
  const named = (ids: readonly number[]): Target => ({ ...node(...ids), name: target })
  const again = async (ids: readonly number[]) => {
    const down = await inState(run, ids, ['stopped', 'dead'])
    if (down.length > 0) await run.start(node(...down))
  }
  if (kind === 'partition' || kind === 'cut-one-way') {
    const all = (await run.cluster.nodes()).map(({ id }) => id)
    const others = all.filter(id => !found.includes(id))
    if (found.length === 0 || others.length === 0) return undefined
    if (kind === 'partition') await run.partition(named(found), node(...others))
    else await run.cutOneWay(named(found), node(...others))
    return async () => await run.healPartition()
  }
  if (kind === 'pause') {
    const running = await hit('running')
    if (running.length === 0) return undefined
    await run.pause(named(running))
    return async () => {
      const paused = await inState(run, running, ['paused'])
      if (paused.length > 0) await run.resume(node(...paused))
    }
  }
  // An orderly stop needs somebody who listens.
  const ids = kind === 'stop' ? await hit('running') : up
  if (ids.length === 0) return undefined
  if (kind === 'kill') await run.kill(named(ids))
  else if (kind === 'stop') await run.stop(named(ids))
  else await run.powerFailure(named(ids))
  return async () => await again(ids)
}

async function inState(run: LabRun, ids: readonly number[], states: readonly NodeStatus[]): Promise<number[]> {
  const nodes = await run.cluster.nodes()
  return nodes.filter(({ id, state }) => ids.includes(id) && states.includes(state)).map(({ id }) => id)
}

/** Nobody, while it is not known who it would be. */
async function idsOf(run: LabRun, target: string): Promise<readonly number[]> {
  const [, role, index, controller, every, id] = targetPattern.exec(target) ?? []
  if (every !== undefined) return (await run.cluster.nodes()).map(each => each.id)
  if (id !== undefined) return [Number(id)]
  const seen = run.observer.latest
  if (seen === undefined) return []
  if (controller !== undefined) return seen.controller < 0 ? [] : [seen.controller]
  const partition = seen.partitions[`${run.workload.topic}-${index}`]
  if (partition === undefined || partition.leader < 0) return []
  const { leader, replicas } = partition
  const followers = replicas.filter(replica => replica !== leader)
  return role === 'leader' ? [leader] : role === 'followers' ? followers : followers.slice(0, 1)
}
