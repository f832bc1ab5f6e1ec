/**
 * What of a disk is not durable, as records of a journal tell it: bytes of files that no fsync has covered, and names that no fsync of their
 * directory has covered. Pure: it knows no file, only what it is told.
 *
 * A file has a generation for each fsync that was asked for: it begins there, and holds how the file was then, as far as it was changed since.
 * When that fsync has ended, what was before the generation is durable, and earlier ones go. So the oldest generation is what a power failure
 * leaves, with the size that the file had when it began.
 *
 * Names belong to directories, and lead to files and directories (nodes), which have a number each and are somewhere on the disk, be it aside,
 * where what was removed waits until the removal is durable. A creation, a rename or a removal is one step, lost or kept as a whole.
 */
export type NodeId = number

/** A name that a step changes. 0: nothing has it. */
export interface NameChange {
  readonly directory: NodeId
  readonly name: string
  readonly before: NodeId
  readonly after: NodeId
}

/** A node goes to another place on the disk, and with it all that is in it. */
export interface Move {
  readonly node: NodeId
  readonly from: string
  readonly to: string
}

export type UnsyncedRecord =
  /** A node that was not known is at `path`. */
  | { readonly kind: 'node'; readonly node: NodeId; readonly path: string }
  /** The first change of a file in a generation, at whose begin it had `size` bytes. */
  | { readonly kind: 'dirty'; readonly node: NodeId; readonly generation: number; readonly size: number }
  /** What was in a page when the generation began, base64; shorter where the file ended. */
  | {
      readonly kind: 'page'
      readonly node: NodeId
      readonly generation: number
      readonly page: number
      readonly bytes: string
    }
  /** The fsync that began the generation has ended. */
  | { readonly kind: 'synced'; readonly node: NodeId; readonly generation: number }
  | {
      readonly kind: 'step'
      readonly step: number
      readonly changes: readonly NameChange[]
      readonly moves: readonly Move[]
    }
  /** The machine refused it: it did not happen. */
  | { readonly kind: 'undone'; readonly step: number }
  /** An fsync of a directory has covered these steps. */
  | { readonly kind: 'named'; readonly steps: readonly number[] }

export interface Generation {
  readonly size: number
  /** The records of kind `page`. */
  readonly pages: Map<number, PageRecord>
}

export type PageRecord = Extract<UnsyncedRecord, { kind: 'page' }>
export type Step = Extract<UnsyncedRecord, { kind: 'step' }>

interface Node {
  path: string
  /** By number, rising. */
  readonly generations: Map<number, Generation>
}

interface Name {
  readonly directory: NodeId
  readonly name: string
  durable: NodeId
  current: NodeId
  /** Steps that change it and are not durable. */
  pending: number
}

export class UnsyncedState {
  readonly nodes = new Map<NodeId, Node>()
  readonly #byPath = new Map<string, NodeId>()
  readonly #names = new Map<string, Name>()
  readonly #pending = new Map<number, Step>()
  /** Steps by the directories that they touch. */
  readonly #touching = new Map<NodeId, Set<number>>()
  /** How many steps and names are about a node. */
  readonly #references = new Map<NodeId, number>()
  #lastNode = 0
  #lastStep = 0
  readonly #aside: string

  /** @param aside directory where removed things wait */
  constructor(aside: string) {
    this.#aside = aside
  }

  isAside(path: string): boolean {
    return path.startsWith(`${this.#aside}/`)
  }

