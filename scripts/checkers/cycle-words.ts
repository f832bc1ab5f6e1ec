/** A circle of operations told as Elle tells it: T1 < T2 because …, however T2 < T1 because …: a contradiction. */
import { pollsOf, type PartitionName, type RecordOperation, type Value } from '../history/operation.ts'
import type { Analysis, PartitionFacts } from './analysis.ts'
import { operationOf, type Dependencies } from './dependencies.ts'
import { kinds, type Step } from './graph.ts'
import { entryName, sliceAcross, type AnomalyCase } from './result.ts'

/** Steps from an operation back to itself; some may lead through moments. */
export type Circle = readonly Step[]

interface Reason {
  readonly words: string
  /** The record it is about, if any. */
  readonly partition?: PartitionName
  readonly values?: readonly Value[]
}

export function tell(analysis: Analysis, graph: Dependencies, circle: Circle): AnomalyCase {
  const steps = betweenOperations(circle, graph)
  const nodes = steps.map(({ from }) => from)
  const nameOf = (node: number) => `T${nodes.indexOf(node) + 1}`
  const shown = new Map<PartitionName, Set<Value>>()
  const reasons = steps.map(step => {
    const { words, partition, values } = reason(analysis, graph, step, nameOf)
    if (partition !== undefined) {
      const known = shown.get(partition) ?? new Set()
      for (const value of values ?? []) known.add(value)
      shown.set(partition, known)
    }
    return `${nameOf(step.from)} < ${nameOf(step.to)}, because ${words}`
  })
  const who = nodes.map(node => `${nameOf(node)} is ${entryName(analysis, graph.entryOf(node) as number)}`)
  const [last, ...others] = reasons.reverse()
  const explanation = `Let ${who.join(', ')}. ${others
    .reverse()
    .map(line => `${line}. `)
    .join('')}However, ${last}: a contradiction.`
  const entries = nodes.flatMap(node => [graph.invocationOf(node), graph.entryOf(node)])
  return { explanation, slice: sliceAcross(analysis, entries, shown) }
}

/** Steps through moments become one step of real time. */
function betweenOperations(circle: Circle, { operations }: Dependencies): Step[] {
  const steps: Step[] = []
  let from = circle[0]?.from as number
  for (const step of circle) {
    if (step.to >= operations) continue
    steps.push({ from, to: step.to, kind: step.kind })
    from = step.to
  }
  return steps
}

function reason(
  analysis: Analysis,
  graph: Dependencies,
  { from, to, kind }: Step,
  nameOf: (node: number) => string,
): Reason {
  const [a, b] = [operationOf(analysis, graph, from), operationOf(analysis, graph, to)]
  if (kind === kinds.process) return { words: `process ${a.process} (${a.client}) did ${nameOf(from)} first` }
  if (kind === kinds.realtime) {
    const begun = analysis.history[graph.invocationOf(to)] as RecordOperation
    const ms = Math.round((begun.timeMs - a.timeMs) * 10) / 10
    return {
      words: `${nameOf(from)} had ended (entry ${a.index}) ${ms > 0 ? `${ms} ms ` : ''}before ${nameOf(to)} began (entry ${begun.index})`,
    }
  }
  const record = kind === kinds.wr ? readOf(analysis, graph, from, b) : neighbourOf(analysis, graph, from, to)
  if (!record) return { words: 'of a record that is not known any more' }
  const { partition, offset, values } = record
  const words =
    kind === kinds.wr
      ? `${nameOf(from)} sent ${values[0]} to ${partition}, which ${nameOf(to)} polled at offset ${offset}`
      : `${nameOf(from)} sent ${values[0]} to ${partition}, which lies right before ${values[1]} of ${nameOf(to)} at offset ${offset}`
  return { words, partition, values }
}

interface Found {
  readonly partition: PartitionName
  readonly offset: number
  readonly values: readonly Value[]
}

function readOf(analysis: Analysis, graph: Dependencies, writer: number, reader: RecordOperation): Found | undefined {
  for (const { partition, records } of pollsOf(reader)) {
    const facts = analysis.partitions.get(partition) as PartitionFacts
    const record = records.find(([, value]) => writerOf(facts, graph, value) === writer)
    if (record) return { partition, offset: record[0], values: [record[1]] }
  }
  return undefined
}

function neighbourOf(analysis: Analysis, graph: Dependencies, first: number, second: number): Found | undefined {
  for (const facts of analysis.partitions.values()) {
    let before: Value | undefined
    for (const offset of facts.offsets) {
      const value = facts.valuesAt.get(offset)?.[0]
      if (
        value !== undefined &&
        before !== undefined &&
        writerOf(facts, graph, before) === first &&
        writerOf(facts, graph, value) === second
      )
        return { partition: facts.name, offset, values: [before, value] }
      before = value
    }
  }
  return undefined
}

function writerOf(facts: PartitionFacts, graph: Dependencies, value: Value): number | undefined {
  const write = facts.values.get(value)?.write
  return write === undefined ? undefined : graph.nodeOf(write.completed ?? write.invoked)
}
