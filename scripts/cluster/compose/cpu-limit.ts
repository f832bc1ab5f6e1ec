/**
 * How much of the processors the container of a node has. The engine can change that while it runs (`docker update`), and keeps it for the next start of
 * the container; what it was before is kept beside the intent for the node, so that whoever heals puts back exactly that.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { AddedNodeFault, NodeFaultOrder, NodeFaultState } from '#broker/environment/faulty/fault-desk.ts'
import type { NodeFaultProof } from '#broker/environment/faulty/kind.ts'
import { nodeFaultKind } from '#broker/environment/faulty/node-kinds.ts'
import { failure, usageError } from '../../errors.ts'
import { checkParameters } from '../../proxy/parameters.ts'
import { takingBack } from '../../settle.ts'
import type { NodeFaults } from '../cluster.ts'
import { inTurnOfFile } from '../file-lock.ts'
import { nodeDirectory, readJson, writeJson } from '../state.ts'
import { isMissing, runInContainer } from './container.ts'
import { docker } from './docker.ts'
import type { NodeContainer } from './kafka-nodes.ts'

const kind = 'cpu-limit'
/** Microseconds; what the kernel has where nobody says anything else. */
const usualPeriod = 100_000
const unlimited = -1
const busySeconds = 1
/** What the scheduler hands out at once may be a little more, cores. */
const tolerance = 0.05

/** As `docker update` takes it. Of both, a container has one. */
type Share = { readonly CpuQuota: number } | { readonly NanoCpus: number }

interface Limit {
  readonly id: string
  readonly cores: number
  readonly before: Share
  /** The run of the container in which it began, and how often that had been held back until then. */
  readonly startedAt: string
  readonly heldBack: number
}

/** The faults of nodes in containers, with limits of their processors. */
export class CpuLimitedNodes implements NodeFaults {
  readonly #others: NodeFaults
  readonly #cluster: string
  readonly #containerOf: (id: number) => Promise<NodeContainer>

  /** @param others all that is not a limit */
  constructor(others: NodeFaults, cluster: string, containerOf: (id: number) => Promise<NodeContainer>) {
    this.#others = others
    this.#cluster = cluster
    this.#containerOf = containerOf
  }

  async add(id: number, order: NodeFaultOrder): Promise<AddedNodeFault> {
    if (order.kind !== kind) return await this.#others.add(id, order)
    return await this.#inTurn(id, () => this.#add(id, order))
  }

  async #add(id: number, order: NodeFaultOrder): Promise<AddedNodeFault> {
    const { cores } = checkParameters(kind, nodeFaultKind(kind).parameters, order.parameters)
    const { name, startedAt } = await this.#running(id)
    if (this.#read(id) !== undefined)
      throw usageError(`Node ${id} has a limit already.`, `./faultline fault heal ${kind}-${id} takes it away.`)
    const [before, heldBack] = [await shareOf(name), await timesHeldBack(name)]
    const limit: Limit = { id: `${kind}-${id}`, cores: Number(cores), before, startedAt, heldBack }
    // First what `heal` has to know.
    writeJson(this.#file(id), limit)
    try {
      await update(name, await shareFor(name, limit))
      const proof = order.proof ? await prove(name, limit.cores) : undefined
      if (proof?.shown === false)
        throw failure(
          `The fault ${kind} did not take effect on node ${id}, and was taken back: ${proof.text}.`,
          '--no-proof adds it without looking.',
        )
      return { ...(await this.#describe(id, limit)), ...(proof === undefined ? {} : { proof }) }
    } catch (error) {
      throw await takingBack(error, () => this.#end(id, limit))
    }
  }

  async list(id: number): Promise<readonly NodeFaultState[]> {
    const limit = this.#read(id)
    const others = await this.#others.list(id)
    return limit === undefined ? others : [...others, await this.#describe(id, limit)]
  }

  async heal(id: number, ids: readonly string[] | 'all'): Promise<readonly NodeFaultState[]> {
    // First: a node that has little of a core takes long to do the rest.
    const limit = await this.#inTurn(id, () => this.#heal(id, ids))
    const others = ids === 'all' ? ids : ids.filter(each => each !== limit?.id)
    const rest = others === 'all' || others.length > 0 ? await this.#others.heal(id, others) : []
    return limit === undefined ? rest : [limit, ...rest]
  }

  /** The limit, when it is one of these. */
  async #heal(id: number, ids: readonly string[] | 'all'): Promise<NodeFaultState | undefined> {
    const limit = this.#read(id)
    if (limit === undefined || (ids !== 'all' && !ids.includes(limit.id))) return undefined
    const healed = await this.#describe(id, limit)
    await this.#end(id, limit)
    return healed
  }

  #inTurn<T>(id: number, work: () => Promise<T>): Promise<T> {
    return inTurnOfFile(`${this.#file(id)}.lock`, work)
  }

  /** After a container was made anew, which has no limit: the one that it had. */
  async renew(id: number): Promise<void> {
    await this.#inTurn(id, async () => {
      const limit = this.#read(id)
      if (limit === undefined) return
      const { name } = await this.#containerOf(id)
      await unlessGone(async () => await update(name, await shareFor(name, limit)))
    })
  }

  async #end(id: number, { before }: Limit): Promise<void> {
    const { name } = await this.#containerOf(id)
    await unlessGone(() => update(name, before))
    rmSync(this.#file(id), { force: true })
  }

  async #describe(id: number, { id: faultId, cores, startedAt, heldBack }: Limit): Promise<NodeFaultState> {
    const container = await this.#containerOf(id)
    const now = await this.#timesHeldBack(id, container)
    const hits = Math.max(0, container.startedAt === startedAt ? now - heldBack : now)
    return {
      id: faultId,
      name: kind,
      summary: `node ${id}: its container has ${cores} of a core`,
      parameters: { cores },
      hits,
    }
  }

