/**
 * Faults inside Apache Kafka in containers. Its disk and its calendar are broken by a library in front of the JVM (images/apache-kafka/faults.c), which
 * reads its orders in a volume of the node; its network card by packet filters of its network, set from a short-lived container beside it; its memory
 * is taken by a process in its container. Nothing needs root on this machine.
 */
import { posix } from 'node:path'
import type { AddedNodeFault, NodeFaultOrder, NodeFaultState } from '#broker/environment/faulty/fault-desk.ts'
import type { NodeFaultProof } from '#broker/environment/faulty/kind.ts'
import { nodeFaultKind } from '#broker/environment/faulty/node-kinds.ts'
import { failure, usageError } from '../../errors.ts'
import { checkParameters } from '../../proxy/parameters.ts'
import { poll } from '../clock.ts'
import type { NodeFaults } from '../cluster.ts'
import { inTurnOfFile } from '../file-lock.ts'
import { takingBack } from '../../settle.ts'
import { readContainerFile, writeContainerFile } from './container.ts'
import { containerFaultDir } from './generator.ts'
import { proveOnClock, proveOnDisk } from './kafka-proofs.ts'
import {
  areWhole,
  emptyBook,
  formatRules,
  freeSlot,
  isOfLibrary,
  parseRules,
  parseState,
  requirePosix,
  type RuleBook,
  type RuleEntry,
  type RuleState,
} from './kafka-rules.ts'
import { holdMemory, releaseMemory } from './memory-holder.ts'
import { filterPackets, passPackets } from './packet-filter.ts'

const rulesFile = posix.join(containerFaultDir, 'rules')
const stateFile = posix.join(containerFaultDir, 'state')
/** How long the library may take to notice new rules; it looks every 10 ms. */
const noticeMs = 10_000
/** The user of both images. */
const owner = { uid: 1000, gid: 0, mode: 0o644 }

/** A node as the engine sees it now. */
export interface NodeContainer {
  readonly name: string
  readonly isRunning: boolean
  readonly isPaused: boolean
  /** Of this run of it. */
  readonly startedAt: string
}

export class KafkaNodeFaults implements NodeFaults {
  readonly #cluster: string
  readonly #containerOf: (id: number) => Promise<NodeContainer>
  readonly #lockFile: (id: number) => string

  /** @param lockFile says whose turn it is to change the rules of a node: each reads all of them and writes all of them */
  constructor(cluster: string, containerOf: (id: number) => Promise<NodeContainer>, lockFile: (id: number) => string) {
    this.#cluster = cluster
    this.#containerOf = containerOf
    this.#lockFile = lockFile
  }

