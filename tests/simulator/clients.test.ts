import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { enterVirtualGlobals, withVirtualGlobals } from '#simulator/clients/virtual-globals.ts'
import { World } from '#simulator/world/world.ts'

describe('virtual globals', () => {
  test('timers, clock and chance are those of the world, and repeat with its seed', async () => {
    const run = async (): Promise<unknown[]> => {
      const world = new World({ seed: 4 })
      const seen: unknown[] = []
      await withVirtualGlobals(world, () =>
        world.run(async () => {
          const began = Date.now()
          const interval = setInterval(() => seen.push('tick'), 400)
          await new Promise(resolve => {
            setTimeout(resolve, 1000, 'value')
          })
          clearInterval(interval)
          await new Promise(resolve => {
            setImmediate(resolve)
          })
          seen.push(Date.now() - began, new Date().getTime() - began, new Date() instanceof Date, new Date(5).getTime())
          seen.push(
            Math.random(),
            crypto.randomUUID(),
            randomBytes(4).toString('hex'),
            performance.now(),
            process.hrtime(),
          )
          seen.push([...crypto.getRandomValues(new Uint8Array(4))], String(process.hrtime.bigint()))
        }),
      )
      return seen
    }
    const first = await run()
    expect(first.slice(0, 6)).toEqual(['tick', 'tick', 1000, 1000, true, 5])
    expect(await run()).toEqual(first)
  })

  test('real files take no virtual time', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'faultline-hold-'))
    const world = new World({ seed: 1 })
    const passed = await withVirtualGlobals(world, () =>
      world.run(async () => {
        setInterval(() => {}, 1)
        const began = world.nowUs
        for (let round = 0; round < 20; round++) await writeFile(join(directory, 'f'), String(round))
        expect(await readFile(join(directory, 'f'), 'utf8')).toBe('19')
        return world.nowUs - began
      }),
    )
    await rm(directory, { recursive: true })
    expect(passed).toBe(0)
  })

  test('only one world at a time may have them', async () => {
    const leave = enterVirtualGlobals(new World({ seed: 1 }))
    expect(() => enterVirtualGlobals(new World({ seed: 2 }))).toThrow('run one after the other')
    leave()
    leave()
    expect(Date.now()).toBeGreaterThan(Date.UTC(2026, 1, 1))
  })
})
