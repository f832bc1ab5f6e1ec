/** The journal of what is not fsynced, against the disk of the simulator: the same calls, the same power failure, the same files left. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DiskError, type Disk, type DiskFile } from '#broker/environment/environment.ts'
import { randomLoss, totalLoss, type PowerLoss } from '#broker/environment/faulty/power-loss.ts'
import { cutPower } from '#broker/environment/faulty/unsynced/power-cut.ts'
import { UnsyncedDisk } from '#broker/environment/faulty/unsynced/unsynced-disk.ts'
import { UnsyncedJournal } from '#broker/environment/faulty/unsynced/unsynced-journal.ts'
import { SimulatedDisk } from '#simulator/disk/simulated-disk.ts'
import { Prng } from '#simulator/world/prng.ts'

const keepsAll: PowerLoss = {
  page: () => 'written',
  size: (_durable, written) => written,
  steps: count => Array.from({ length: count }, () => true),
}

/** A disk whose fsyncs off the event loop end when the test says so. */
class Side {
  readonly machine = new SimulatedDisk()
  ends: (() => void)[] = []
  readonly raw: Disk
  disk: Disk
  handles: DiskFile[] = []
  readonly #wrap: (raw: Disk) => Disk

  constructor(wrap: (raw: Disk) => Disk) {
    this.#wrap = wrap
    this.raw = this.machine.for({
      nowUs: 0,
      wallMs: 0,
      alive: () => {},
      fsyncBlocks: () => {},
      fsyncLater: done => void this.ends.push(done),
      note: () => {},
    })
    this.raw.makeDirectory('/data')
    this.raw.syncDirectory('/')
    this.disk = wrap(this.raw)
  }

  /** A process that was killed, and the next one. */
  kill(): void {
    this.ends = []
    this.handles = []
    this.disk = this.#wrap(this.raw)
  }

  endSyncs(count: number): void {
    for (const end of this.ends.splice(0, count)) end()
  }

  files(path = '/data'): Record<string, string> {
    const found: Record<string, string> = {}
    for (const { name, kind } of this.raw.list(path).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const inside = `${path}/${name}`
      if (kind === 'directory') Object.assign(found, { [`${inside}/`]: '' }, this.files(inside))
      else found[inside] = contentOf(this.raw, inside)
    }
    return found
  }
}

function contentOf(disk: Disk, path: string): string {
  const file = disk.open(path, 'read')
  const bytes = Buffer.alloc(file.size())
  file.read(bytes, 0)
  file.close()
  return bytes.toString('latin1')
}

const journaled = (): Side => new Side(raw => new UnsyncedDisk(raw, new UnsyncedJournal(raw, '/faults'), ['/data']))
const plain = (): Side => new Side(raw => raw)

type Action =
  | { readonly do: 'open' | 'remove' | 'makeDirectory' | 'syncDirectory' | 'syncDirectoryLater'; readonly path: string }
  | { readonly do: 'rename'; readonly path: string; readonly to: string }
  | { readonly do: 'write'; readonly handle: number; readonly at: number; readonly bytes: Uint8Array }
  | { readonly do: 'append'; readonly handle: number; readonly bytes: Uint8Array }
  | { readonly do: 'truncate'; readonly handle: number; readonly at: number }
  | { readonly do: 'sync' | 'syncLater' | 'close'; readonly handle: number }
  | { readonly do: 'endSyncs'; readonly count: number }
  | { readonly do: 'kill' }

