import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { GraphBuilder, kinds, type Step } from '#scripts/checkers/graph.ts'

interface Drawn {
  readonly nodes: number
  readonly edges: readonly (readonly [number, number, number])[]
}

const drawn: fc.Arbitrary<Drawn> = fc.integer({ min: 1, max: 12 }).chain(nodes =>
  fc.record({
    nodes: fc.constant(nodes),
    edges: fc.array(
      fc.tuple(
        fc.integer({ min: 0, max: nodes - 1 }),
        fc.integer({ min: 0, max: nodes - 1 }),
        fc.constantFrom(...Object.values(kinds)),
      ),
      { maxLength: 30 },
    ),
  }),
)

function graphOf({ nodes, edges }: Drawn, isMoment: (node: number) => boolean = () => false) {
  const builder = new GraphBuilder()
  for (const [from, to, kind] of edges) builder.add(from, to, kind)
  return builder.build(nodes, isMoment)
}

/** Which nodes can be reached from one, by asking every edge until nothing is new. */
function reachable({ edges }: Drawn, from: number, mask: number): Set<number> {
  const reached = new Set([from])
  for (let size = 0; size < reached.size;) {
    size = reached.size
    for (const [a, b, kind] of edges) if ((kind & mask) !== 0 && reached.has(a)) reached.add(b)
  }
  return reached
}

describe('strongly connected components', () => {
  test('are the sets of nodes that reach each other', () => {
    fc.assert(
      fc.property(drawn, fc.integer({ min: 1, max: 15 }), (graph, mask) => {
        const found = graphOf(graph).components(mask)
        const components = new Map(found.flatMap((members, index) => members.map(node => [node, index] as const)))
        for (let a = 0; a < graph.nodes; a += 1) {
          for (let b = 0; b < graph.nodes; b += 1) {
            if (a === b) continue
            const together = reachable(graph, a, mask).has(b) && reachable(graph, b, mask).has(a)
            expect(components.has(a) && components.get(a) === components.get(b)).toBe(together)
          }
        }
      }),
      { numRuns: 500 },
    )
  })

  test('of a chain that is longer than any call stack are found', () => {
    const length = 200_000
    const builder = new GraphBuilder()
    for (let node = 0; node < length; node += 1) builder.add(node, (node + 1) % length, kinds.wr)
    const [ring, ...others] = builder.build(length, () => false).components(kinds.wr)
    expect(ring).toHaveLength(length)
    expect(others).toEqual([])
  })
})

describe('the shortest path', () => {
  const lengthOf = (steps: readonly Step[] | undefined) => steps?.length

  test('is as short as any, along edges that are there', () => {
    fc.assert(
      fc.property(drawn, fc.integer({ min: 1, max: 15 }), (graph, mask) => {
        const inside = new Set(Array.from({ length: graph.nodes }, (_, node) => node))
        const [from, to] = [0, graph.nodes - 1]
        const path = graphOf(graph).shortestPath(from, to, mask, inside)
        // By rounds: what can be reached in n steps.
        let round = new Set([from])
        let steps = 0
        while (!round.has(to) && steps <= graph.nodes) {
          const next = new Set(round)
          for (const [a, b, kind] of graph.edges) if ((kind & mask) !== 0 && round.has(a)) next.add(b)
          round = next
          steps += 1
        }
        expect(lengthOf(path)).toBe(steps > graph.nodes ? undefined : steps)
        let at = from
        for (const step of path ?? []) {
          expect(step.from).toBe(at)
          expect(graph.edges).toContainEqual([step.from, step.to, step.kind])
          at = step.to
        }
      }),
      { numRuns: 300 },
    )
  })

  test('goes through moments for nothing', () => {
    // 0 → 1 → 2 by operations; 0 → 10 → 11 → 12 → 13 → 2 by moments.
    const edges: [number, number, number][] = [
      [0, 1, kinds.wr],
      [1, 3, kinds.wr],
      [3, 2, kinds.wr],
      [0, 10, kinds.realtime],
      [10, 11, kinds.realtime],
      [11, 12, kinds.realtime],
      [12, 13, kinds.realtime],
      [13, 2, kinds.realtime],
    ]
    const graph = graphOf({ nodes: 14, edges }, node => node >= 10)
    const path = graph.shortestPath(0, 2, 15, new Set([0, 1, 2, 3, 10, 11, 12, 13]))
    expect(path?.map(({ to }) => to)).toEqual([10, 11, 12, 13, 2])
  })
})
