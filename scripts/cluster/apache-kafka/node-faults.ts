/**
 * Faults inside Apache Kafka, wherever its nodes run. Its disk and its calendar are broken by a library in front of the JVM
 * (images/apache-kafka/faults.c), which reads its orders in a folder of the node; what is broken of the machine around it is the runtime's affair.
 * Nothing needs root on this machine.
 */
import type { AddedNodeFault, NodeFaultOrder, NodeFaultState } from '#broker/environment/faulty/fault-desk.ts'
import type { NodeFaultProof } from '#broker/environment/faulty/kind.ts'
import { nodeFaultKind } from '#broker/environment/faulty/node-kinds.ts'
import { failure, usageError } from '../../errors.ts'
import { checkParameters } from '../../proxy/parameters.ts'
import { poll } from '../clock.ts'
import type { NodeFaults } from '../cluster.ts'
import { inTurnOfFile } from '../file-lock.ts'
import { takingBack } from '../../settle.ts'
import { proveOnClock, proveOnDisk, type Probe } from './fault-proofs.ts'
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
} from './fault-rules.ts'

/** In the folder of the orders of a node. */
const rulesFile = 'rules'
const stateFile = 'state'
/** All that a node has of its orders. */
export const orderFiles: readonly string[] = [rulesFile, stateFile]
/** How long the library may take to notice new rules; it looks every 10 ms. */
const noticeMs = 10_000

/** A fault that no library is needed for. */
export interface FaultBeside {
  /** @returns what was seen of it, where there is something to be seen */
  begin(entry: RuleEntry): Promise<NodeFaultProof | undefined>
  end(entry: RuleEntry): Promise<void>
}

/** A node as it is now, and the way to the folder of its orders. */
export interface KafkaNode {
  readonly isRunning: boolean
  readonly isPaused: boolean
  /** Of this run of it: faults beside it end with that. */
  readonly startedAt: string
  /** What is broken of the machine around it, by kind. */
  readonly beside: Readonly<Record<string, FaultBeside>>
  /** A command that shows its log. */
  readonly logCommand: string
  /** A file of the folder, also while the node is down; undefined when there is none. */
  read(file: string): Promise<Buffer | undefined>
  write(file: string, content: Buffer): Promise<void>
  readonly probe: Probe
}

export class KafkaNodeFaults implements NodeFaults {
  readonly #cluster: string
  readonly #nodeOf: (id: number) => Promise<KafkaNode>
  readonly #lockFile: (id: number) => string

  /** @param lockFile says whose turn it is to change the rules of a node: each reads all of them and writes all of them */
  constructor(cluster: string, nodeOf: (id: number) => Promise<KafkaNode>, lockFile: (id: number) => string) {
    this.#cluster = cluster
    this.#nodeOf = nodeOf
    this.#lockFile = lockFile
  }

