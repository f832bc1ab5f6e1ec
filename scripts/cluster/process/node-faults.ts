/**
 * The faults inside nodes that are processes, through the socket that each of them has in its own directory. What a node that is down will
 * have again when it starts is read from, and healed in, the file that it keeps there.
 */
import { join } from 'node:path'
import { faultSocketName, keptFaultsName, type ControlRefusal } from '#broker/environment/faulty/control-protocol.ts'
import type {
  AddedNodeFault,
  KeptFaults,
  NodeFaultOrder,
  NodeFaultState,
} from '#broker/environment/faulty/fault-desk.ts'
import { nodeFaultKind } from '#broker/environment/faulty/node-kinds.ts'
import { codeOf, failure, usageError } from '../../errors.ts'
import { realClock } from '../clock.ts'
import type { NodeFaults, NodeStatus } from '../cluster.ts'
import { nodeDirectory, readJson, writeJson } from '../state.ts'

/** Longest path that every system takes for a socket, bytes. */
const socketPathBytesMax = 103
/** A node that has just been started has no socket yet; Node.js takes a while on a busy machine. */
const appearMs = 60_000
/** How soon it is noticed that a node which was asked has ended, or was frozen, ms. */
const lookEveryMs = 200
/** A node may be in the middle of slow calls. A proof takes a few seconds, a stall up to a minute. */
const answerMs = 120_000

/** Refuses a cluster whose sockets could not be made. */
export function requireSocketPaths(name: string, ids: readonly number[]): void {
  const longest = join(nodeDirectory(name, Math.max(...ids)), faultSocketName)
  if (Buffer.byteLength(longest) <= socketPathBytesMax) return
  throw usageError(
    `--faults: ${longest} is too long for the path of a socket (${socketPathBytesMax} bytes).`,
    'FAULTLINE_HOME puts the state of clusters elsewhere.',
  )
}

interface Order {
  readonly method: string
  readonly path: string
  readonly body?: object
  readonly signal?: AbortSignal
}

export class ProcessNodeFaults implements NodeFaults {
  readonly #name: string
  readonly #stateOf: (id: number) => Promise<NodeStatus>

  /** @param stateOf whether the process of a node runs */
  constructor(name: string, stateOf: (id: number) => Promise<NodeStatus>) {
    this.#name = name
    this.#stateOf = stateOf
  }

  async add(id: number, order: NodeFaultOrder): Promise<AddedNodeFault> {
    const state = await this.#stateOf(id)
    if (state !== 'running' && state !== 'starting')
      throw failure(`Node ${id} is ${state}: faults inside it need its process.`, `./faultline start ${id}`)
    return (await this.#ask(id, { method: 'POST', path: '/faults', body: order })) as AddedNodeFault
  }

  async list(id: number): Promise<readonly NodeFaultState[]> {
    const told = await this.#whileUp(id, signal => this.#ask(id, { method: 'GET', path: '/faults', signal }))
    if (told !== undefined) return told as readonly NodeFaultState[]
    return (this.#kept(id)?.faults ?? []).map(({ id: faultId, kind, parameters }) => {
      const { summary } = nodeFaultKind(kind).make(parameters, noRuntime)
      return { id: faultId, name: kind, summary: `node ${id}: ${summary}`, parameters, hits: 0 }
    })
  }

  async heal(id: number, ids: readonly string[] | 'all'): Promise<readonly NodeFaultState[]> {
    const healed = await this.#whileUp(id, async signal => {
      const paths = ids === 'all' ? ['/faults'] : ids.map(each => `/faults/${encodeURIComponent(each)}`)
      const answers: NodeFaultState[] = []
      for (const path of paths)
        answers.push(...((await this.#ask(id, { method: 'DELETE', path, signal })) as readonly NodeFaultState[]))
      return answers
    })
    if (healed !== undefined) return healed
    if ((await this.#stateOf(id)) === 'paused')
      throw failure(`Node ${id} is paused: faults inside it cannot be healed.`, 'Resume it first.')
    const faults = await this.list(id)
    const kept = this.#kept(id)
    const stays = (faultId: string) => ids !== 'all' && !ids.includes(faultId)
    if (kept !== undefined)
      writeJson(this.#path(id, keptFaultsName), { ...kept, faults: kept.faults.filter(fault => stays(fault.id)) })
    return faults.filter(fault => !stays(fault.id))
  }

  /**
   * What a node answers. Undefined when it does not run, or ends or is frozen before it has answered: then what is kept for its next start
   * is all there is.
   */
  async #whileUp<T>(id: number, ask: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    const isUp = async () => {
      const state = await this.#stateOf(id)
      return state === 'running' || state === 'starting'
    }
    if (!(await isUp())) return undefined
    const gone = new AbortController()
    const answered = new AbortController()
    const watching = (async () => {
      while (!answered.signal.aborted && (await isUp())) await realClock.sleep(lookEveryMs, answered.signal)
      gone.abort(new Error(`node ${id} has ended`))
    })()
    // A sleep that is cut short is the usual end of it.
    watching.catch(() => undefined)
    try {
      return await ask(gone.signal)
    } catch (error) {
      if (!gone.signal.aborted && (await isUp())) throw error
      return undefined
    } finally {
      answered.abort()
    }
  }

  #kept(id: number): KeptFaults | undefined {
    return readJson(this.#path(id, keptFaultsName)) as KeptFaults | undefined
  }

  #path(id: number, file: string): string {
    return join(nodeDirectory(this.#name, id), file)
  }

  async #ask(id: number, order: Order): Promise<unknown> {
    const end = realClock.nowMs() + appearMs
    for (;;) {
      try {
        return await this.#askOnce(id, order)
      } catch (error) {
        const code = codeOf(error) ?? ''
        const state = await this.#stateOf(id)
        // A node that ended while it was asked may have been started again: what changes nothing the second time is asked again.
        const mayAppear =
          code === 'ENOENT' || code === 'ECONNREFUSED' || (code === 'ECONNRESET' && order.method !== 'POST')
        if (mayAppear && realClock.nowMs() < end && (state === 'running' || state === 'starting')) {
          await realClock.sleep(50)
          continue
        }
        if (code === '') throw error
        throw failure(
          `Node ${id} (${state}) does not answer on ${this.#path(id, faultSocketName)} (${code}).`,
          `./faultline logs ${id} --name ${this.#name} may tell why; after ./faultline kill ${id} and start it does.`,
          error,
        )
      }
    }
  }

  async #askOnce(id: number, { method, path, body, signal }: Order): Promise<unknown> {
    const { status, text } = await new Promise<{ status: number; text: string }>((resolve, reject) => {
      // Imported, the module has all its properties read, and one of them loads a WebSocket client: a fifth of the time that `up` takes.
      const asked = process.getBuiltinModule('node:http').request(
        {
          socketPath: this.#path(id, faultSocketName),
          method,
          path,
          timeout: answerMs,
          agent: false,
          ...(signal && { signal }),
        },
        response => {
          let text = ''
          response.setEncoding('utf8')
          response.on('data', (chunk: string) => (text += chunk))
          response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
          response.on('error', reject)
        },
      )
      asked.on('error', reject)
      asked.on('timeout', () => asked.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })))
      asked.end(body === undefined ? '' : JSON.stringify(body))
    })
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
