/**
 * Tells what happens in a run while it happens, from the entries of its history alone: steps, faults, elections, in-sync sets that change,
 * who leads the quorum, and how long nothing was acknowledged.
 */
import type { Observation, ObservedPartition, Operation } from '../history/operation.ts'

export type TaleKind = 'step' | 'fault' | 'election' | 'in-sync' | 'controller' | 'broker' | 'gap'

export interface Tale {
  readonly atMs: number
  readonly kind: TaleKind
  readonly text: string
}

/** Shorter waits are what every election and every busy machine has. */
const gapMs = 1_000

/** What is told of a fault that whoever looks on is to find. */
export const hiddenFault = 'something breaks'

/** Not worth a line: the workload begins before the first step has a name. */
const quietPhases = new Set(['workload'])

export class Narrator {
  #partitions = new Map<string, ObservedPartition>()
  #controller = -1
  #fenced: readonly number[] = []
  #silent: readonly number[] = []
  #lastAcknowledgedMs: number | undefined
  #isGapTold = false
  #isWriting = false

  /** What there is to tell once this entry is there; often nothing. */
  tell(operation: Operation): readonly Tale[] {
    const { timeMs: atMs } = operation
    const tales: Tale[] = []
    const add = (kind: TaleKind, text: string) => tales.push({ atMs, kind, text })
    this.#tellGap(operation, add)
    if (operation.process === 'lab' && operation.f === 'phase') {
      if (operation.value === 'workload') this.#isWriting = true
      if (operation.value === 'final-read') this.#isWriting = false
      if (!quietPhases.has(operation.value)) add('step', operation.value)
    } else if (operation.process === 'nemesis') {
      const { brokers, target, hidden } = operation.value
      const who = hidden === true ? hiddenFault : `${operation.f} ${brokers.join(', ')} (${target})`
      if (operation.type === 'ok') add('fault', who)
      if (operation.type === 'info')
        add('fault', `${who} did not work: ${operation.error?.message ?? 'nobody knows why'}`)
    } else if (operation.process === 'observer' && operation.f === 'observe') {
      this.#tellObservation(operation.value, add)
    }
    return tales
  }

  #tellGap(operation: Operation, add: (kind: TaleKind, text: string) => void): void {
    const isAcknowledged = (operation.f === 'send' || operation.f === 'txn') && operation.type === 'ok'
    const last = this.#lastAcknowledgedMs
    const sinceMs = last === undefined ? 0 : operation.timeMs - last
    if (this.#isWriting && sinceMs >= gapMs && !this.#isGapTold && !isAcknowledged) {
      this.#isGapTold = true
      add('gap', `no record has been acknowledged for ${inSeconds(sinceMs)}`)
    }
    if (!isAcknowledged) return
    if (this.#isWriting && sinceMs >= gapMs) add('gap', `acknowledged again, after ${inSeconds(sinceMs)} without`)
    this.#isGapTold = false
    this.#lastAcknowledgedMs = operation.timeMs
  }

  #tellObservation(seen: Observation, add: (kind: TaleKind, text: string) => void): void {
    const silent = seen.brokers.filter(id => !seen.reachable.includes(id))
    for (const id of silent.filter(each => !this.#silent.includes(each))) add('broker', `broker ${id} does not answer`)
    for (const id of this.#silent.filter(each => seen.reachable.includes(each)))
      add('broker', `broker ${id} answers again`)
    this.#silent = [...silent, ...this.#silent.filter(id => !silent.includes(id) && !seen.reachable.includes(id))]
    const fenced = seen.fenced ?? []
    for (const id of fenced.filter(each => !this.#fenced.includes(each))) add('broker', `broker ${id} is fenced`)
    this.#fenced = fenced
    if (seen.controller >= 0 && seen.controller !== this.#controller) {
      if (this.#controller >= 0) add('controller', `node ${seen.controller} leads the quorum now${epochOf(seen)}`)
      this.#controller = seen.controller
    }
    for (const [name, partition] of Object.entries(seen.partitions)) this.#tellPartition(name, partition, add)
  }

  #tellPartition(name: string, now: ObservedPartition, add: (kind: TaleKind, text: string) => void): void {
    const before = this.#partitions.get(name)
    this.#partitions.set(name, now)
    if (before === undefined) return
    if (before.leader !== now.leader || before.leaderEpoch !== now.leaderEpoch)
      add(
        'election',
        now.leader < 0
          ? `${name} has no leader any more`
          : `broker ${now.leader} leads ${name} now (epoch ${now.leaderEpoch}; before: ${before.leader < 0 ? 'nobody' : before.leader})`,
      )
    const [left, joined] = [without(before.isr, now.isr), without(now.isr, before.isr)]
    if (left.length > 0)
      add('in-sync', `${left.join(', ')} left the in-sync set of ${name}: ${now.isr.join(', ') || 'nobody'} remain`)
    if (joined.length > 0)
      add(
        'in-sync',
        `${joined.join(', ')} joined the in-sync set of ${name}: ${now.isr.toSorted((a, b) => a - b).join(', ')}`,
      )
  }
}

function without(all: readonly number[], others: readonly number[]): number[] {
  return all.filter(id => !others.includes(id))
}

function epochOf({ controllerEpoch }: Observation): string {
  return controllerEpoch === undefined ? '' : ` (epoch ${controllerEpoch})`
}

function inSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
