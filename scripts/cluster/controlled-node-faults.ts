/**
 * Faults inside nodes of ours, whatever way orders take to them: asked of the node while its process runs; read from, and healed in, what is kept
 * for its next start while it is down.
 */
import type { ControlRefusal } from '#broker/environment/faulty/control-protocol.ts'
import type {
  AddedNodeFault,
  KeptFaults,
  NodeFaultOrder,
  NodeFaultState,
} from '#broker/environment/faulty/fault-desk.ts'
import { nodeFaultKind } from '#broker/environment/faulty/node-kinds.ts'
import { failure, usageError } from '../errors.ts'
import { realClock } from './clock.ts'
import type { NodeFaults, NodeStatus } from './cluster.ts'
import { inTurnOfFile } from './file-lock.ts'

/** What the control socket of a node is asked (control-protocol.ts). */
export interface ControlRequest {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  readonly body?: object
}

export interface ControlReply {
  /** HTTP status. */
  readonly status: number
  /** JSON. */
  readonly text: string
}

/** How soon it is noticed that a node which was asked has ended, or was frozen, ms. */
const lookEveryMs = 200

export abstract class ControlledNodeFaults implements NodeFaults {
  readonly #cluster: string
  readonly #stateOf: (id: number) => Promise<NodeStatus>

  /** @param stateOf whether the process of a node runs */
  constructor(cluster: string, stateOf: (id: number) => Promise<NodeStatus>) {
    this.#cluster = cluster
    this.#stateOf = stateOf
  }

  /** Rejects with words for people when the node does not answer; soon after the signal is aborted, because it is no longer there. */
  protected abstract request(id: number, request: ControlRequest, signal?: AbortSignal): Promise<ControlReply>
  /** What a node that is down, or frozen, will have at its next start; undefined when it never had a fault. */
  protected abstract kept(id: number): Promise<KeptFaults | undefined>
  protected abstract keep(id: number, faults: KeptFaults): Promise<void>
  /** Says whose turn it is to change what is kept. */
  protected abstract lockFile(id: number): string

  async add(id: number, order: NodeFaultOrder): Promise<AddedNodeFault> {
    const state = await this.stateOf(id)
    if (state !== 'running' && state !== 'starting')
      throw failure(
        `Node ${id} is ${state}: faults inside it need its process${state === 'paused' ? ' to go on' : ''}.`,
        `./faultline ${state === 'paused' ? 'resume' : 'start'} ${id} --name ${this.#cluster}`,
      )
    return (await this.#ask(id, { method: 'POST', path: '/faults', body: order })) as AddedNodeFault
  }

  async list(id: number): Promise<readonly NodeFaultState[]> {
    const told = await this.#whileUp(id, signal => this.#ask(id, { method: 'GET', path: '/faults' }, signal))
    if (told !== undefined) return told as readonly NodeFaultState[]
    return ((await this.kept(id))?.faults ?? []).map(({ id: faultId, kind, parameters }) => {
      const { summary } = nodeFaultKind(kind).make(parameters, noRuntime)
      return { id: faultId, name: kind, summary: `node ${id}: ${summary}`, parameters, hits: 0 }
    })
  }

  async heal(id: number, ids: readonly string[] | 'all'): Promise<readonly NodeFaultState[]> {
    const healed = await this.#whileUp(id, async signal => {
      const paths = ids === 'all' ? ['/faults'] : ids.map(each => `/faults/${encodeURIComponent(each)}`)
      const answers: NodeFaultState[] = []
      for (const path of paths)
        answers.push(...((await this.#ask(id, { method: 'DELETE', path }, signal)) as readonly NodeFaultState[]))
      return answers
    })
    if (healed !== undefined) return healed
    if ((await this.stateOf(id)) === 'paused')
      throw failure(
        `Node ${id} is paused: faults inside it cannot be healed.`,
        `./faultline resume ${id} --name ${this.#cluster} first.`,
      )
    return await inTurnOfFile(this.lockFile(id), () => this.#healKept(id, ids))
  }

  async #healKept(id: number, ids: readonly string[] | 'all'): Promise<readonly NodeFaultState[]> {
    const faults = await this.list(id)
    const kept = await this.kept(id)
    const stays = (faultId: string) => ids !== 'all' && !ids.includes(faultId)
    if (kept !== undefined) await this.keep(id, { ...kept, faults: kept.faults.filter(fault => stays(fault.id)) })
    return faults.filter(fault => !stays(fault.id))
  }

  /**
   * What a node answers. Undefined when it does not run, or ends or is frozen before it has answered: then what is kept for its next start
   * is all there is.
   */
  async #whileUp<T>(id: number, ask: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    const isUp = async () => {
      const state = await this.stateOf(id)
      return state === 'running' || state === 'starting'
    }
    if (!(await isUp())) return undefined
    const gone = new AbortController()
    const answered = new AbortController()
    let blind: { readonly error: unknown } | undefined
    const watch = async () => {
      try {
        while (!answered.signal.aborted && (await isUp())) await realClock.sleep(lookEveryMs, answered.signal)
        gone.abort(new Error(`node ${id} has ended`))
      } catch (error) {
        // Cut short by the answer, as usual.
        if (answered.signal.aborted) return
        // Nobody would see any more that the node is gone: whoever waits for its answer could wait for ever.
        blind = { error }
        gone.abort(error)
      }
    }
    void watch()
    try {
      return await ask(gone.signal)
    } catch (error) {
      if (blind !== undefined) throw blind.error
      if (!gone.signal.aborted && (await isUp())) throw error
      return undefined
    } finally {
      answered.abort()
    }
  }

  protected stateOf(id: number): Promise<NodeStatus> {
    return this.#stateOf(id)
  }

  async #ask(id: number, request: ControlRequest, signal?: AbortSignal): Promise<unknown> {
    const { status, text } = await this.request(id, request, signal)
    const answer: unknown = JSON.parse(text)
    if (status === 200) return answer
    const { error, remedy } = answer as ControlRefusal
    throw status === 400 ? usageError(error, remedy) : failure(`Node ${id}: ${error}`, remedy)
  }
}

/** For the words of a fault alone. */
const noRuntime = {
  stall: () => undefined,
  crash: (reason: string): never => {
    throw new Error(reason)
  },
}
