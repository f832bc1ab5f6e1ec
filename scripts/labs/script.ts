/**
 * What the script of a lab may do: break and mend nodes by role, wait for progress or for an observed state, and name its steps. Every
 * fault is recorded when it begins and when it has taken effect.
 */
import type { Parameters } from '#broker/environment/faulty/parameters.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { FactValue, FaultValue, Observation, ObservedPartition } from '../history/operation.ts'
import type { HistoryRecorder } from '../history/recorder.ts'
import type { Predicate } from '../observe/predicates.ts'
import { when } from '../observe/when.ts'
import { AppendWorkload } from '../workload/append.ts'
import type { Workload } from '../workload/workload.ts'
import type { Observer } from '../workload/observer.ts'
import { unlessAborted } from './interruptible.ts'
import { hiddenFault } from './narrator.ts'
import type { Target } from './targets.ts'
import type { LabQuestion } from './watcher.ts'

export type Script = (run: LabRun) => Promise<void>

/** The state of one partition as it was observed, with the whole observation at hand. */
export type PartitionPredicate = (partition: ObservedPartition, observation: Observation) => boolean

const untilMs = 45_000

export class LabRun {
  readonly cluster: Cluster
  readonly workload: Workload
  readonly observer: Observer
  /** How much work a script should ask for: 1 for the usual, more for a thorough run. */
  readonly scale: number
  readonly #recorder: HistoryRecorder
  readonly #signal: AbortSignal | undefined
  readonly #moment: ((what: string) => Promise<void>) | undefined
  readonly #ask: ((question: LabQuestion) => Promise<number | undefined>) | undefined
  /** A step that was named and has not begun. */
  #named: string | undefined
  #hasCutLinks = false
  #isBrokenInside = false
  #isHealing = false
  #isHidden = false
  /** Why nothing more is done for the script, which may not have noticed. */
  #left: { readonly reason: unknown } | undefined

  constructor(parts: {
    readonly cluster: Cluster
    readonly workload: Workload
    readonly observer: Observer
    readonly recorder: HistoryRecorder
    readonly scale: number
    /** Aborted: every wait of the script ends. */
    readonly signal?: AbortSignal | undefined
    /** Holds the script before what comes after a step that was named, and after each fault. */
    readonly moment?: (what: string) => Promise<void>
    /** Somebody who can be asked. */
    readonly ask?: (question: LabQuestion) => Promise<number | undefined>
  }) {
    this.cluster = parts.cluster
    this.workload = parts.workload
    this.observer = parts.observer
    this.scale = parts.scale
    this.#recorder = parts.recorder
    this.#signal = parts.signal
    this.#moment = parts.moment
    this.#ask = parts.ask
  }

  /** Names what comes next, for the reader of the report. */
  step(name: string): void {
    this.#recorder.phase(name)
    this.#named = name
  }

  /** `step` holds nothing up; whatever the script does next is held up instead. */
  async #atStep(): Promise<void> {
    if (this.#left !== undefined) throw this.#left.reason
    const name = this.#named
    this.#named = undefined
    if (name !== undefined) await this.#moment?.(name)
  }

  /** Leaves something for the lab's own checks: what the script measured, or what a client saw. */
  fact(name: string, value: FactValue): void {
    this.#recorder.fact(name, value)
  }

  /** What is done to the cluster meanwhile is written down, and told to nobody who looks on. */
  async hidden<T>(work: () => Promise<T>): Promise<T> {
    this.#isHidden = true
    try {
      return await work()
    } finally {
      this.#isHidden = false
    }
  }

  /** Asks whoever looks on; undefined when there is nobody, or no answer. */
  async ask(question: LabQuestion): Promise<number | undefined> {
    return this.#ask === undefined ? undefined : await unlessAborted(this.#ask(question), this.#signal)
  }

  async sleep(ms: number): Promise<void> {
    await this.#atStep()
    await this.cluster.clock.sleep(ms)
  }

