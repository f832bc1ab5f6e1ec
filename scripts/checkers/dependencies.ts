/**
 * What must have come before what, as a graph over the operations of a history. Nodes are operations that took effect, or may have.
 *
 * wr: one wrote a record that the other read as committed. ww: one wrote the record that lies right before the other's. process: one client
 * did the one after the other. realtime: one had ended before the other began. Real time goes through nodes that stand for moments (every
 * completion leads to the next moment, every moment to the next one and to what begins in it), so that the graph grows with the history and
 * not with its square.
 *
 * Source: jepsen.tests.kafka, ww-graph and wr-graph; elle.core, process-graph and realtime-graph.
 */
import { isRecordOperation, pollsOf, type RecordOperation, type Value } from '../history/operation.ts'
import type { Analysis, PartitionFacts, ValueFacts, Write } from './analysis.ts'
import { GraphBuilder, kinds, type Graph } from './graph.ts'

export interface Dependencies {
  readonly graph: Graph
  /** Node → the operation's last entry: its completion, or its invocation when it never ended. Moments have none. */
  readonly entryOf: (node: number) => number | undefined
  /** Node → entry of the invocation. */
  readonly invocationOf: (node: number) => number
  readonly nodeOf: (entry: number) => number | undefined
  readonly operations: number
}

const known = new WeakMap<Analysis, Dependencies>()

/** With edges of all kinds; who asks chooses among them. Worked out once for each history. */
export function dependencies(analysis: Analysis): Dependencies {
  let graph = known.get(analysis)
  if (!graph) {
    const builder = new Builder(analysis)
    builder.time()
    builder.reads()
    builder.writes()
    graph = builder.build()
    known.set(analysis, graph)
  }
  return graph
}

/** In place of a node. */
const nobody = -1
const contested = -2

class Builder {
  readonly #analysis: Analysis
  readonly #graph = new GraphBuilder()
  /** Entry → node + 1; 0: none. */
  readonly #nodes: Int32Array
  readonly #entries: number[] = []
  readonly #invocations: number[] = []
  /** An operation → the moment it begins in. Edges wait until the number of operations, and with it that of the first moment, is known. */
  readonly #beginsIn: number[] = []
  /** An operation that was acknowledged → the moment it leads to; -1: not acknowledged. */
  readonly #endsIn: number[] = []
  readonly #writers = new Map<PartitionFacts, Int32Array>()
  #moments = 1

  constructor(analysis: Analysis) {
    this.#analysis = analysis
    this.#nodes = new Int32Array(analysis.history.length)
  }

  /** Nodes, and the order of clients and of time. */
  time(): void {
    const open = new Map<number, { readonly entry: number; readonly moment: number }>()
    const last = new Map<number, number>()
    let isUsed = false
    for (const operation of this.#analysis.history) {
      if (!isRecordOperation(operation)) continue
      if (operation.type === 'invoke') {
        open.set(operation.process, { entry: operation.index, moment: this.#moments - 1 })
        isUsed = true
        continue
      }
      const begun = open.get(operation.process)
      open.delete(operation.process)
      // What failed did not happen, so nothing came before or after it.
      if (!begun || operation.type === 'fail') continue
      const node = this.#node(operation.index, begun, operation.process, last)
      if (operation.type !== 'ok') continue
      if (isUsed) this.#moments += 1
      isUsed = false
      this.#endsIn[node] = this.#moments - 1
    }
    for (const [process, begun] of open) this.#node(begun.entry, begun, process, last)
  }

  #node(
    entry: number,
    begun: { readonly entry: number; readonly moment: number },
    process: number,
    last: Map<number, number>,
  ): number {
    const node = this.#entries.length
    this.#entries.push(entry)
    this.#invocations.push(begun.entry)
    this.#nodes[entry] = node + 1
    this.#beginsIn.push(begun.moment)
    this.#endsIn.push(-1)
    const before = last.get(process)
    if (before !== undefined) this.#graph.add(before, node, kinds.process)
    last.set(process, node)
    return node
  }

  reads(): void {
    const { partitions, completions } = this.#analysis
    for (const operation of completions) {
      if (operation.f === 'send' || operation.type !== 'ok' || operation.isolation === 'read_uncommitted') continue
      const reader = this.#of(operation.index)
      if (reader === undefined) continue
      let before: number | undefined
      for (const { partition, records } of pollsOf(operation)) {
        const facts = partitions.get(partition) as PartitionFacts
        const writers = this.#writersOf(facts)
        for (const [offset, value] of records) {
          // Only where an offset holds two values does it matter which was polled.
          const at = writers[facts.positionOf.get(offset) as number] as number
          const writer = at === contested ? this.#writer(facts.values.get(value)) : at < 0 ? undefined : at
          if (writer === undefined || writer === reader || writer === before) continue
          before = writer
          this.#graph.add(writer, reader, kinds.wr)
        }
      }
    }
  }

  writes(): void {
    for (const facts of this.#analysis.partitions.values()) {
      let before: number | undefined
      for (const at of this.#writersOf(facts)) {
        const writer = at < 0 ? undefined : at
        if (writer !== undefined && before !== undefined && writer !== before) this.#graph.add(before, writer, kinds.ww)
        before = writer
      }
    }
  }

  /** Position → the node that wrote it, or why there is none. */
  #writersOf(facts: PartitionFacts): Int32Array {
    let writers = this.#writers.get(facts)
    if (!writers) {
      writers = Int32Array.from(facts.offsets, offset => {
        const values = facts.valuesAt.get(offset) as Value[]
        if (values.length > 1) return contested
        return this.#writer(facts.values.get(values[0] as Value)) ?? nobody
      })
      this.#writers.set(facts, writers)
    }
    return writers
  }

  #writer(value: ValueFacts | undefined): number | undefined {
    const write: Write | undefined = value?.write
    return write === undefined ? undefined : this.#of(write.completed ?? write.invoked)
  }

  #of(entry: number): number | undefined {
    const node = this.#nodes[entry] as number
    return node === 0 ? undefined : node - 1
  }

  build(): Dependencies {
    const operations = this.#entries.length
    for (let node = 0; node < operations; node += 1) {
      const end = this.#endsIn[node] as number
      if (end >= 0) this.#graph.add(node, operations + end, kinds.realtime)
      this.#graph.add(operations + (this.#beginsIn[node] as number), node, kinds.realtime)
    }
    for (let moment = 1; moment < this.#moments; moment += 1)
      this.#graph.add(operations + moment - 1, operations + moment, kinds.realtime)
    return {
      graph: this.#graph.build(operations + this.#moments, node => node >= operations),
      entryOf: node => this.#entries[node],
      invocationOf: node => this.#invocations[node] as number,
      nodeOf: entry => this.#of(entry),
      operations,
    }
  }
}

/** The operation of a node that is none of the moments. */
export function operationOf(analysis: Analysis, { entryOf }: Dependencies, node: number): RecordOperation {
  return analysis.history[entryOf(node) as number] as RecordOperation
}