const directory = fc.constantFrom('/data', '/data/a', '/data/b', '/data/a/c')
const place = fc.tuple(directory, fc.constantFrom('f', 'g', 'a', 'c')).map(([path, name]) => `${path}/${name}`)
const handle = fc.nat(3)
const size = fc.oneof(fc.nat(300), fc.constantFrom(4096, 5000, 8192, 9000))
const bytes = fc
  .tuple(size, fc.integer({ min: 1, max: 255 }))
  .map(([length, fill]) => new Uint8Array(length).fill(fill))

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('open' as const), path: place }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('remove' as const, 'makeDirectory' as const), path: place }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('syncDirectory' as const, 'syncDirectoryLater' as const),
      path: directory,
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('rename' as const), path: place, to: place }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('write' as const), handle, at: size, bytes }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('append' as const), handle, bytes }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('truncate' as const), handle, at: size }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constantFrom('sync' as const, 'syncLater' as const, 'close' as const), handle }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('endSyncs' as const), count: fc.integer({ min: 1, max: 2 }) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'kill' as const }) },
)

/** What a file that is replaced or removed is written from then on, nobody can find again: such handles are not used. */
function forget(side: Side, path: string): void {
  side.handles = side.handles.filter(file => file.path !== path && !file.path.startsWith(`${path}/`))
}

function perform(side: Side, step: Action): string {
  const { disk } = side
  try {
    switch (step.do) {
      case 'open':
        side.handles = [disk.open(step.path, 'write'), ...side.handles].slice(0, 4)
        break
      case 'remove':
        disk.remove(step.path)
        forget(side, step.path)
        break
      case 'rename':
        // No machine puts a directory into itself.
        if (step.to.startsWith(`${step.path}/`)) break
        disk.rename(step.path, step.to)
        // A handle keeps the name under which it was opened, so that those of the moved file cannot be told from others.
        if (step.path !== step.to) for (const path of [step.path, step.to]) forget(side, path)
        break
      case 'makeDirectory':
        disk.makeDirectory(step.path)
        break
      case 'syncDirectory':
        disk.syncDirectory(step.path)
        break
      case 'syncDirectoryLater':
        disk.syncDirectoryLater(step.path, () => {})
        break
      case 'endSyncs':
        side.endSyncs(step.count)
        break
      case 'kill':
        side.kill()
        break
      default:
        useHandle(side, step)
    }
    return 'done'
  } catch (error) {
    if (!(error instanceof DiskError)) throw error
    return error.code
  }
}

function useHandle(side: Side, step: Extract<Action, { handle: number }>): void {
  const file = side.handles[step.handle]
  if (file === undefined) return
  if (step.do === 'write') file.write([step.bytes], step.at)
  else if (step.do === 'append') file.write([step.bytes], file.size())
  else if (step.do === 'truncate') file.truncate(step.at)
  else if (step.do === 'sync') file.sync()
  else if (step.do === 'syncLater') file.syncLater(() => {})
  else {
    file.close()
    side.handles = side.handles.filter(each => each !== file)
  }
}

function bothAfter(actions: readonly Action[]): { readonly model: Side; readonly real: Side } {
  const model = plain()
  const real = journaled()
  for (const step of actions) {
    const result = perform(real, step)
    expect(result).toBe(perform(model, step))
  }
  expect(real.files()).toEqual(model.files())
  return { model, real }
}