  /** 0 when it does not run, or ends or is frozen before it has told. */
  async #timesHeldBack(id: number, { name, isRunning, isPaused, startedAt }: NodeContainer): Promise<number> {
    if (!isRunning || isPaused) return 0
    try {
      return await timesHeldBack(name)
    } catch (error) {
      const now = await this.#containerOf(id)
      if (now.isRunning && !now.isPaused && now.startedAt === startedAt) throw error
      return 0
    }
  }

  async #running(id: number): Promise<NodeContainer> {
    const container = await this.#containerOf(id)
    if (container.isRunning && !container.isPaused) return container
    throw failure(
      `Node ${id} is ${container.isPaused ? 'paused' : 'down'}: faults inside it need its process.`,
      `./faultline ${container.isPaused ? 'resume' : 'start'} ${id} --name ${this.#cluster}`,
    )
  }

  #read(id: number): Limit | undefined {
    return readJson(this.#file(id)) as Limit | undefined
  }

  #file(id: number): string {
    return fileOf(this.#cluster, id)
  }
}

function fileOf(cluster: string, id: number): string {
  return join(nodeDirectory(cluster, id), 'cpu-limit.json')
}

/** Of a container that is to be made anew. */
export function forgetCpuLimit(cluster: string, id: number): void {
  rmSync(fileOf(cluster, id), { force: true })
}

async function shareOf(name: string): Promise<Share> {
  const { NanoCpus = 0, CpuQuota = 0 } = await hostConfigOf(name)
  // The engine changes the one that somebody has set, and refuses the other.
  return NanoCpus > 0 ? { NanoCpus } : { CpuQuota: CpuQuota > 0 ? CpuQuota : unlimited }
}

async function shareFor(name: string, { cores, before }: Limit): Promise<Share> {
  if ('NanoCpus' in before) return { NanoCpus: Math.round(cores * 1e9) }
  const { CpuPeriod = 0 } = await hostConfigOf(name)
  return { CpuQuota: Math.round(cores * (CpuPeriod > 0 ? CpuPeriod : usualPeriod)) }
}

async function hostConfigOf(name: string) {
  return (await (await docker()).getContainer(name).inspect()).HostConfig
}

/** One that somebody has removed has no limit, nor has the one that is made in its place. */
async function unlessGone(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}

async function update(name: string, share: Share): Promise<void> {
  await (await docker()).getContainer(name).update(share)
}

/** Of both generations of control groups. */
const statFiles = ['cpu.stat', 'cpu/cpu.stat', 'cpu,cpuacct/cpu.stat'].map(file => `/sys/fs/cgroup/${file}`)

/** In how many periods something in the container had to wait for the next one. */
async function timesHeldBack(name: string): Promise<number> {
  const text = await shell(name, `cat ${statFiles.join(' ')} 2>/dev/null || :`)
  return Number(/^nr_throttled (\d+)$/m.exec(text)?.[1] ?? 0)
}

/** Loops beside the node, more of them than it has cores, work for a second as hard as they may. */
async function prove(name: string, cores: number): Promise<NodeFaultProof> {
  const before = await timesHeldBack(name)
  const loops = Math.ceil(cores) + 1
  const one = `timeout ${busySeconds} sh -c 'while :; do :; done' &`
  const printed = await shell(name, `date +%s%N; ${one.repeat(loops)} wait; date +%s%N; times`)
  const [began = '', ended = '', ...rest] = printed.split('\n')
  const tookMs = Number(BigInt(ended) - BigInt(began)) / 1e6
  const got = usedMs(rest.at(-1) ?? '') / tookMs
  const held = (await timesHeldBack(name)) - before
  const text = `${loops} loops in its container got ${got.toFixed(2)} of a core together (at most ${cores}), and had to wait ${held} times for more`
  if (got > cores * 1.1 + tolerance) return { shown: false, text }
  return held > 0
    ? { shown: true, text }
    : { shown: undefined, text: `${text}: the machine had no more for them anyway` }
}

/** `0m0.200000s 0m0.000000s`: in user and in system mode. */
function usedMs(line: string): number {
  const times = [...line.matchAll(/(\d+)m([\d.]+)s/g)]
  return times.reduce((sum, [, minutes, seconds]) => sum + (Number(minutes) * 60 + Number(seconds)) * 1_000, 0)
}

async function shell(name: string, script: string): Promise<string> {
  const { exitCode, stdout, stderr } = await runInContainer(name, ['sh', '-c', script])
  if (exitCode === 0) return stdout.trim()
  throw failure(`A command in ${name} ended with ${exitCode ?? 'the container'}: ${stderr.trim().slice(-500)}`)
}
