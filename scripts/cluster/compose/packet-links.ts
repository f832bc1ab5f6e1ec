/**
 * Faults of the links between containers without a fault proxy: packet filters of the networks of the nodes, set by a short-lived container beside each
 * (images/packet-filter), which alone has the right to. Which there are is a file of the cluster, written before the first rule and taken away after the
 * last one; whoever changes it or the rules has the turn of the cluster's links. Rules end with the run of a container and name addresses that the engine
 * gives to whichever node starts next: `renew` puts all of them in place again.
 */
import { rmSync } from 'node:fs'
import { failure, messageOf, usageError } from '../../errors.ts'
import type { FaultRequest, FaultState } from '../../proxy/model.ts'
import { takingBack, untilAllEnded } from '../../settle.ts'
import type { LinkProof, PacketFaults, ProvedPacketFault } from '../cluster.ts'
import { inTurnOfFile } from '../file-lock.ts'
import { readJson, stateEntry, writeJson } from '../state.ts'
import { runBeside } from './container.ts'
import { ensurePacketImage, packetImage } from './packet-image.ts'
import {
  applyCommand,
  chainOf,
  countCommand,
  nodesOf,
  packetKinds,
  pairsOf,
  parseCounts,
  placesOf,
  removeCommand,
  rulesAt,
  type PacketFault,
  type Pair,
} from './packet-rules.ts'

/** A node as the engine sees it now. */
export interface PacketNode {
  readonly id: number
  readonly container: string
  readonly isRunning: boolean
  /** Tells its runs apart. */
  readonly startedAt: string
  /** In the network of the nodes; undefined while it is down. */
  readonly address: string | undefined
  /** Where others find it. */
  readonly host: string
  readonly port: number
}

interface Book {
  /** So many faults were added so far; ids are not used again. */
  readonly added: number
  readonly faults: readonly PacketFault[]
}

/** The last node that was started when not all faults could be put in place again. */
interface Trouble {
  readonly node: number
  readonly problem: string
}

/** What runs commands in the network of a container: iptables, and requests to other nodes. */
export interface Helpers {
  /** May take a minute the first time. */
  prepare(): Promise<void>
  run(container: string, command: readonly string[]): Promise<{ readonly exitCode: number; readonly output: string }>
}

const shortLived: Helpers = {
  prepare: ensurePacketImage,
  run: (container, command) => runBeside(container, command, packetImage),
}

type Ending = 'answered' | 'refused' | 'silent'

/** How long an answer is waited for that should not come, and one that should, s. */
const silenceSeconds = 1
const answerSeconds = 10
const roundsMax = 10
/** ApiVersions v0 without a client id, which every node answers to everybody; those with TLS answer that it is none. */
const request = String.raw`\0\0\0\12\0\22\0\0\0\0\0\1\377\377`

export class PacketLinks implements PacketFaults {
  readonly kinds = packetKinds
  readonly #cluster: string
  readonly #nodes: () => Promise<readonly PacketNode[]>

  readonly #helpers: Helpers

  constructor(cluster: string, nodes: () => Promise<readonly PacketNode[]>, helpers: Helpers = shortLived) {
    this.#cluster = cluster
    this.#nodes = nodes
    this.#helpers = helpers
  }