describe('a power failure by the journal', () => {
  test('that takes all takes what the simulated disk loses, after any calls', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), actions => {
        const { model, real } = bothAfter(actions)
        model.machine.tree.powerFailure(totalLoss, 0, { writebackUs: Infinity })
        cutPower(real.raw, '/faults', totalLoss)
        expect(real.files()).toEqual(model.files())
        // And nothing is left of it but the directory.
        expect(real.raw.list('/faults')).toEqual([])
      }),
      { numRuns: 4000 },
    )
  })

  test('that takes names by chance takes the same ones', () => {
    fc.assert(
      fc.property(
        fc.array(action, { maxLength: 40 }),
        fc.nat(),
        fc.constantFrom('ordered' as const, 'independent' as const),
        (actions, seed, names) => {
          const { model, real } = bothAfter(actions)
          const loss = (): PowerLoss => ({
            ...totalLoss,
            steps: count => randomLoss(new Prng(seed), names).steps(count),
          })
          model.machine.tree.powerFailure(loss(), 0, { writebackUs: Infinity })
          cutPower(real.raw, '/faults', loss())
          expect(real.files()).toEqual(model.files())
        },
      ),
      { numRuns: 3000 },
    )
  })

  test('that keeps all changes nothing', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 30 }), actions => {
        const { real } = bothAfter(actions)
        const before = real.files()
        const { bytes } = cutPower(real.raw, '/faults', keepsAll)
        expect(real.files()).toEqual(before)
        expect(bytes).toBe(0)
      }),
      { numRuns: 1000 },
    )
  })

  test('keeps nothing aside of what was removed, once all that is there is durable', () => {
    const directoriesOf = (disk: Disk, path: string): string[] => [
      path,
      ...disk
        .list(path)
        .filter(({ kind }) => kind === 'directory')
        .flatMap(({ name }) => directoriesOf(disk, `${path}/${name}`)),
    ]
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), fc.boolean(), (actions, isKilled) => {
        const { real } = bothAfter(actions)
        if (isKilled) real.kill()
        for (const path of directoriesOf(real.raw, '/data')) real.disk.syncDirectory(path)
        expect(real.raw.list('/faults/unsynced')).toEqual([])
      }),
      { numRuns: 2000 },
    )
  })

  test('tears pages at sectors, and keeps what was fsynced', () => {
    const found = new Set<string>()
    for (let seed = 0; seed < 60; seed++) {
      const side = journaled()
      const file = side.disk.open('/data/f', 'write')
      file.write([Buffer.alloc(4096, 'o')], 0)
      file.sync()
      side.disk.syncDirectory('/data')
      file.write([Buffer.alloc(4096, 'n')], 0)
      cutPower(side.raw, '/faults', randomLoss(new Prng(seed), 'ordered'))
      found.add(contentOf(side.raw, '/data/f'))
    }
    expect(found).toContain('o'.repeat(4096))
    expect(found).toContain('n'.repeat(4096))
    const torn = [...found].filter(text => text.includes('o') && text.includes('n'))
    expect(torn.length).toBeGreaterThan(2)
    for (const text of torn) expect(text.lastIndexOf('n') % 512).toBe(511)
  })
})

describe('a process that is killed between the record of a step and the step', () => {
  const made = { '/data/d/': '', '/data/d/e/': '' }
  const before = { '/data/f': 'f', '/data/there': 'there' }
  /** The call, what it makes of the files, and what else a process may leave that is killed in it. */
  const calls: [string, (disk: Disk) => void, Record<string, string>, Record<string, string>[]][] = [
    ['open', disk => void disk.open('/data/new', 'write'), { ...before, '/data/new': '' }, []],
    ['makeDirectory', disk => disk.makeDirectory('/data/d/e'), { ...before, ...made }, [{ ...before, '/data/d/': '' }]],
    ['rename', disk => disk.rename('/data/f', '/data/g'), { '/data/g': 'f', '/data/there': 'there' }, []],
    ['rename over a file', disk => disk.rename('/data/f', '/data/there'), { '/data/there': 'f' }, []],
    ['remove', disk => disk.remove('/data/f'), { '/data/there': 'there' }, []],
  ]
  test.each(calls)('loses and gains nothing by it: %s', (_, call, after, between) => {
    let kills = 0
    for (let crashAt = 1; crashAt < 12; crashAt++) {
      let left = Infinity
      const crashing = (disk: Disk): Disk =>
        new Proxy(disk, {
          get(target, key: keyof Disk) {
            const method = target[key]
            if (typeof method !== 'function') return method
            const changes = ['open', 'makeDirectory', 'rename', 'remove'].includes(key)
            return (...given: unknown[]) => {
              if (changes && --left < 0) throw new Error('killed')
              return (method as (...args: unknown[]) => unknown).apply(target, given)
            }
          },
        })
      const side = new Side(raw => {
        const disk = crashing(raw)
        return new UnsyncedDisk(disk, new UnsyncedJournal(disk, '/faults'), ['/data'])
      })
      for (const [path, content] of Object.entries(before)) {
        const file = side.disk.open(path, 'write')
        file.write([Buffer.from(content)], 0)
        file.sync()
        file.close()
      }
      side.disk.syncDirectory('/data')
      expect(side.files()).toEqual(before)
      left = crashAt - 1
      let isKilled = false
      try {
        call(side.disk)
      } catch (error) {
        if ((error as Error).message !== 'killed') throw error
        isKilled = true
        kills++
      }
      left = Infinity
      const seen = side.files()
      if (isKilled) expect([before, ...between, after]).toContainEqual(seen)
      else expect(seen).toEqual(after)
      side.kill()
      expect(side.files()).toEqual(seen)
      cutPower(side.raw, '/faults', totalLoss)
      expect(side.files()).toEqual(before)
    }
    expect(kills).toBeGreaterThan(0)
  })
})

