import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Disk } from '#broker/environment/environment.ts'
import { SimulatedDisk } from '#simulator/disk/simulated-disk.ts'
import { Prng } from '#simulator/world/prng.ts'
import { World } from '#simulator/world/world.ts'

function machine(seed: number): ReturnType<World['node']> {
  return new World({ seed }).node('m')
}

function put(disk: Disk, path: string, text: string, options: { sync?: boolean } = {}): void {
  const file = disk.open(path, 'write')
  file.truncate(0)
  file.write([Buffer.from(text)], 0)
  if (options.sync === true) file.sync()
  file.close()
}

function content(disk: Disk, path: string): string | undefined {
  if (disk.stat(path) === undefined) return undefined
  const file = disk.open(path, 'read')
  const bytes = Buffer.alloc(file.size())
  file.read(bytes, 0)
  return bytes.toString('latin1')
}

/** What may be left in the file `/d/f`, over many power failures. */
function outcomes(prepare: (disk: Disk) => void, path = '/d/f', seeds = 60): Set<string | undefined> {
  const found = new Set<string | undefined>()
  for (let seed = 0; seed < seeds; seed++) {
    const node = machine(seed)
    prepare(node.start().disk)
    node.powerFailure()
    found.add(content(node.start().disk, path))
  }
  return found
}

function durableDirectory(disk: Disk): void {
  disk.makeDirectory('/d')
  disk.syncDirectory('/')
}

describe('a process kill', () => {
  test('loses nothing that was written, renamed or created', () => {
    const node = machine(1)
    const { disk } = node.start()
    durableDirectory(disk)
    put(disk, '/d/tmp', 'text')
    disk.rename('/d/tmp', '/d/f')
    node.kill()
    expect(content(node.start().disk, '/d/f')).toBe('text')
  })
})

describe('a power failure', () => {
  test('keeps what was fsynced in a synced directory', () => {
    const kept = outcomes(disk => {
      durableDirectory(disk)
      put(disk, '/d/f', 'safe', { sync: true })
      disk.syncDirectory('/d')
    })
    expect([...kept]).toEqual(['safe'])
  })

  test('may keep, lose or shorten what was appended after the last fsync, and never what was before', () => {
    const found = outcomes(disk => {
      durableDirectory(disk)
      put(disk, '/d/f', 'safe', { sync: true })
      disk.syncDirectory('/d')
      const file = disk.open('/d/f', 'write')
      file.write([Buffer.from('lost?')], 4)
    })
    expect(found).toContain('safelost?')
    expect(found).toContain('safe')
    for (const text of found) expect(text?.startsWith('safe')).toBe(true)
    expect([...found].some(text => text?.includes('\0'))).toBe(true)
  })

  test('tears a page at a sector boundary', () => {
    const found = outcomes(disk => {
      durableDirectory(disk)
      put(disk, '/d/f', 'o'.repeat(4096), { sync: true })
      disk.syncDirectory('/d')
      disk.open('/d/f', 'write').write([Buffer.from('n'.repeat(4096))], 0)
    })
    const torn = [...found].filter(text => text!.includes('n') && text!.includes('o'))
    expect(torn.length).toBeGreaterThan(0)
    for (const text of torn) expect(text!.lastIndexOf('n') % 512).toBe(511)
  })

  test('loses the creation of a file whose directory was not synced, even when the file was', () => {
    const found = outcomes(disk => {
      durableDirectory(disk)
      put(disk, '/d/f', 'text', { sync: true })
    })
    expect(found).toEqual(new Set([undefined, 'text']))
  })

  test('leaves the old or the new file of a rename that was not synced, never none', () => {
    const found = outcomes(disk => {
      durableDirectory(disk)
      put(disk, '/d/f', 'old', { sync: true })
      disk.syncDirectory('/d')
      put(disk, '/d/tmp', 'new', { sync: true })
      disk.rename('/d/tmp', '/d/f')
    })
    expect(found).toEqual(new Set(['old', 'new']))
  })

  test('keeps what was done before an fsync of the directory began, once that has ended', () => {
    const found = (isEnded: boolean): Set<string | undefined> => {
      const contents = new Set<string | undefined>()
      for (let seed = 0; seed < 60; seed++) {
        const simulated = new SimulatedDisk()
        const ends: (() => void)[] = []
        const disk = simulated.for({
          nowUs: 0,
          wallMs: 0,
          alive: () => {},
          fsyncBlocks: () => {},
          fsyncLater: done => void ends.push(done),
          note: () => {},
        })
        durableDirectory(disk)
        put(disk, '/d/f', 'old', { sync: true })
        disk.syncDirectory('/d')
        put(disk, '/d/tmp', 'new', { sync: true })
        disk.rename('/d/tmp', '/d/f')
        disk.syncDirectoryLater('/d', () => {})
        put(disk, '/d/tmp', 'later', { sync: true })
        disk.rename('/d/tmp', '/d/f')
        if (isEnded) for (const end of ends) end()
        simulated.powerFailure(new Prng(seed), 0, { directoryLoss: 'independent', writebackUs: Infinity })
        contents.add(content(disk, '/d/f'))
      }
      return contents
    }
    expect(found(false)).toEqual(new Set(['old', 'new', 'later']))
    expect(found(true)).toEqual(new Set(['new', 'later']))
  })

  test('may bring back a removed file until the directory is synced', () => {
    const prepare = (disk: Disk): void => {
      durableDirectory(disk)
      put(disk, '/d/f', 'text', { sync: true })
      disk.syncDirectory('/d')
      disk.remove('/d/f')
    }
    expect(outcomes(prepare)).toEqual(new Set(['text', undefined]))
    const synced = outcomes(disk => {
      prepare(disk)
      disk.syncDirectory('/d')
    })
    expect(synced).toEqual(new Set([undefined]))
  })

  test('brings back the whole of a file whose truncation was not synced, or none of the tail', () => {
    const found = outcomes(disk => {
      durableDirectory(disk)
      put(disk, '/d/f', 'x'.repeat(9000), { sync: true })
      disk.syncDirectory('/d')
      disk.open('/d/f', 'write').truncate(4096)
    })
    expect(found).toContain('x'.repeat(9000))
    expect(found).toContain('x'.repeat(4096))
    for (const text of found) expect(/^x+$/.test(text!)).toBe(true)
  })

  test('keeps what the kernel has written back on its own', async () => {
    const world = new World({ seed: 1, settings: { writebackMs: 30_000 } })
    const node = world.node('m')
    const { disk } = node.start()
    disk.makeDirectory('/d')
    put(disk, '/d/f', 'old enough')
    await world.run(() => world.sleep(30_001))
    node.powerFailure()
    expect(content(node.start().disk, '/d/f')).toBe('old enough')
  })
})