  /** In the order in which they were made. */
  get pending(): readonly Step[] {
    return [...this.#pending.values()]
  }

  /** Names that a power failure may change. */
  get names(): Iterable<Readonly<Name>> {
    return this.#names.values()
  }

  nextNode(): NodeId {
    return this.#lastNode + 1
  }

  nextStep(): number {
    return this.#lastStep + 1
  }

  at(path: string): NodeId | undefined {
    return this.#byPath.get(path)
  }

  pathOf(node: NodeId): string {
    const found = this.nodes.get(node)
    if (found === undefined) throw new Error(`Bug: the journal of what is not fsynced does not know node ${node}.`)
    return found.path
  }

  /** @returns places aside of nodes that nothing leads to any more: what is there can go */
  apply(record: UnsyncedRecord): readonly string[] {
    switch (record.kind) {
      case 'node':
        this.#lastNode = Math.max(this.#lastNode, record.node)
        this.nodes.set(record.node, { path: record.path, generations: new Map() })
        this.#byPath.set(record.path, record.node)
        return []
      case 'dirty':
        this.nodes.get(record.node)?.generations.set(record.generation, { size: record.size, pages: new Map() })
        return []
      case 'page':
        this.nodes.get(record.node)?.generations.get(record.generation)?.pages.set(record.page, record)
        return []
      case 'synced':
        return this.#synced(record.node, record.generation)
      case 'step':
        return this.#step(record)
      case 'undone':
        return this.#undo(record.step)
      case 'named': {
        const about = record.steps.flatMap(step => this.#pending.get(step)?.changes ?? [])
        const gone = record.steps.flatMap(step => this.#named(step))
        return [...gone, ...this.#sweep(about.flatMap(({ directory, before, after }) => [directory, before, after]))]
      }
    }
  }

  /** Steps that touch a directory: what an fsync of it covers. */
  touching(directory: NodeId): number[] {
    return [...(this.#touching.get(directory) ?? [])]
  }

  /** Puts a node, and what is in it, somewhere else. */
  move(node: NodeId, to: string): void {
    const from = this.pathOf(node)
    const inside = `${from}/`
    for (const [id, each] of this.nodes) {
      if (id !== node && !each.path.startsWith(inside)) continue
      if (this.#byPath.get(each.path) === id) this.#byPath.delete(each.path)
      each.path = to + each.path.slice(from.length)
      this.#byPath.set(each.path, id)
    }
  }

  /** All that there is to know, from the beginning. */
  *records(): Generator<UnsyncedRecord> {
    // Names lead to nodes wherever they are now, so their steps come without moves.
    for (const [node, { path }] of this.nodes) yield { kind: 'node', node, path }
    const touched = new Map<string, NodeId>()
    for (const { step, changes } of this.pending) {
      yield {
        kind: 'step',
        step,
        moves: [],
        changes: changes.map(change => {
          const key = keyOf(change)
          const before = touched.get(key) ?? this.#names.get(key)!.durable
          touched.set(key, change.after)
          return { ...change, before }
        }),
      }
    }
    for (const [node, { generations }] of this.nodes) {
      for (const [generation, { size, pages }] of generations) {
        yield { kind: 'dirty', node, generation, size }
        yield* pages.values()
      }
    }
  }

  #synced(node: NodeId, generation: number): readonly string[] {
    const generations = this.nodes.get(node)?.generations
    if (generations === undefined) return []
    for (const earlier of generations.keys()) if (earlier < generation) generations.delete(earlier)
    return this.#forgetUnused([node])
  }

  #step(step: Step): readonly string[] {
    this.#lastStep = Math.max(this.#lastStep, step.step)
    this.#pending.set(step.step, step)
    for (const change of step.changes) {
      const { directory, before, after } = change
      for (const node of [directory, before, after]) this.#refer(node, 1)
      const touching = this.#touching.get(directory) ?? new Set()
      this.#touching.set(directory, touching.add(step.step))
      this.#setCurrent(this.#nameFor(change), after)
    }
    for (const { node, to } of step.moves) this.move(node, to)
    return []
  }

  #nameFor(change: NameChange): Name {
    const { directory, name, before } = change
    const key = keyOf(change)
    let known = this.#names.get(key)
    if (known === undefined) {
      known = { directory, name, durable: before, current: before, pending: 0 }
      this.#names.set(key, known)
      this.#refer(before, 2)
    }
    known.pending++
    return known
  }

  #setCurrent(name: Name, node: NodeId): void {
    this.#refer(name.current, -1)
    this.#refer(node, 1)
    name.current = node
  }

  #refer(node: NodeId, by: 1 | -1 | 2 | -2): void {
    const count = (this.#references.get(node) ?? 0) + by
    if (count === 0) this.#references.delete(node)
    else this.#references.set(node, count)
  }

  #undo(number: number): readonly string[] {
    const step = this.#pending.get(number)
    if (step === undefined) return []
    for (const change of step.changes) this.#setCurrent(this.#name(change), change.before)
    for (const { node, from } of step.moves.toReversed()) this.move(node, from)
    return this.#settle(step)
  }

  #named(number: number): readonly string[] {
    const step = this.#pending.get(number)
    if (step === undefined) return []
    for (const change of step.changes) {
      const name = this.#name(change)
      this.#refer(name.durable, -1)
      this.#refer(change.after, 1)
      name.durable = change.after
    }
    return this.#settle(step)
  }

  #name(change: NameChange): Name {
    const name = this.#names.get(keyOf(change))
    if (name === undefined) throw new Error(`Bug: the journal of what is not fsynced has lost the name ${change.name}.`)
    return name
  }