test('the journal stays small while files grow, are fsynced and go', () => {
  const side = journaled()
  const file = side.disk.open('/data/log', 'write')
  for (let round = 0; round < 3000; round++) {
    file.write([Buffer.alloc(700, round)], file.size())
    file.sync()
    const other = side.disk.open(`/data/${round}`, 'write')
    other.write([Buffer.alloc(100)], 0)
    other.close()
    side.disk.rename(`/data/${round}`, '/data/checkpoint')
    side.disk.syncDirectory('/data')
  }
  side.kill()
  expect(side.raw.stat('/faults/unsynced.journal')!.bytes).toBeLessThan(1000)
  expect(side.raw.list('/faults/unsynced')).toEqual([])
})

test('a directory that was removed for good leaves nothing aside, whatever in it was never fsynced', () => {
  const side = journaled()
  const { disk } = side
  const aside = (): string[] => side.raw.list('/faults/unsynced').map(({ name }) => name)
  const write = (path: string): void => {
    const file = disk.open(path, 'write')
    file.write([Buffer.from(path)], 0)
    file.close()
  }
  for (let round = 0; round < 3; round++) {
    disk.makeDirectory('/data/a/inner')
    disk.syncDirectory('/data')
    for (const name of ['f', 'g', 'h', 'inner/f']) write(`/data/a/${name}`)
    disk.rename('/data/a/f', '/data/a/inner/g')
    disk.rename('/data/a/g', '/data/a/h')
    disk.remove('/data/a/inner/f')
    disk.rename('/data/a', '/data/a-delete')
    disk.remove('/data/a-delete')
    expect(aside()).not.toEqual([])
    if (round === 2) side.kill()
    side.disk.syncDirectory('/data')
    expect(aside()).toEqual([])
  }
  side.kill()
  expect(side.raw.stat('/faults/unsynced.journal')!.bytes).toBe(0)
  expect(side.files()).toEqual({})
})

test('what was moved out of or into a directory that was removed is kept until that is durable, too', () => {
  const side = journaled()
  const { disk } = side
  disk.makeDirectory('/data/a')
  disk.makeDirectory('/data/b')
  disk.syncDirectory('/data')
  for (const path of ['/data/a/out', '/data/b/in']) {
    const file = disk.open(path, 'write')
    file.write([Buffer.from(path)], 0)
    file.sync()
    file.close()
  }
  for (const path of ['/data/a', '/data/b']) disk.syncDirectory(path)
  const durable = side.files()
  disk.rename('/data/b/in', '/data/a/in')
  disk.rename('/data/a/out', '/data/b/out')
  disk.remove('/data/a')
  disk.syncDirectory('/data')
  expect(side.raw.list('/faults/unsynced')).toHaveLength(1)
  cutPower(side.raw, '/faults', totalLoss)
  const { '/data/a/': _a, '/data/a/out': _out, ...left } = durable
  expect(side.files()).toEqual(left)
})
