/**
 * The faults inside nodes of ours that are containers. Orders come to the node's socket through a small client that is run beside it, in its
 * container: nobody has to reach into the network or the files of containers, which are not of this machine everywhere. What is kept for the
 * next start is in a volume of the node, which the engine reads and writes also while the container is down.
 */
import { posix } from 'node:path'
import { keptFaultsName } from '#broker/environment/faulty/control-protocol.ts'
import type { KeptFaults } from '#broker/environment/faulty/fault-desk.ts'
import { failure } from '../../errors.ts'
import type { ClusterSpec, NodeStatus } from '../cluster.ts'
import { ControlledNodeFaults, type ControlReply, type ControlRequest } from '../controlled-node-faults.ts'
import { unlessAborted } from '../../labs/interruptible.ts'
import { faultLockFile } from '../state.ts'
import { readContainerFile, runInContainer, writeContainerFile } from './container.ts'
import { containerFaultDir } from './generator.ts'

const client = '/opt/faultline/fault-client.mjs'
const keptFile = posix.join(containerFaultDir, keptFaultsName)

export class ComposeNodeFaults extends ControlledNodeFaults {
  readonly #spec: ClusterSpec
  readonly #containerName: (id: number) => string

  /** @param stateOf whether the container of a node runs */
  constructor(spec: ClusterSpec, containerName: (id: number) => string, stateOf: (id: number) => Promise<NodeStatus>) {
    super(spec.name, stateOf)
    this.#spec = spec
    this.#containerName = containerName
  }

  protected override lockFile(id: number): string {
    return faultLockFile(this.#spec.name, id)
  }

  protected override async request(id: number, request: ControlRequest, signal?: AbortSignal): Promise<ControlReply> {
    const command = ['node', client, containerFaultDir, JSON.stringify(request)]
    // Frozen with its container, a command ends no sooner than that goes on.
    const ran = runInContainer(this.#containerName(id), command)
    const { exitCode, stdout, stderr } = await (signal === undefined ? ran : unlessAborted(ran, signal))
    if (exitCode === 0) {
      const reply = JSON.parse(stdout) as ControlReply | { readonly code: string }
      if (!('code' in reply)) return reply
      throw this.#mute(id, await this.stateOf(id), `it does not answer (${reply.code})`)
    }
    const said = stderr.trim() === '' ? '' : `: ${stderr.trim().slice(-500)}`
    throw this.#mute(
      id,
      await this.stateOf(id),
      `the client beside it ended with ${exitCode ?? 'the container'}${said}`,
    )
  }

  #mute(id: number, state: NodeStatus, why: string): Error {
    const { name } = this.#spec
    return failure(
      `Node ${id} (${state}) takes no order for faults: ${why}.`,
      `./faultline logs ${id} --name ${name} may tell why; after ./faultline kill ${id} and start it does.`,
    )
  }

  protected override async kept(id: number): Promise<KeptFaults | undefined> {
    const file = await readContainerFile(this.#containerName(id), keptFile)
    return file && (JSON.parse(file.content.toString('utf8')) as KeptFaults)
  }

  protected override async keep(id: number, faults: KeptFaults): Promise<void> {
    const container = this.#containerName(id)
    const before = await readContainerFile(container, keptFile)
    if (before === undefined) return
    await writeContainerFile(container, keptFile, { ...before, content: Buffer.from(JSON.stringify(faults)) })
  }
}
