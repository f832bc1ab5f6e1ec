/**
 * Every point at which a process can end in the middle of its work on a disk: after each change (write, fsync, truncation, rename, removal,
 * new name, fsync of a directory), and in the middle of each write. A scenario is run once to count them, then once more for each of them and
 * for each way of ending: a kill, which keeps what was written, and power failures, which lose what was not fsynced.
 *
 * `CRASH_POINTS=all` takes every point; else a scenario with many of them is sampled evenly, with a bound on the runs.
 */
import { tornWrite } from '#broker/environment/faulty/torn-write.ts'
import { Crash, type Machine } from '../harness.ts'

/**
 * 'power failure': names of files reach the disk in the order in which they were made, as with a journal. 'names lost': each on its own,
 * which no journaling file system does.
 */
export type Ending = 'kill' | 'power failure' | 'names lost'

/** One run of a scenario on a machine of its own. */
export interface CrashScene {
  readonly machine: Machine
  /** Does everything; Crash comes out of it at the point. */
  run(): void
  /** Starts again and looks at what is left. Throws when a promise is broken. */
  check(ending: Ending): void
  /** Segments are removed in it: without an order of names old ones may come back, and nobody can tell. */
  readonly needsOrderOfNames?: boolean
  /** The start alone, for a crash in the middle of it; default: `check` does not get a second crash. */
  restart?(): void
}

export interface CrashReport {
  /** Changes of the disk, and writes among them, that the scenario makes. */
  readonly changes: number
  readonly writes: number
  /** Points at which the process may end, and how many of them were tried. */
  readonly points: number
  readonly tried: number
  /** Restarts that were checked, those after a second crash included. */
  readonly restarts: number
}

interface Point {
  readonly name: string
  arm(machine: Machine): void
}

const powerFailures = [
  { ending: 'power failure', directoryLoss: 'ordered', seed: 1 },
  { ending: 'power failure', directoryLoss: 'ordered', seed: 2 },
  { ending: 'names lost', directoryLoss: 'independent', seed: 3 },
] as const

const takesAll = process.env['CRASH_POINTS'] === 'all'

export function crashEverywhere(make: () => CrashScene, options: { readonly pointsMax?: number } = {}): CrashReport {
  const { changes, sizes, needsOrder } = count(make)
  const points = pointsOf(changes, sizes)
  const stride = takesAll ? 1 : Math.max(1, Math.ceil(points.length / (options.pointsMax ?? 250)))
  let tried = 0
  let restarts = 0
  for (let index = 0; index < points.length; index += stride) {
    const point = points[index]!
    tried++
    restarts += endAt(make, point, 'kill', machine => machine.kill())
    for (const { ending, directoryLoss, seed } of powerFailures)
      if (ending !== 'names lost' || !needsOrder)
        restarts += endAt(make, point, ending, machine => machine.powerFailure(seed * 10_000 + index, directoryLoss))
    if (tried % 8 === 0) restarts += endTwice(make, point, index)
  }
  return { changes, writes: sizes.length, points: points.length, tried, restarts }
}

/** How the test tells what it has covered. */
export function describeReport(name: string, { changes, writes, points, tried, restarts }: CrashReport): string {
  return `${name}: ${changes} disk changes (${writes} writes), ${points} crash points, ${tried} tried, ${restarts} restarts checked`
}

function count(make: () => CrashScene): { changes: number; sizes: number[]; needsOrder: boolean } {
  const scene = make()
  const sizes: number[] = []
  const before = scene.machine.changes
  scene.machine.faults.add({
    kind: 'probe',
    summary: 'counts writes',
    changeWrite(call) {
      sizes.push(call.bytes)
      return undefined
    },
  })
  scene.run()
  return { changes: scene.machine.changes - before, sizes, needsOrder: scene.needsOrderOfNames === true }
}

function pointsOf(changes: number, sizes: readonly number[]): Point[] {
  const points: Point[] = []
  for (let change = 1; change <= changes; change++)
    points.push({
      name: `after change ${change} of ${changes}`,
      arm: machine => (machine.crashAfterChange = machine.changes + change),
    })
  for (const [index, bytes] of sizes.entries()) {
    for (const keepBytes of new Set([1, 12, bytes >> 1, bytes - 1].filter(keep => keep > 0 && keep < bytes)))
      points.push({
        name: `with ${keepBytes} of ${bytes} bytes of write ${index + 1} of ${sizes.length}`,
        arm: machine => void machine.faults.add(tornWrite({ nth: index + 1, keepBytes })),
      })
  }
  return points
}

function endAt(make: () => CrashScene, point: Point, ending: Ending, end: (machine: Machine) => void): number {
  const scene = make()
  point.arm(scene.machine)
  untilCrash(() => scene.run())
  end(scene.machine)
  told(`${ending} ${point.name}`, () => scene.check(ending))
  return 1
}

/** A second crash, at some changes of the restart. */
function endTwice(make: () => CrashScene, point: Point, index: number): number {
  let restarts = 0
  for (let again = 1 + (index % 3); again < 60; again += 7) {
    const scene = make()
    if (scene.restart === undefined) return 0
    point.arm(scene.machine)
    untilCrash(() => scene.run())
    scene.machine.powerFailure(index)
    scene.machine.crashAfterChange = scene.machine.changes + again
    const isOver = !untilCrash(() => scene.restart?.())
    scene.machine.powerFailure(index + 1)
    told(`power failure ${point.name}, and again after ${again} changes of the restart`, () =>
      scene.check('power failure'),
    )
    restarts++
    if (isOver) break
  }
  return restarts
}

/** Whether it came to a crash. */
function untilCrash(run: () => void): boolean {
  try {
    run()
    return false
  } catch (error) {
    if (!(error instanceof Crash)) throw error
    return true
  }
}

function told(where: string, check: () => void): void {
  try {
    check()
  } catch (error) {
    throw new Error(`${where}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}
