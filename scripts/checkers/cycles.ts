/**
 * Circles in what must have come before what: no order of the operations can explain them.
 *
 * G1c: among what was written and read alone. It takes transactions: one read what the other wrote, and the other way round, so that both
 * saw the other committed before they were. G1c-process: the circle also needs that one client did one thing after the other.
 * G1c-realtime: it also needs that one operation had ended before another began, as when somebody reads what is written only later.
 * G0, G0-process, G0-realtime: the same among writes and their places in the logs.
 *
 * Kafka does not isolate writes: records of open transactions lie between each other in any order, so G0 is allowed, and so is a G1c that
 * needs the order of records in the logs ("write dependencies"). A G1c of reads alone is not. Anti-dependencies are left out as in Jepsen.
 * One circle, the shortest that is found, stands for each knot of operations, and a knot is told under its strongest name only.
 *
 * Source: jepsen.tests.kafka, cycles! and allowed-error-types; elle.txn.
 */
import type { Analysis } from './analysis.ts'
import { tell, type Circle } from './cycle-words.ts'
import { dependencies, type Dependencies } from './dependencies.ts'
import { kinds, type Component, type Step } from './graph.ts'
import { allowed, Anomalies, countOf, unknown, verdict, type CheckResult } from './result.ts'

type Family = 'G0' | 'G1c'

/** Ways into a knot that are tried for a short circle. */
const startsMax = 32

/** G1c and its variants, from reads alone: each is a broken promise. */
export function cyclesOfReads(analysis: Analysis): CheckResult[] {
  if (analysis.read === 0) return namesOf('G1c').map(name => unknown(name, 'Nothing was read.'))
  const graph = dependencies(analysis)
  return search(analysis, graph, 'G1c', kinds.wr).map(({ name, anomalies }) =>
    verdict(
      name,
      {
        good: `No circle in what ${countOf(graph.operations, 'operation')} wrote and read${also[name] ?? ''}.`,
        bad: `${countOf(anomalies.count, 'circle')} in what ${graph.operations} operations wrote and read${also[name] ?? ''}.`,
      },
      anomalies,
    ),
  )
}

/** G0 and its variants, and G1c where it needs the order of records in the logs: Kafka allows both, so they are counted and shown only. */
export function cyclesOfWrites(analysis: Analysis): CheckResult[] {
  const names = [...namesOf('G0'), ...namesOf('G1c').map(withWrites)]
  if (analysis.acknowledged === 0) return names.map(name => unknown(name, 'No write was acknowledged.'))
  const graph = dependencies(analysis)
  const found = [
    ...search(analysis, graph, 'G0', kinds.ww),
    ...search(analysis, graph, 'G1c', kinds.ww | kinds.wr).map(each => ({ ...each, name: withWrites(each.name) })),
  ]
  return found.map(({ name, anomalies }) =>
    allowed(
      name,
      anomalies.count === 0
        ? `No circle in the order of the records of ${countOf(graph.operations, 'operation')}.`
        : `${countOf(anomalies.count, 'circle')} in the order of records, which Kafka allows: writes of open transactions are not kept apart.`,
      anomalies,
    ),
  )
}

const also: Readonly<Record<string, string>> = {
  'G1c-process': ' and each client did in turn',
  'G1c-realtime': ' and in real time',
}

function namesOf(family: Family): string[] {
  return [family, `${family}-process`, `${family}-realtime`]
}

function withWrites(name: string): string {
  return name.replace('G1c', 'G1c-ww')
}

/** The three variants of a family. Which operations are in a knot that was told already does not count again. */
function search(analysis: Analysis, graph: Dependencies, family: Family, data: number) {
  const told = new Set<number>()
  // With ww edges about, a G1c has at least one wr edge; without, every knot has one anyway.
  const needed = family === 'G1c' && (data & kinds.ww) !== 0 ? kinds.wr : 0
  const variants = [
    { name: family, mask: data, through: family === 'G0' ? kinds.ww : kinds.wr },
    { name: `${family}-process`, mask: data | kinds.process, through: kinds.process },
    { name: `${family}-realtime`, mask: data | kinds.realtime, through: kinds.realtime },
  ]
  // Without a knot along edges of all kinds there is none along some.
  const isPlain = graph.graph.components(data | kinds.process | kinds.realtime).length === 0
  return variants.map(({ name, mask, through }) => {
    const anomalies = new Anomalies()
    if (isPlain) return { name, anomalies }
    const knots = graph.graph.components(mask).sort((a, b) => a.length - b.length)
    for (const knot of knots) {
      if (knot.some(node => told.has(node))) continue
      const circle = shortest(graph, knot, mask, through, needed)
      if (!circle) continue
      for (const node of knot) if (node < graph.operations) told.add(node)
      anomalies.add(() => tell(analysis, graph, circle))
    }
    return { name, anomalies }
  })
}

/** A short circle in a knot that goes through an edge of the kind `through`, and has an edge of every kind `needed`. */
function shortest(
  { graph, operations }: Dependencies,
  knot: Component,
  mask: number,
  through: number,
  needed: number,
): Circle | undefined {
  const inside = new Set(knot)
  let best: { readonly circle: Circle; readonly length: number } | undefined
  let tried = 0
  for (const node of knot) {
    // Time is entered where an operation ends, not in the middle of it.
    if (node >= operations) continue
    for (const first of graph.edgesOf(node, through)) {
      if (!inside.has(first.to)) continue
      if (tried++ >= startsMax) return best?.circle
      const rest = graph.shortestPath(first.to, first.from, mask, inside)
      if (!rest) continue
      const circle = [first, ...rest]
      if ((kindsIn(circle) & needed) !== needed) continue
      const length = circle.filter(({ from }) => from < operations).length
      if (length < (best?.length ?? Number.POSITIVE_INFINITY)) best = { circle, length }
      if (length === 2) return circle
    }
  }
  return best?.circle
}

function kindsIn(steps: readonly Step[]): number {
  return steps.reduce((all, { kind }) => all | kind, 0)
}