  add(id: number, order: NodeFaultOrder): Promise<AddedNodeFault> {
    return inTurnOfFile(this.#lockFile(id), () => this.#add(id, order))
  }

  /** False: the rules of this node are damaged, so that nothing can be said or changed of them. */
  async canBeRead(id: number): Promise<boolean> {
    const text = await readRules(await this.#containerOf(id))
    return text === undefined || areWhole(text)
  }

  async list(id: number): Promise<readonly NodeFaultState[]> {
    const container = await this.#containerOf(id)
    const [{ entries }, state] = await Promise.all([readBook(container), readState(container)])
    return living(entries, container, state).map(entry => describe(id, entry, state))
  }

  heal(id: number, ids: readonly string[] | 'all'): Promise<readonly NodeFaultState[]> {
    return inTurnOfFile(this.#lockFile(id), () => this.#heal(id, ids))
  }

  async #add(id: number, { kind: name, parameters: given, proof }: NodeFaultOrder): Promise<AddedNodeFault> {
    const kind = nodeFaultKind(name)
    const parameters = checkParameters(name, kind.parameters, given)
    const problem = kind.problem?.(parameters)
    if (problem !== undefined) throw usageError(`The fault ${name}: ${problem}.`)
    if (parameters['path'] !== undefined) requirePosix(parameters['path'])
    const container = await this.#containerOf(id)
    if (!container.isRunning || container.isPaused)
      throw failure(
        `Node ${id} is ${container.isPaused ? 'paused' : 'down'}: faults inside it need its process.`,
        `./faultline ${container.isPaused ? 'resume' : 'start'} ${id} --name ${this.#cluster}`,
      )
    const [book, before] = await Promise.all([readBook(container), readState(container)])
    const entry: RuleEntry = {
      id: `${name}-${id}-${book.added + 1}`,
      kind: name,
      parameters,
      slot: freeSlot(book.entries),
      born: book.generation + 1,
      ...(isOfLibrary(name) ? {} : { startedAt: container.startedAt }),
    }
    const onDisk = proof ? refuseFailed(id, name, await proveOnDisk(container.name, name, parameters)) : undefined
    // First what `heal` has to know, then what there is to heal.
    const entries = [...living(book.entries, container, before), entry]
    try {
      await writeBook(container, { generation: book.generation + 1, added: book.added + 1, entries })
      const inPlace = await begin(container, entry)
      const look = async () => (await readState(container)).clockOf(entry)
      const onClock = proof ? await proveOnClock(name, parameters, look) : undefined
      const shown = onDisk ?? refuseFailed(id, name, onClock ?? (proof ? inPlace : undefined))
      return { ...describe(id, entry, await readState(container)), ...(shown === undefined ? {} : { proof: shown }) }
    } catch (error) {
      throw await takingBack(error, () => this.#takeBack(id, entry.id))
    }
  }

  /** Whether it came into the rules or not, and also when it has struck since. */
  async #takeBack(id: number, entry: string): Promise<void> {
    if ((await this.list(id)).some(each => each.id === entry)) await this.#heal(id, [entry])
  }

  async #heal(id: number, ids: readonly string[] | 'all'): Promise<readonly NodeFaultState[]> {
    const container = await this.#containerOf(id)
    if (container.isPaused)
      throw failure(
        `Node ${id} is paused: faults inside it cannot be healed.`,
        `./faultline resume ${id} --name ${this.#cluster} first.`,
      )
    const [book, state] = await Promise.all([readBook(container), readState(container)])
    const there = living(book.entries, container, state)
    const unknown = ids === 'all' ? undefined : ids.find(each => !there.some(entry => entry.id === each))
    if (unknown !== undefined) throw usageError(`There is no fault ${unknown} in node ${id}.`)
    const healed = there.filter(entry => ids === 'all' || ids.includes(entry.id))
    if (healed.length === 0) return []
    for (const entry of healed) await end(container, entry)
    const entries = there.filter(entry => !healed.includes(entry))
    await writeBook(container, { ...book, generation: book.generation + 1, entries })
    return healed.map(entry => describe(id, entry, state))
  }
}

/** Without those that have struck, and those that ended with an earlier run of the container. */
function living(entries: readonly RuleEntry[], container: NodeContainer, state: RuleState): readonly RuleEntry[] {
  return entries.filter(entry => {
    if (entry.startedAt !== undefined) return container.isRunning && entry.startedAt === container.startedAt
    return !state.of(entry).isSpent
  })
}

function describe(node: number, entry: RuleEntry, state: RuleState): NodeFaultState {
  const { id, kind, parameters } = entry
  const summary =
    kind === 'memory-pressure'
      ? `a process beside the JVM holds ${String(parameters['size'])} MiB`
      : nodeFaultKind(kind).make(parameters, noRuntime).summary
  return { id, name: kind, summary: `node ${node}: ${summary}`, parameters, hits: state.of(entry).hits }
}

function refuseFailed(id: number, kind: string, proof: NodeFaultProof | undefined): NodeFaultProof | undefined {
  if (proof?.shown !== false) return proof
  throw failure(
    `The fault ${kind} did not take effect on node ${id}, and was taken back: ${proof.text}.`,
    '--no-proof adds it without looking.',
  )
}

/** What is not the library's. */
async function begin(
  { name }: NodeContainer,
  { kind, parameters, slot }: RuleEntry,
): Promise<NodeFaultProof | undefined> {
  if (kind === 'dropped-links') await filterPackets(name, parameters)
  if (kind === 'memory-pressure') return await holdMemory(name, slot, Number(parameters['size']))
  return undefined
}

async function end({ name }: NodeContainer, { kind, parameters, slot }: RuleEntry): Promise<void> {
  if (kind === 'dropped-links') await passPackets(name, parameters)
  if (kind === 'memory-pressure') await releaseMemory(name, slot)
}

async function readRules({ name }: NodeContainer): Promise<string | undefined> {
  return (await readContainerFile(name, rulesFile))?.content.toString('utf8')
}

async function readBook(container: NodeContainer): Promise<RuleBook> {
  const text = await readRules(container)
  return text === undefined ? emptyBook : parseRules(text)
}

async function readState({ name }: NodeContainer): Promise<RuleState> {
  return parseState((await readContainerFile(name, stateFile))?.content ?? Buffer.alloc(0))
}

/** Resolves when the node keeps to it. */
async function writeBook(container: NodeContainer, book: RuleBook): Promise<void> {
  await writeContainerFile(container.name, rulesFile, { ...owner, content: Buffer.from(formatRules(book)) })
  if (!container.isRunning) return
  const noticed = await poll(
    async () => ((await readState(container)).generation >= book.generation ? true : undefined),
    { everyMs: 20, timeoutMs: noticeMs },
  )
  if (noticed === true) return
  throw failure(
    `${container.name} has not taken notice of new faults within ${noticeMs / 1_000} s.`,
    `docker logs ${container.name} may tell why.`,
  )
}

/** For the words of a fault alone. */
const noRuntime = {
  stall: () => undefined,
  crash: (reason: string): never => {
    throw new Error(reason)
  },
}
