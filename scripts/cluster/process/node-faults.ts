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
/** A node that has just been started has no socket yet. */
const appearMs = 15_000
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
    return (await this.#ask(id, 'POST', '/faults', order)) as AddedNodeFault
  }

  async list(id: number): Promise<readonly NodeFaultState[]> {
    const state = await this.#stateOf(id)
    if (state === 'running' || state === 'starting')
      return (await this.#ask(id, 'GET', '/faults')) as readonly NodeFaultState[]
    return (this.#kept(id)?.faults ?? []).map(({ id: faultId, kind, parameters }) => {
      const { summary } = nodeFaultKind(kind).make(parameters, noRuntime)
      return { id: faultId, name: kind, summary: `node ${id}: ${summary}`, parameters, hits: 0 }
    })
  }

  async heal(id: number, ids: readonly string[] | 'all'): Promise<readonly NodeFaultState[]> {
    const state = await this.#stateOf(id)
    if (state === 'paused')
      throw failure(`Node ${id} is paused: faults inside it cannot be healed.`, 'Resume it first.')
    if (state === 'running' || state === 'starting') {
      if (ids === 'all') return (await this.#ask(id, 'DELETE', '/faults')) as readonly NodeFaultState[]
      const healed: NodeFaultState[] = []
      for (const each of ids)
        healed.push(
          ...((await this.#ask(id, 'DELETE', `/faults/${encodeURIComponent(each)}`)) as readonly NodeFaultState[]),
        )
      return healed
    }
    const faults = await this.list(id)
    const kept = this.#kept(id)
    const stays = (faultId: string) => ids !== 'all' && !ids.includes(faultId)
    if (kept !== undefined)
      writeJson(this.#path(id, keptFaultsName), { ...kept, faults: kept.faults.filter(fault => stays(fault.id)) })
    return faults.filter(fault => !stays(fault.id))
  }

  #kept(id: number): KeptFaults | undefined {
    return readJson(this.#path(id, keptFaultsName)) as KeptFaults | undefined
  }

  #path(id: number, file: string): string {
    return join(nodeDirectory(this.#name, id), file)
  }

  async #ask(id: number, method: string, path: string, body?: object): Promise<unknown> {
    const end = realClock.nowMs() + appearMs
    for (;;) {
      try {
        return await this.#askOnce(id, { method, path, body })
      } catch (error) {
        const code = codeOf(error) ?? ''
        const state = await this.#stateOf(id)
        const mayAppear = code === 'ENOENT' || code === 'ECONNREFUSED'
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

  async #askOnce(
    id: number,
    { method, path, body }: { readonly method: string; readonly path: string; readonly body: object | undefined },
  ): Promise<unknown> {
    const { status, text } = await new Promise<{ status: number; text: string }>((resolve, reject) => {
      // Imported, the module has all its properties read, and one of them loads a WebSocket client: a fifth of the time that `up` takes.
      const asked = process
        .getBuiltinModule('node:http')
        .request(
          { socketPath: this.#path(id, faultSocketName), method, path, timeout: answerMs, agent: false },
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
