/**
 * Directed graphs with kinds of edges, as large as a history: strongly connected components (Tarjan, without recursion) and short cycles in
 * them. Everything is in flat arrays; cost grows with nodes and edges, whatever the graph looks like.
 */

/** Kinds of edges, to be combined as bits. */
export const kinds = { ww: 1, wr: 2, process: 4, realtime: 8 } as const

export interface Step {
  readonly from: number
  readonly to: number
  readonly kind: number
}

export class GraphBuilder {
  #from = new Int32Array(1_024)
  #to = new Int32Array(1_024)
  #kind = new Uint8Array(1_024)
  #edges = 0

  add(from: number, to: number, kind: number): void {
    if (this.#edges === this.#from.length) this.#grow()
    this.#from[this.#edges] = from
    this.#to[this.#edges] = to
    this.#kind[this.#edges] = kind
    this.#edges += 1
  }

  /** @param nodes  how many there are; `isMoment` is true for nodes that stand for a moment: going on from one to the next costs nothing */
  build(nodes: number, isMoment: (node: number) => boolean): Graph {
    const starts = new Int32Array(nodes + 1)
    for (let edge = 0; edge < this.#edges; edge += 1) {
      const at = (this.#from[edge] as number) + 1
      starts[at] = (starts[at] as number) + 1
    }
    for (let node = 0; node < nodes; node += 1)
      starts[node + 1] = (starts[node + 1] as number) + (starts[node] as number)
    const next = starts.slice(0, nodes)
    const targets = new Int32Array(this.#edges)
    const kindOf = new Uint8Array(this.#edges)
    for (let edge = 0; edge < this.#edges; edge += 1) {
      const from = this.#from[edge] as number
      const at = next[from] as number
      next[from] = at + 1
      targets[at] = this.#to[edge] as number
      kindOf[at] = this.#kind[edge] as number
    }
    return new Graph(nodes, starts, targets, kindOf, isMoment)
  }

  #grow(): void {
    const grown = (old: Int32Array) => {
      const copy = new Int32Array(old.length * 2)
      copy.set(old)
      return copy
    }
    this.#from = grown(this.#from)
    this.#to = grown(this.#to)
    const kind = new Uint8Array(this.#kind.length * 2)
    kind.set(this.#kind)
    this.#kind = kind
  }
}

export class Graph {
  readonly nodes: number
  readonly #starts: Int32Array
  readonly #targets: Int32Array
  readonly #kinds: Uint8Array
  readonly #isMoment: (node: number) => boolean

  constructor(
    nodes: number,
    starts: Int32Array,
    targets: Int32Array,
    kindOf: Uint8Array,
    isMoment: (node: number) => boolean,
  ) {
    this.nodes = nodes
    this.#starts = starts
    this.#targets = targets
    this.#kinds = kindOf
    this.#isMoment = isMoment
  }

  get edges(): number {
    return this.#targets.length
  }

  /** The edges of these kinds that leave a node. */
  *edgesOf(node: number, mask: number): Iterable<Step> {
    for (let edge = this.#starts[node] as number; edge < (this.#starts[node + 1] as number); edge += 1) {
      const kind = this.#kinds[edge] as number
      if ((kind & mask) !== 0) yield { from: node, to: this.#targets[edge] as number, kind }
    }
  }

  /** The strongly connected components of more than one node, along edges of these kinds. */
  components(mask: number): Component[] {
    return new Tarjan(this.nodes, this.#starts, this.#targets, this.#kinds, mask).run()
  }

  /**
   * The shortest way along edges of these kinds inside a component; undefined when there is none. Moments are free, so that the length is the
   * number of operations.
   */
  shortestPath(from: number, to: number, mask: number, inside: ReadonlySet<number>): Step[] | undefined {
    const cameBy = new Map<number, Step | undefined>([[from, undefined]])
    let level = [from]
    while (level.length > 0 && !cameBy.has(to)) {
      const further: number[] = []
      // `level` grows while it is walked: what is reached for nothing belongs to it.
      for (const node of level) {
        for (const step of this.edgesOf(node, mask)) {
          if (!inside.has(step.to) || cameBy.has(step.to)) continue
          cameBy.set(step.to, step)
          const free = this.#isMoment(node) && this.#isMoment(step.to)
          ;(free ? level : further).push(step.to)
        }
      }
      level = further
    }
    if (!cameBy.has(to)) return undefined
    const path: Step[] = []
    for (let step = cameBy.get(to); step !== undefined; step = cameBy.get(step.from)) path.unshift(step)
    return path
  }
}

export type Component = readonly number[]

/** Tarjan's algorithm with a stack of its own: histories are too long for the call stack. */
class Tarjan {
  readonly #nodes: number
  readonly #starts: Int32Array
  readonly #targets: Int32Array
  readonly #kinds: Uint8Array
  readonly #mask: number
  readonly #index: Int32Array
  readonly #low: Int32Array
  readonly #onStack: Uint8Array
  readonly #next: Int32Array
  readonly #stack: number[] = []
  readonly #found: Component[] = []
  #count = 0

  constructor(nodes: number, starts: Int32Array, targets: Int32Array, kindOf: Uint8Array, mask: number) {
    this.#nodes = nodes
    this.#starts = starts
    this.#targets = targets
    this.#kinds = kindOf
    this.#mask = mask
    this.#index = new Int32Array(nodes).fill(-1)
    this.#low = new Int32Array(nodes)
    this.#onStack = new Uint8Array(nodes)
    this.#next = starts.slice(0, nodes)
  }

  run(): Component[] {
    for (let node = 0; node < this.#nodes; node += 1) if (this.#index[node] === -1) this.#explore(node)
    return this.#found
  }

  #explore(root: number): void {
    const path = [root]
    this.#enter(root)
    while (path.length > 0) {
      const node = path.at(-1) as number
      const child = this.#step(node)
      if (child !== undefined) {
        path.push(child)
        this.#enter(child)
        continue
      }
      path.pop()
      const parent = path.at(-1)
      if (parent !== undefined) this.#lower(parent, this.#low[node] as number)
      if (this.#low[node] === this.#index[node]) this.#leave(node)
    }
  }

  #enter(node: number): void {
    this.#index[node] = this.#count
    this.#low[node] = this.#count
    this.#count += 1
    this.#stack.push(node)
    this.#onStack[node] = 1
  }

  /** The next node to go into, when there is one. */
  #step(node: number): number | undefined {
    const end = this.#starts[node + 1] as number
    let edge = this.#next[node] as number
    for (; edge < end; edge += 1) {
      if (((this.#kinds[edge] as number) & this.#mask) === 0) continue
      const target = this.#targets[edge] as number
      if (this.#index[target] === -1) {
        this.#next[node] = edge + 1
        return target
      }
      if (this.#onStack[target] === 1) this.#lower(node, this.#index[target] as number)
    }
    this.#next[node] = edge
    return undefined
  }

  #lower(node: number, low: number): void {
    if (low < (this.#low[node] as number)) this.#low[node] = low
  }

  #leave(node: number): void {
    const component: number[] = []
    for (;;) {
      const member = this.#stack.pop() as number
      this.#onStack[member] = 0
      component.push(member)
      if (member === node) break
    }
    if (component.length > 1) this.#found.push(component)
  }
}