  #settle({ step, changes }: Step): readonly string[] {
    this.#pending.delete(step)
    const nodes = changes.flatMap(({ directory, before, after }) => [directory, before, after])
    for (const node of nodes) this.#refer(node, -1)
    for (const change of changes) {
      this.#touching.get(change.directory)?.delete(step)
      const name = this.#name(change)
      if (--name.pending > 0) continue
      this.#names.delete(keyOf(change))
      for (const node of [name.durable, name.current]) {
        this.#refer(node, -1)
        nodes.push(node)
      }
    }
    return this.#forgetUnused(nodes)
  }

  /** Nodes that are durable and that nothing which may be lost is about. */
  #forgetUnused(candidates: readonly NodeId[]): readonly string[] {
    const paths: string[] = []
    for (const id of new Set(candidates)) {
      const node = this.nodes.get(id)
      if (node === undefined || this.#references.has(id)) continue
      // What waits aside and nothing leads to is gone, whatever of it was durable.
      if (node.generations.size > 0 && !this.isAside(node.path)) continue
      this.#forget(id, node.path)
      if (!this.isAside(node.path)) continue
      paths.push(node.path)
      for (const [inside, { path }] of this.nodes) if (path.startsWith(`${node.path}/`)) this.#forget(inside, path)
    }
    return paths
  }

  /**
   * Steps in a directory that waits aside are never fsynced. Once nothing leads to it any more they matter to nobody: they are over, and with them
   * what only they are about.
   */
  #sweep(candidates: readonly NodeId[]): readonly string[] {
    const waits = (id: NodeId): boolean => this.#references.has(id) && this.isAside(this.nodes.get(id)?.path ?? '')
    if (!candidates.some(waits)) return []
    const reachable = this.#reachable()
    const over = this.pending.filter(({ changes }) => changes.every(({ directory }) => !reachable.has(directory)))
    return over.flatMap(({ step }) => this.#named(step))
  }

  /** What a name in its place leads to, or may lead to after a power failure. */
  #reachable(): ReadonlySet<NodeId> {
    const led = new Map<NodeId, NodeId[]>()
    const leads = (from: NodeId, ...to: NodeId[]): void => {
      const known = led.get(from)
      if (known === undefined) led.set(from, to)
      else known.push(...to)
    }
    for (const { changes } of this.#pending.values())
      for (const { directory, before, after } of changes) leads(directory, before, after)
    for (const { directory, durable, current } of this.#names.values()) leads(directory, durable, current)
    // What waits aside is there as a whole, or not at all.
    const together = Map.groupBy(this.nodes.keys(), node => this.#asideOf(this.nodes.get(node)!.path) ?? '')
    const reachable = new Set<NodeId>()
    const next = [...(together.get('') ?? [])]
    for (let node = next.pop(); node !== undefined; node = next.pop()) {
      const path = this.nodes.get(node)?.path
      if (path === undefined || reachable.has(node)) continue
      reachable.add(node)
      next.push(...(led.get(node) ?? []))
      const top = this.#asideOf(path)
      if (top !== undefined) next.push(...(together.get(top) ?? []))
    }
    return reachable
  }

  /** The place aside that a path is, or is in. */
  #asideOf(path: string): string | undefined {
    if (!this.isAside(path)) return undefined
    const end = path.indexOf('/', this.#aside.length + 1)
    return end < 0 ? path : path.slice(0, end)
  }

  #forget(node: NodeId, path: string): void {
    this.nodes.delete(node)
    if (this.#byPath.get(path) === node) this.#byPath.delete(path)
  }
}

function keyOf({ directory, name }: { readonly directory: NodeId; readonly name: string }): string {
  return `${directory}/${name}`
}