  async faults(): Promise<readonly FaultState[]> {
    const { faults } = this.#read()
    if (faults.length === 0) return []
    const nodes = await this.#nodes()
    const counts = await this.#countAt(nodes, faults)
    const trouble = readJson(this.#troubleFile) as Trouble | undefined
    return faults.map(fault => describe(fault, counts, trouble))
  }

  async add(order: FaultRequest, proof: boolean): Promise<ProvedPacketFault> {
    // Nobody has to wait meanwhile.
    await this.#helpers.prepare()
    return await this.#inTurn(() => this.#add(order, proof))
  }

  async heal(ids: readonly string[] | 'all'): Promise<readonly FaultState[]> {
    return await this.#inTurn(() => this.#heal(ids))
  }

  /**
   * After a node was started: it has no rules, and it and others may have an address that a rule somewhere means another node by. The node runs, whatever
   * becomes of that: what cannot be put in place again is told of in the list, and as a warning.
   */
  async renew(id: number): Promise<void> {
    // Who adds a fault writes it down first, and looks then which nodes run.
    if (this.#read().faults.length === 0) return
    try {
      await this.#inTurn(async () => {
        await this.#apply(this.#read().faults)
        rmSync(this.#troubleFile, { force: true })
      })
    } catch (error) {
      writeJson(this.#troubleFile, { node: id, problem: messageOf(error) } satisfies Trouble)
      process.emitWarning(`Node ${id} was started, but not all faults of links are in place: ${messageOf(error)}`)
    }
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    return await inTurnOfFile(stateEntry(this.#cluster, 'packets.lock'), work)
  }

  async #add(order: FaultRequest, proof: boolean): Promise<ProvedPacketFault> {
    const { kind, parameters = {} } = order
    const nodes = await this.#nodes()
    const chosen = nodesOf(
      order,
      nodes.map(({ id }) => id),
    )
    const book = this.#read()
    const fault: PacketFault = { id: `${kind}-${book.added + 1}`, kind, ...chosen, parameters }
    const before = proof ? await this.#probeAll(nodes, pairsOf(fault), answerSeconds) : undefined
    // First what `heal` has to know.
    this.#write({ added: book.added + 1, faults: [...book.faults, fault] })
    try {
      await this.#apply([fault])
      const proofs = before === undefined ? [] : await this.#prove(fault, before)
      const wrong = proofs.filter(({ shown }) => shown === false)
      if (wrong.length > 0)
        throw failure(
          `The fault ${fault.id} did not take effect, and was taken back: ${wrong.map(({ link, text }) => `${link}: ${text}`).join('; ')}.`,
          '--no-proof adds it without looking.',
        )
      return { ...describe(fault, await this.#countAt(nodes, [fault])), proofs }
    } catch (error) {
      throw await takingBack(error, () => this.#heal([fault.id]))
    }
  }

  async #heal(ids: readonly string[] | 'all'): Promise<readonly FaultState[]> {
    const { added, faults } = this.#read()
    const unknown = ids === 'all' ? undefined : ids.find(id => !faults.some(fault => fault.id === id))
    if (unknown !== undefined) throw usageError(`There is no fault ${unknown} of links.`)
    const healed = faults.filter(({ id }) => ids === 'all' || ids.includes(id))
    if (healed.length === 0) return []
    const nodes = await this.#nodes()
    const command = healed.map(fault => `( ${removeCommand(chainOf(fault))} )`).join(' && ')
    await this.#atEach(
      nodes.filter(({ id, isRunning }) => isRunning && healed.some(fault => placesOf(fault).includes(id))),
      () => command,
    )
    const left = faults.filter(fault => !healed.includes(fault))
    this.#write({ added, faults: left })
    if (left.length === 0) rmSync(this.#troubleFile, { force: true })
    return healed.map(fault => describe(fault, new Map()))
  }

  /** Of containers that are to be made anew. */
  forget(): void {
    for (const file of [this.#file, this.#troubleFile]) rmSync(file, { force: true })
  }

  /** Puts faults in place wherever a node runs; what is in place as it should be stays untouched. */
  async #apply(faults: readonly PacketFault[]): Promise<void> {
    const nodes = await this.#nodes()
    const addressOf = (id: number) => nodes.find(node => node.id === id)?.address
    const at = (id: number) => faults.filter(fault => placesOf(fault).includes(id))
    await this.#atEach(
      nodes.filter(({ id, isRunning }) => isRunning && at(id).length > 0),
      ({ id }) =>
        at(id)
          .map(fault => applyCommand(chainOf(fault), rulesAt(id, fault, addressOf)))
          .join(' && '),
    )
  }

  async #prove(fault: PacketFault, before: ReadonlyMap<string, Ending>): Promise<readonly LinkProof[]> {
    const nodes = await this.#nodes()
    const pairs = pairsOf(fault)
    const runs = (id: number) => nodes.some(node => node.id === id && node.isRunning)
    // Without such a link nothing can be shown, however often it is asked, and everybody else waits meanwhile.
    const rounds = pairs.some(pair =>
      fault.kind === 'loss' ? pair.every(runs) : before.get(nameOf(pair)) === 'answered',
    )
      ? roundsMax
      : 0
    // A refusal comes as soon as an answer does; silence is waited for.
    const seconds = fault.kind === 'cut' ? answerSeconds : silenceSeconds
    let now = new Map<string, Ending>()
    let packets = 0
    // What gets lost by chance may not at first, and a busy machine may not even have asked in that time.
    for (let round = 0; packets === 0 && round < rounds; round++) {
      now = await this.#probeAll(nodes, pairs, seconds)
      packets = (await this.#countAt(nodes, [fault])).get(chainOf(fault))?.lost ?? 0
    }
    return pairs.map(pair => {
      const link = nameOf(pair)
      return { link, ...prove(fault, { before: before.get(link), now: now.get(link), packets }) }
    })
  }

  /** Packets that were lost so far, by chain, and where a chain is not in place although its node runs. */
  async #countAt(nodes: readonly PacketNode[], faults: readonly PacketFault[]): Promise<ReadonlyMap<string, Count>> {
    const counts = new Map<string, Count>()
    const chains = (id: number) => faults.filter(fault => placesOf(fault).includes(id)).map(chainOf)
    const asked = nodes.filter(({ id, isRunning }) => isRunning && chains(id).length > 0)
    for (const [id, output] of await this.#atEach(asked, node => countCommand(chains(node.id)))) {
      const found = parseCounts(output)
      for (const chain of chains(id)) {
        const count = counts.get(chain) ?? { lost: 0, missingAt: [] }
        const lost = found.get(chain)
        counts.set(
          chain,
          lost === undefined
            ? { ...count, missingAt: [...count.missingAt, id] }
            : { ...count, lost: count.lost + lost },
        )
      }
    }
    return counts
  }

  /** Each node that connections come from asks the others. */
  async #probeAll(nodes: readonly PacketNode[], pairs: readonly Pair[], seconds: number): Promise<Map<string, Ending>> {
    const asking = nodes.filter(({ id, isRunning }) => isRunning && pairs.some(([from]) => from === id))
    const outputs = await this.#atEach(asking, ({ id }) => {
      const targets = nodes.filter(node => pairs.some(([from, to]) => from === id && to === node.id))
      return `${targets.map(target => probeCommand(target, seconds)).join(' ')} wait`
    })
    const seen = new Map<string, Ending>()
    for (const [id, output] of outputs)
      for (const [, to, code] of output.matchAll(/^(\d+) (\d+)$/gm))
        seen.set(nameOf([id, Number(to)]), code === '0' ? 'answered' : code === '124' ? 'silent' : 'refused')
    return seen
  }

  /** Runs a command beside each of these nodes. @returns what they print; nodes that have ended meanwhile, and all rules with them, are left out */
  async #atEach(
    nodes: readonly PacketNode[],
    commandOf: (node: PacketNode) => string,
  ): Promise<ReadonlyMap<number, string>> {
    if (nodes.length > 0) await this.#helpers.prepare()
    const printed = await untilAllEnded(
      nodes.map(async (node): Promise<readonly [number, string][]> => {
        try {
          return [[node.id, await this.#runBeside(node, commandOf(node))]]
        } catch (error) {
          const now = (await this.#nodes()).find(({ id }) => id === node.id)
          if (now?.isRunning !== true || now.startedAt !== node.startedAt) return []
          throw error
        }
      }),
    )
    return new Map(printed.flat())
  }

  async #runBeside({ container }: PacketNode, command: string): Promise<string> {
    const { exitCode, output } = await this.#helpers.run(container, ['bash', '-c', command])
    if (exitCode === 0) return output
    throw failure(
      `The packet filter of ${container} cannot be used (exit code ${exitCode}): ${output.trim().slice(-500)}`,
      './faultline up --proxy breaks links without.',
    )
  }

  get #file(): string {
    return stateEntry(this.#cluster, 'packets.json')
  }

  get #troubleFile(): string {
    return stateEntry(this.#cluster, 'packets-trouble.json')
  }

  #read(): Book {
    return (readJson(this.#file) as Book | undefined) ?? { added: 0, faults: [] }
  }

  #write(book: Book): void {
    writeJson(this.#file, book)
  }
}

interface Count {
  readonly lost: number
  readonly missingAt: readonly number[]
}

const nameOf = ([from, to]: Pair): string => `${from}->${to}`

function describe(fault: PacketFault, counts: ReadonlyMap<string, Count>, trouble?: Trouble): FaultState {
  const { id, kind: name, parameters } = fault
  const { lost = 0, missingAt = [] } = counts.get(chainOf(fault)) ?? {}
  const links = pairsOf(fault).map(nameOf)
  const words = Object.entries(parameters).flatMap(([key, value]) =>
    value === false ? [] : [`${key} ${String(value)}`],
  )
  const missing = missingAt.length === 0 ? '' : `; not at node ${missingAt.join(', ')}, which somebody else has started`
  const notRenewed =
    trouble === undefined ? '' : `; may not be in place since node ${trouble.node} was started: ${trouble.problem}`
  const summary = `${name} ${links.join(', ')}${words.length === 0 ? '' : ` (${words.join(', ')})`}, by packet filters${missing}${notRenewed}`
  return { id, name, summary, links, parameters, hits: lost, held: 0, missed: 0 }
}

interface Seen {
  readonly before: Ending | undefined
  readonly now: Ending | undefined
  /** That got lost, of all links of the fault. */
  readonly packets: number
}

const sentences: Readonly<Record<Ending, string>> = {
  answered: 'a request is answered',
  refused: 'a connection is refused',
  silent: `no answer in ${silenceSeconds * 1_000} ms`,
}

function prove({ kind }: PacketFault, { before, now, packets }: Seen): Omit<LinkProof, 'link'> {
  const lost = `${packets} packets of the fault's links got lost`
  if (kind === 'loss') return { shown: packets > 0 ? true : undefined, text: packets > 0 ? lost : `${lost}: by chance` }
  if (before !== 'answered' || now === undefined)
    return {
      shown: undefined,
      text: `the link did not answer before (${before ?? 'its node is down'}): nothing to compare with`,
    }
  const wanted: Ending = kind === 'cut' ? 'refused' : 'silent'
  // On a busy machine an answer may take that long in any case.
  return { shown: now === wanted && packets > 0, text: `${sentences[now]}, before it was answered; ${lost}` }
}

/** For bash: prints the number of the node and how it went: 0 answered, 124 not in that time, else refused or closed. */
function probeCommand({ id, host, port }: PacketNode, seconds: number): string {
  const ask = `exec 3<>/dev/tcp/${host}/${port} && printf "${request}" >&3 && [ "$(head -c 4 <&3 | wc -c)" = 4 ]`
  return `{ timeout ${seconds} bash -c '${ask}' 2>/dev/null; echo "${id} $?"; } &`
}