describe('an fsync off the event loop', () => {
  test('covers what was written before it was asked for, and not what came while it ran', async () => {
    const found = new Set<string | undefined>()
    for (let seed = 0; seed < 40; seed++) {
      const world = new World({ seed })
      const node = world.node('m')
      const { disk } = node.start()
      durableDirectory(disk)
      const file = disk.open('/d/f', 'write')
      disk.syncDirectory('/d')
      await world.run(async () => {
        file.write([Buffer.from('before')], 0)
        const synced = new Promise(resolve => {
          file.syncLater(resolve)
        })
        file.write([Buffer.from('BEFORE')], 0)
        await synced
      })
      node.powerFailure()
      found.add(content(node.start().disk, '/d/f'))
    }
    expect(found).toEqual(new Set(['before', 'BEFORE']))
  })
})

describe('the file content', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('write' as const), at: fc.nat(20_000), bytes: fc.uint8Array({ maxLength: 9000 }) }),
    fc.record({ kind: fc.constant('truncate' as const), at: fc.nat(20_000) }),
    fc.record({ kind: fc.constant('sync' as const) }),
  )

  test('equals an array of bytes under any writes and truncations, and survives a power failure after an fsync', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 15 }), fc.nat(), (steps, seed) => {
        const node = machine(seed)
        const { disk } = node.start()
        durableDirectory(disk)
        const file = disk.open('/d/f', 'write')
        disk.syncDirectory('/d')
        let model = Buffer.alloc(0)
        const resize = (bytes: number): void => {
          model = Buffer.concat([model.subarray(0, bytes), Buffer.alloc(Math.max(0, bytes - model.length))])
        }
        for (const action of steps) {
          if (action.kind === 'sync') file.sync()
          else if (action.kind === 'truncate') {
            file.truncate(action.at)
            resize(action.at)
          } else {
            file.write([action.bytes], action.at)
            // A write of nothing does not make a file longer.
            if (action.bytes.length === 0) continue
            resize(Math.max(model.length, action.at + action.bytes.length))
            model.set(action.bytes, action.at)
          }
          expect(content(disk, '/d/f')).toBe(model.toString('latin1'))
        }
        file.sync()
        node.powerFailure()
        expect(content(node.start().disk, '/d/f')).toBe(model.toString('latin1'))
      }),
      { numRuns: 60 },
    )
  })
})
