/**
 * The faults inside nodes that are processes, through the socket that each of them has in its own directory. What a node that is down will
 * have again when it starts is read from, and healed in, the file that it keeps there.
 */
import { join } from 'node:path'
import { faultSocketName, keptFaultsName } from '#broker/environment/faulty/control-protocol.ts'
import type { KeptFaults } from '#broker/environment/faulty/fault-desk.ts'
import { codeOf, failure, usageError } from '../../errors.ts'
import { askFaultSocket } from '../../container/fault-socket.ts'
import { realClock } from '../clock.ts'
import type { NodeStatus } from '../cluster.ts'
import { ControlledNodeFaults, type ControlReply, type ControlRequest } from '../controlled-node-faults.ts'
import { faultLockFile, nodeDirectory, readJson, writeJson } from '../state.ts'

/** Longest path that every system takes for a socket, bytes. */
const socketPathBytesMax = 103
/** A node that has just been started has no socket yet; Node.js takes a while on a busy machine. */
const appearMs = 60_000

/** Refuses a cluster whose sockets could not be made. */
export function requireSocketPaths(name: string, ids: readonly number[]): void {
  const longest = join(nodeDirectory(name, Math.max(...ids)), faultSocketName)
  if (Buffer.byteLength(longest) <= socketPathBytesMax) return
  throw usageError(
    `--faults: ${longest} is too long for the path of a socket (${socketPathBytesMax} bytes).`,
    'FAULTLINE_HOME puts the state of clusters elsewhere.',
  )
}

export class ProcessNodeFaults extends ControlledNodeFaults {
  readonly #name: string

  /** @param stateOf whether the process of a node runs */
  constructor(name: string, stateOf: (id: number) => Promise<NodeStatus>) {
    super(name, stateOf)
    this.#name = name
  }

  protected override kept(id: number): Promise<KeptFaults | undefined> {
    return Promise.resolve(readJson(this.#path(id, keptFaultsName)) as KeptFaults | undefined)
  }

  protected override keep(id: number, faults: KeptFaults): Promise<void> {
    writeJson(this.#path(id, keptFaultsName), faults)
    return Promise.resolve()
  }

  protected override lockFile(id: number): string {
    return faultLockFile(this.#name, id)
  }

  protected override async request(id: number, request: ControlRequest, signal?: AbortSignal): Promise<ControlReply> {
    const end = realClock.nowMs() + appearMs
    for (;;) {
      try {
        return await askFaultSocket(this.#path(id, faultSocketName), request, signal)
      } catch (error) {
        const code = codeOf(error) ?? ''
        const state = await this.stateOf(id)
        // A node that ended while it was asked may have been started again: what changes nothing the second time is asked again.
        const mayAppear =
          code === 'ENOENT' || code === 'ECONNREFUSED' || (code === 'ECONNRESET' && request.method !== 'POST')
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

  #path(id: number, file: string): string {
    return join(nodeDirectory(this.#name, id), file)
  }
}