  add(id: number, order: NodeFaultOrder): Promise<AddedNodeFault> {
    return inTurnOfFile(this.#lockFile(id), () => this.#add(id, order))
  }

  /** False: the rules of this node are damaged, so that nothing can be said or changed of them. */
  async canBeRead(id: number): Promise<boolean> {
    const text = await readRules(await this.#nodeOf(id))
    return text === undefined || areWhole(text)
  }

  async list(id: number): Promise<readonly NodeFaultState[]> {
    const node = await this.#nodeOf(id)
    const [{ entries }, state] = await Promise.all([readBook(node), readState(node)])
    return living(entries, node, state).map(entry => describe(id, entry, state))
  }

  heal(id: number, ids: readonly string[] | 'all'): Promise<readonly NodeFaultState[]> {
    return inTurnOfFile(this.#lockFile(id), () => this.#heal(id, ids))
  }

  async #add(id: number, { kind: name, parameters: given, proof }: NodeFaultOrder): Promise<AddedNodeFault> {
    const kind = nodeFaultKind(name)
    const node = await this.#nodeOf(id)
    if (!isOfLibrary(name) && node.beside[name] === undefined)
      throw usageError(
        `The fault ${name} is not there inside the nodes of ${this.#cluster}.`,
        './faultline fault list --kinds --json tells what is there where.',
      )
    const parameters = checkParameters(name, kind.parameters, given)
    const problem = kind.problem?.(parameters)
    if (problem !== undefined) throw usageError(`The fault ${name}: ${problem}.`)
    if (parameters['path'] !== undefined) requirePosix(parameters['path'])
    if (!node.isRunning || node.isPaused)
      throw failure(
        `Node ${id} is ${node.isPaused ? 'paused' : 'down'}: faults inside it need its process.`,
        `./faultline ${node.isPaused ? 'resume' : 'start'} ${id} --name ${this.#cluster}`,
      )
    const [book, before] = await Promise.all([readBook(node), readState(node)])
    const entry: RuleEntry = {
      id: `${name}-${id}-${book.added + 1}`,
      kind: name,
      parameters,
      slot: freeSlot(book.entries),
      born: book.generation + 1,
      ...(isOfLibrary(name) ? {} : { startedAt: node.startedAt }),
    }
    const onDisk = proof ? refuseFailed(id, name, await proveOnDisk(node.probe, name, parameters)) : undefined
    // First what `heal` has to know, then what there is to heal.
    const entries = [...living(book.entries, node, before), entry]
    try {
      await writeBook(node, { generation: book.generation + 1, added: book.added + 1, entries })
      const inPlace = await begin(node, entry)
      const look = async () => (await readState(node)).clockOf(entry)
      const onClock = proof ? await proveOnClock(name, parameters, look) : undefined
      const shown = onDisk ?? refuseFailed(id, name, onClock ?? (proof ? inPlace : undefined))
      return { ...describe(id, entry, await readState(node)), ...(shown === undefined ? {} : { proof: shown }) }
    } catch (error) {
      throw await takingBack(error, () => this.#takeBack(id, entry.id))
    }
  }

  /** Whether it came into the rules or not, and also when it has struck since. */
  async #takeBack(id: number, entry: string): Promise<void> {
    if ((await this.list(id)).some(each => each.id === entry)) await this.#heal(id, [entry])
  }

  async #heal(id: number, ids: readonly string[] | 'all'): Promise<readonly NodeFaultState[]> {
    const node = await this.#nodeOf(id)
    if (node.isPaused)
      throw failure(
        `Node ${id} is paused: faults inside it cannot be healed.`,
        `./faultline resume ${id} --name ${this.#cluster} first.`,
      )
    const [book, state] = await Promise.all([readBook(node), readState(node)])
    const there = living(book.entries, node, state)
    const unknown = ids === 'all' ? undefined : ids.find(each => !there.some(entry => entry.id === each))
    if (unknown !== undefined) throw usageError(`There is no fault ${unknown} in node ${id}.`)
    const healed = there.filter(entry => ids === 'all' || ids.includes(entry.id))
    if (healed.length === 0) return []
    for (const entry of healed) await end(node, entry)
    const entries = there.filter(entry => !healed.includes(entry))
    await writeBook(node, { ...book, generation: book.generation + 1, entries })
    return healed.map(entry => describe(id, entry, state))
  }
}

/** Without those that have struck, and those that ended with an earlier run of the node. */
function living(entries: readonly RuleEntry[], node: KafkaNode, state: RuleState): readonly RuleEntry[] {
  return entries.filter(entry => {
    if (entry.startedAt !== undefined) return node.isRunning && entry.startedAt === node.startedAt
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
async function begin({ beside }: KafkaNode, entry: RuleEntry): Promise<NodeFaultProof | undefined> {
  return await beside[entry.kind]?.begin(entry)
}

async function end({ beside }: KafkaNode, entry: RuleEntry): Promise<void> {
  await beside[entry.kind]?.end(entry)
}

async function readRules(node: KafkaNode): Promise<string | undefined> {
  return (await node.read(rulesFile))?.toString('utf8')
}

async function readBook(node: KafkaNode): Promise<RuleBook> {
  const text = await readRules(node)
  return text === undefined ? emptyBook : parseRules(text)
}

async function readState(node: KafkaNode): Promise<RuleState> {
  return parseState((await node.read(stateFile)) ?? Buffer.alloc(0))
}

/** Resolves when the node keeps to it. */
async function writeBook(node: KafkaNode, book: RuleBook): Promise<void> {
  await node.write(rulesFile, Buffer.from(formatRules(book)))
  if (!node.isRunning) return
  const noticed = await poll(async () => ((await readState(node)).generation >= book.generation ? true : undefined), {
    everyMs: 20,
    timeoutMs: noticeMs,
  })
  if (noticed === true) return
  throw failure(
    `The node has not taken notice of new faults within ${noticeMs / 1_000} s.`,
    `${node.logCommand} may tell why.`,
  )
}

/** For the words of a fault alone. */
const noRuntime = {
  stall: () => undefined,
  crash: (reason: string): never => {
    throw new Error(reason)
  },
}