  /** Waits until this many more records have been acknowledged (times the scale of the run). */
  async acknowledged(records: number, timeoutMs = untilMs): Promise<void> {
    await this.#atStep()
    await unlessAborted(this.workload.moreAcknowledged(records * this.scale, timeoutMs), this.#signal)
  }

  /** Waits until what is observed of a partition satisfies the predicate. */
  async until(what: string, partition: number, predicate: PartitionPredicate, timeoutMs = untilMs): Promise<void> {
    await this.#atStep()
    this.#requirePartition(partition)
    const name = `${this.workload.topic}-${partition}`
    const holds = (observation: Observation) => {
      const observed = observation.partitions[name]
      return observed !== undefined && predicate(observed, observation)
    }
    await unlessAborted(this.observer.until(what, holds, timeoutMs), this.#signal)
  }

  /** The same on anything that can be observed: groups, transactions, the quorum, what each replica knows. */
  async when(predicate: Predicate, timeoutMs = untilMs): Promise<void> {
    await this.#atStep()
    await when(this.cluster, predicate, { timeoutMs, signal: this.#signal })
  }

  /** Who has a role now, without anything being done to it. */
  async who(target: Target): Promise<number> {
    const [id] = await this.#pick(target)
    return id as number
  }

  /** The same where there may be several. */
  async every(target: Target): Promise<readonly number[]> {
    return await this.#pick(target)
  }

  /** SIGKILL. */
  kill(target: Target): Promise<readonly number[]> {
    return this.#each('kill', target, id => this.cluster.kill(id))
  }

  /** Controlled shutdown. */
  stop(target: Target): Promise<readonly number[]> {
    return this.#each('stop', target, id => this.cluster.stop(id))
  }

  start(target: Target): Promise<readonly number[]> {
    return this.#each('start', target, id => this.cluster.start(id))
  }

  /** Freezes the process; its connections stay open. */
  pause(target: Target): Promise<readonly number[]> {
    return this.#each('pause', target, id => this.cluster.pause(id))
  }

  resume(target: Target): Promise<readonly number[]> {
    return this.#each('resume', target, id => this.cluster.resume(id))
  }

  /** Empties the disk of a node that is down. */
  wipe(target: Target): Promise<readonly number[]> {
    return this.#each('wipe', target, id => this.cluster.wipe(id))
  }

  /** More brokers join, and serve. With capability `grow`. @returns their ids */
  async grow(by = 1): Promise<readonly number[]> {
    await this.#atStep()
    const grow = this.cluster.grow?.bind(this.cluster)
    if (!grow) throw new Error('this runtime cannot add brokers')
    const target = by === 1 ? 'a broker joins' : `${by} brokers join`
    const act = async () => ({ brokers: await grow(by), target })
    const { brokers } = await this.#recorder.fault('grow', { brokers: [], target }, act)
    await this.#moment?.(`${target}: ${brokers.join(', ')}`)
    return brokers
  }

  /** Ends nodes at one instant and loses what they had not fsynced. */
  async powerFailure(target: Target): Promise<readonly number[]> {
    const ids = await this.#pick(target)
    const cut = this.cluster.powerFailure?.bind(this.cluster)
    if (!cut) throw new Error('this runtime cannot cut the power')
    await this.#fault('power-failure', ids, target.name, async () => void (await cut(ids)))
    return ids
  }

  /** Neither side hears the other; clients reach both. Other nodes reach both, too. */
  partition(side: Target, other: Target): Promise<readonly number[]> {
    return this.#cutLinks('partition', side, other, async (a, b) => await this.cluster.partition?.([a, b]))
  }

  /** Nothing that `from` sends reaches `to`; what `to` sends does reach `from`. */
  cutOneWay(from: Target, to: Target): Promise<readonly number[]> {
    return this.#cutLinks('cut-one-way', from, to, async (a, b) => await this.cluster.cutOneWay?.(a, b))
  }

  /** Undoes every `partition` and `cutOneWay`. */
  async healPartition(): Promise<void> {
    await this.#fault('heal-partition', [], 'every link', async () => await this.cluster.healPartition?.())
  }

  /** A fault inside nodes, by its kind in the catalogue (`fault list --kinds`); it is proved. With capability `node-faults`. */
  breakInside(kind: string, target: Target, parameters: Parameters = {}): Promise<readonly number[]> {
    const faults = this.cluster.nodeFaults
    if (faults === undefined) throw new Error('this cluster has no faults inside its nodes')
    this.#isBrokenInside = true
    return this.#each(kind, target, async id => void (await faults.add(id, { kind, parameters, proof: true })))
  }

  /** Undoes every `breakInside`, also in nodes that are down. */
  async healInside(): Promise<void> {
    const ids = (await this.cluster.nodes()).map(({ id }) => id)
    await this.#fault('heal-inside', ids, 'every node', async () => {
      for (const id of ids) await this.cluster.nodeFaults?.heal(id, 'all')
    })
    this.#isBrokenInside = false
  }

  /** Stops and starts one node after the other, each only when the one before serves again. */
  async rollingRestart(target: Target): Promise<void> {
    for (const id of await this.#pick(target)) {
      await this.#fault('restart', [id], `${target.name}, one after the other`, () => this.cluster.restart(id))
      await this.ready()
    }
  }

  /** Waits until every node that should be up serves again. */
  async ready(): Promise<void> {
    await this.#atStep()
    await this.cluster.waitReady()
  }

  /** The script is over, also where it goes on by itself: whatever it asks for from now on is refused. */
  leaveScript(reason: unknown): void {
    this.#left = { reason }
  }

  /** Mends all that is still broken: the end of every run. */
  async heal(): Promise<void> {
    this.#isHealing = true
    this.#named = undefined
    if (this.#hasCutLinks) await this.healPartition()
    const nodes = await this.cluster.nodes()
    const inState = (...states: readonly string[]) =>
      nodes.filter(({ state }) => states.includes(state)).map(({ id }) => id)
    for (const id of inState('paused')) await this.#fault('resume', [id], 'heal', () => this.cluster.resume(id))
    if (this.#isBrokenInside) await this.healInside()
    const down = inState('stopped', 'dead')
    await Promise.all(down.map(id => this.#fault('start', [id], 'heal', () => this.cluster.start(id))))
    await this.cluster.waitReady()
  }

  async #cutLinks(
    kind: string,
    from: Target,
    to: Target,
    cut: (from: readonly number[], to: readonly number[]) => Promise<void>,
  ): Promise<readonly number[]> {
    if (this.cluster.partition === undefined) throw new Error('this runtime cannot break links')
    const ids = await this.#pick(from)
    const others = (await this.#pick(to)).filter(id => !ids.includes(id))
    this.#hasCutLinks = true
    const target = `${from.name} ${kind === 'partition' ? 'and' : 'to'} ${to.name} (${others.join(', ')})`
    await this.#fault(kind, ids, target, () => cut(ids, others))
    return ids
  }

  async #each(kind: string, target: Target, act: (id: number) => Promise<void>): Promise<readonly number[]> {
    const ids = await this.#pick(target)
    await this.#fault(kind, ids, target.name, async () => {
      await Promise.all(ids.map(act))
    })
    return ids
  }

  async #fault(kind: string, brokers: readonly number[], target: string, act: () => Promise<void>): Promise<void> {
    const value: FaultValue = { brokers, target, ...(this.#isHidden ? { hidden: true } : {}) }
    await this.#recorder.fault(kind, value, async () => {
      await act()
      return value
    })
    if (this.#isHealing) return
    await this.#moment?.(this.#isHidden ? hiddenFault : `${kind} ${brokers.join(', ')} (${target})`)
  }

  /** One that there cannot be is refused at once; whatever else may come is waited for. */
  #requirePartition(partition: number): void {
    const { workload, observer } = this
    if (!(workload instanceof AppendWorkload)) return
    const { topic, options } = workload
    if (partition >= 0 && partition < options.partitions) return
    if (observer.latest?.partitions[`${topic}-${partition}`] !== undefined) return
    throw new Error(`there is no partition ${partition}: ${topic} has ${options.partitions}, counted from 0`)
  }

  async #pick(target: Target): Promise<readonly number[]> {
    await this.#atStep()
    const { isKnown, partition } = target
    const { topic } = this.workload
    if (partition !== undefined) this.#requirePartition(partition)
    if (isKnown !== undefined) {
      const holds = (seen: Observation) => isKnown(seen, topic)
      await unlessAborted(this.observer.until(`${target.name} is known`, holds, untilMs), this.#signal)
    }
    const observation = this.observer.latest
    if (!observation) throw new Error(`cannot tell who is ${target.name}: nothing has been observed yet`)
    const ids = target.pick({ topic, observation, nodes: await this.cluster.nodes() })
    if (ids.length === 0) throw new Error(`${target.name}: there is none`)
    return ids
  }
}
