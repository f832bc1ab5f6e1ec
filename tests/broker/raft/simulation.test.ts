/**
 * The quorum under everything that can go wrong at once, from a seed. First safety: invariants after every event, while messages are lost and
 * nodes crash. Then liveness: once all is healed, the quorum elects a leader, commits, and all nodes hold the same state.
 * `SEEDS=<count>` runs more of them. A seed that fails is replayed with `SEED=<n> npx vitest run --project unit tests/broker/raft/simulation.test.ts`.
 */
import { describe, expect, it } from 'vitest'
import { World } from './quorum-world.ts'

const shapes = [
  { voters: 1, observers: 1 },
  { voters: 3, observers: 0 },
  { voters: 3, observers: 2 },
  { voters: 5, observers: 1 },
]
const seedsPerShape = Number(process.env['SEEDS'] ?? 75)
const chaosMs = 12_000

function simulate(seed: number, shape: { voters: number; observers: number }): World {
  const world = new World({ seed, ...shape, lossPercent: 4, duplicatePercent: 3, maxDelayMs: 40, flushMaxMs: 30 })
  const { random } = world
  const ids = [...world.nodes.keys()]
  for (let stepMs = 0; stepMs < chaosMs; stepMs += 50) {
    disturb(world, ids)
    for (const leader of world.leaders) if (random.chance(60)) world.propose(leader, 1 + random.below(3))
    world.runFor(50)
  }
  return world
}

function disturb(world: World, ids: readonly number[]): void {
  const { random } = world
  const node = world.node(ids[random.below(ids.length)] ?? 1)
  if (random.chance(3) && node.isUp) node.crash()
  if (random.chance(8)) for (const down of world.nodes.values()) if (!down.isUp && random.chance(50)) down.restart()
  if (random.chance(3)) for (const other of ids) if (random.chance(50)) world.cut(node.id, other)
  if (random.chance(3)) for (const other of ids) if (random.chance(50)) world.cut(other, node.id)
  if (random.chance(6)) world.healLinks()
  if (random.chance(4) && node.isUp) node.createSnapshot()
}

function heal(world: World): void {
  world.lossPercent = 0
  world.duplicatePercent = 0
  world.healLinks()
  for (const node of world.nodes.values()) if (!node.isUp) node.restart()
}

/** A leader may still lose its epoch just after the healing, and with it what it took: so proposals are repeated. */
function recovers(world: World): boolean {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const values = world.leaders.flatMap(leader => world.propose(leader) ?? [])
    const nodes = [...world.nodes.values()]
    const isEverywhere = (value: string): boolean =>
      nodes.every(node => node.state.some(entry => entry.value === value))
    if (world.runWhileNot(() => values.some(isEverywhere), 1000) && world.leaders.length === 1) return true
  }
  return false
}

describe('a quorum under chaos', () => {
  const only = process.env['SEED']
  const seeds = only === undefined ? Array.from({ length: seedsPerShape }, (_, index) => index + 1) : [Number(only)]

  for (const shape of shapes) {
    it(`with ${shape.voters} voters and ${shape.observers} observers keeps every invariant, then recovers (${seeds.length} seeds)`, () => {
      let committed = 0
      for (const seed of seeds) {
        try {
          const world = simulate(seed, shape)
          heal(world)
          expect(recovers(world), 'all nodes deliver something that was proposed after healing').toBe(true)
          committed += world.invariants.committed.length
        } catch (error) {
          throw new Error(
            `seed ${seed}, ${shape.voters} voters, ${shape.observers} observers: ${(error as Error).message}`,
            { cause: error },
          )
        }
      }
      // The chaos leaves room for work: otherwise the invariants would hold for want of anything happening.
      expect(committed / seeds.length).toBeGreaterThan(20)
    })
  }

  it('replays a seed event by event', () => {
    for (const seed of [1, 2, 3]) {
      const first = simulate(seed, { voters: 3, observers: 1 })
      const second = simulate(seed, { voters: 3, observers: 1 })
      expect(second.trace).toBe(first.trace)
      expect(second.eventsCount).toBe(first.eventsCount)
    }
    expect(simulate(1, { voters: 3, observers: 1 }).trace).not.toBe(simulate(2, { voters: 3, observers: 1 }).trace)
  })
})
