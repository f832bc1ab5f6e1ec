import { setImmediate } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { Environment } from '#broker/environment/environment.ts'
import { answerControl } from '#broker/environment/faulty/control-protocol.ts'
import type { Cpu } from '#broker/environment/faulty/cpu-limit.ts'
import { FaultDesk, type FaultDeskParts, type KeptFaults } from '#broker/environment/faulty/fault-desk.ts'
import { FaultPlan } from '#broker/environment/faulty/fault-plan.ts'
import { faultyEnvironment, type FaultRuntime } from '#broker/environment/faulty/faulty-environment.ts'
import { nodeFaultKinds } from '#broker/environment/faulty/node-kinds.ts'
import { nodeFaultRuntime } from '#broker/environment/faulty/node-runtime.ts'
import { FaultRefused, type Parameters } from '#broker/environment/faulty/parameters.ts'
import { processCpu } from '#broker/environment/node/cpu.ts'
import { nodeEnvironment } from '#broker/environment/node/node-environment.ts'
import { Prng } from '#simulator/world/prng.ts'
import { codeOf, harnesses } from '../contracts/harness.ts'

class Crash extends Error {}

interface DeskScene {
  readonly desk: FaultDesk
  /** As the node sees it. */
  readonly environment: Environment
  readonly directory: string
  readonly kept: KeptFaults[]
}

const realMachine = harnesses[0]!
const processRuntime: FaultRuntime = {
  ...nodeFaultRuntime(reason => {
    throw new Crash(reason)
  }),
  memory: () => ({ residentBytes: process.memoryUsage.rss(), freeBytes: 1 << 30 }),
  cpu: processCpu(),
}

/** What the desk looks at is the machine itself: no fault of the desk is to be seen. */
const undecorated: Partial<FaultDeskParts> = { decorated: () => nodeEnvironment({ logTo: () => {} }) }

function withDesk(
  body: (scene: DeskScene) => Promise<void>,
  { runtime = processRuntime, ...more }: Partial<FaultDeskParts> = {},
): Promise<void> {
  return realMachine.run(async ({ environment: base, directory }) => {
    const plan = new FaultPlan(new Prng(3))
    const environment = faultyEnvironment(base, plan, runtime)
    const kept: KeptFaults[] = []
    const desk = new FaultDesk({
      nodeId: 2,
      base: () => base,
      decorated: () => environment,
      plan,
      runtime,
      scratch: `${directory}/probe`,
      keep: faults => kept.push(faults),
      ...more,
    })
    await body({ desk, environment, directory, kept })
  })
}

const write = ({ disk }: Environment, path: string, text: string): void => {
  const file = disk.open(path, 'write')
  try {
    file.write([Buffer.from(text)], 0)
  } finally {
    file.close()
  }
}

/** One order of each kind, and more of those that are proved in more than one way. */
const orders: readonly (readonly [string, Parameters])[] = [
  ['slow-disk', { delay: 40 }],
  ['slow-disk', { delay: 30, on: 'fsync' }],
  ['slow-disk', { rate: 3000, on: 'write' }],
  ['full-disk', {}],
  ['full-disk', { after: 5000 }],
  ['disk-error', {}],
  ['disk-error', { on: 'fsync', code: 'EROFS' }],
  ['disk-error', { on: 'rename', nth: 3, path: String.raw`\.log$` }],
  ['disk-error', { on: 'read', 'one-in': 50 }],
  ['crash-at', {}],
  ['crash-at', { on: 'fsync', when: 'after', nth: 4 }],
  ['crash-at', { on: 'rename', when: 'after' }],
  ['crash-at', { on: 'truncate' }],
  ['torn-write', { keep: 12, nth: 9 }],
  ['torn-write', {}],
  ['bit-flip', { on: 'read' }],
  ['bit-flip', { on: 'write', nth: 7 }],
  ['clock-jump', { offset: -3_600_000 }],
  ['clock-drift', { rate: 500 }],
  ['clock-drift', { rate: -500 }],
  ['clock-strobe', { offset: 5_000, period: 20 }],
  ['stall', { for: 60 }],
  ['cpu-limit', { cores: 0.05 }],
  ['cpu-limit', { cores: 0.1 }],
  ['memory-pressure', { size: 40 }],
]

describe('a node that takes orders to be broken', () => {
  test('offers kinds whose names are their own, with words for everything', () => {
    expect(new Set(nodeFaultKinds.map(({ name }) => name)).size).toBe(nodeFaultKinds.length)
    for (const { summary, heals, expect: expectation, parameters } of nodeFaultKinds)
      for (const text of [summary, heals, expectation, ...parameters.map(parameter => parameter.summary)])
        expect(text).not.toBe('')
    const ordered = new Set(orders.map(([kind]) => kind))
    // Whoever orders it looks from outside: what a node cannot hear it cannot prove.
    expect(nodeFaultKinds.map(({ name }) => name).filter(name => !ordered.has(name))).toEqual(['dropped-links'])
  })

  test.each(orders)('proves %s %j', (kind, parameters) =>
    withDesk(async ({ desk, directory, environment }) => {
      const { id, name, proof, hits } = await desk.add({ kind, parameters, proof: true })
      expect({ name, shown: proof?.shown, text: proof?.text }).toMatchObject({ name: kind, shown: true })
      const isOver = nodeFaultKinds.find(each => each.name === kind)?.lasts === 'moment'
      expect(desk.list().map(fault => fault.id)).toEqual(isOver ? [] : [id])
      // No count of the fault itself is used up by its proof (a clock is hit whenever it is read, a limit whenever there is too much to do).
      if (!/^clock-|^cpu-/.test(kind)) expect(hits).toBe(isOver ? 1 : 0)
      desk.heal('all')
      expect(desk.list()).toEqual([])
      expect(environment.disk.list(directory)).toEqual([])
    }),
  )

  test('carries out one order after the other, so that no proof sees another', () =>
    withDesk(async ({ desk, directory, environment }) => {
      const added = await Promise.all([
        desk.add({ kind: 'slow-disk', parameters: { delay: 40, on: 'write,fsync' }, proof: true }),
        desk.add({ kind: 'bit-flip', parameters: { on: 'read', path: 'nowhere' }, proof: true }),
        desk.add({ kind: 'torn-write', parameters: { keep: 7, path: 'nowhere' }, proof: true }),
        desk.add({ kind: 'disk-error', parameters: { path: 'nowhere' }, proof: true }),
      ])
      expect(added.map(({ proof }) => proof?.shown)).toEqual([true, true, true, true])
      const refused = desk.add({ kind: 'fire', parameters: {}, proof: true })
      const next = desk.add({ kind: 'full-disk', parameters: { after: 1e9 }, proof: true })
      await expect(refused).rejects.toThrow('There is no fault fire')
      expect((await next).proof?.shown).toBe(true)
      desk.heal('all')
      expect(environment.disk.list(directory)).toEqual([])
    }))

  test('proves a fault of the clock beside others', () =>
    withDesk(async ({ desk, environment }) => {
      for (const [kind, parameters] of [
        ['clock-jump', { offset: -3_600_000 }],
        ['clock-strobe', { offset: 9_000, period: 20 }],
        ['clock-jump', { offset: 500_000 }],
        ['clock-drift', { rate: 400 }],
        ['clock-strobe', { offset: -70_000, period: 30 }],
      ] as const) {
        const { proof } = await desk.add({ kind, parameters, proof: true })
        expect({ kind, ...proof }).toMatchObject({ kind, shown: true })
      }
      expect(Math.abs(environment.clock.wallMs() - Date.now() + 3_100_000)).toBeLessThan(100_000)
    }))

  test.each([
    ['clock-jump', { offset: 30 }, true],
    ['clock-jump', { offset: -3 }, undefined],
    ['clock-strobe', { offset: -40, period: 20 }, true],
    ['clock-strobe', { offset: 12, period: 20 }, true],
    ['clock-strobe', { offset: 4, period: 20 }, undefined],
  ])('tells by how little a clock is off: %s %j', (kind, parameters, shown) =>
    withDesk(async ({ desk }) => {
      expect((await desk.add({ kind, parameters, proof: true })).proof?.shown).toBe(shown)
    }),
  )

  test('does not take a clock that is right for one that has jumped', () =>
    withDesk(async ({ desk }) => {
      const refused = desk.add({ kind: 'clock-jump', parameters: { offset: 30 }, proof: true })
      await expect(refused).rejects.toThrow(/did not take effect on node 2.*the node's clock is right/)
    }, undecorated))

  test('proves a disk so slow that a call meets its limit', () =>
    withDesk(async ({ desk }) => {
      const { proof } = await desk.add({
        kind: 'slow-disk',
        parameters: { delay: 1_900, rate: 1_000, on: 'write' },
        proof: true,
      })
      expect(proof).toMatchObject({ shown: true, text: expect.stringContaining('(at least 2000 ms)') as string })
    }))

  test.each([
    ['gets less than that anyway', 0.9, 0.5, undefined],
    ['has one thread', 2, 0.5, undefined],
    ['gets more', 0.2, 0.5, false],
  ] as const)('does not take it for a limit where a process %s', async (_, cores, used, shown) => {
    const cpu = { ...processCpu(), usedMs: () => performance.now() * used, standStill: () => undefined }
    await withDesk(
      async ({ desk }) => {
        const added = desk.add({ kind: 'cpu-limit', parameters: { cores }, proof: true })
        if (shown === false)
          await expect(added).rejects.toThrow(/got 0\.50 of a core \(at most 0\.2\); it stood still for 0 ms/)
        else expect((await added).proof).toMatchObject({ shown, text: expect.stringContaining('anyway') as string })
      },
      { runtime: { ...processRuntime, cpu } },
    )
  })

  test.each([0, 1])('leaves nothing of a fault that is healed during its proof, with %i cores used', async used => {
    const limits = { begun: 0, stopped: 0 }
    const machine = processCpu()
    const cpu: Cpu = {
      ...machine,
      usedMs: () => performance.now() * used,
      standStill: () => undefined,
      every: (...limit) => {
        const stop = machine.every(...limit)
        limits.begun++
        return () => {
          limits.stopped++
          stop()
        }
      },
    }
    await withDesk(
      async ({ desk }) => {
        const adding = desk.add({ kind: 'cpu-limit', parameters: { cores: 0.05 }, proof: true })
        while (desk.list().length === 0) await setImmediate()
        const [healed] = desk.heal('all')
        if (used === 0) expect(await adding).toMatchObject({ id: healed?.id, summary: healed?.summary })
        else await expect(adding).rejects.toThrow('The fault cpu-limit did not take effect on node 2')
        expect(desk.list()).toEqual([])
        expect(limits).toEqual({ begun: 1, stopped: 1 })
      },
      { runtime: { ...processRuntime, cpu } },
    )
  })

  test('does not take memory that was there before for what a fault holds', () =>
    withDesk(
      async ({ desk }) => {
        const refused = desk.add({ kind: 'memory-pressure', parameters: { size: 40 }, proof: true })
        await expect(refused).rejects.toThrow('the process had 900 MiB in memory before, 900 MiB now')
        const small = await desk.add({ kind: 'memory-pressure', parameters: { size: 2 }, proof: true })
        expect(small.proof?.shown).toBeUndefined()
      },
      { runtime: { ...processRuntime, memory: () => ({ residentBytes: 900 << 20, freeBytes: 1 << 30 }) } },
    ))

  test('takes back what cannot be seen to work', () =>
    withDesk(
      async ({ desk, kept }) => {
        const refused = desk.add({ kind: 'slow-disk', parameters: { delay: 40 }, proof: true })
        await expect(refused).rejects.toThrow(
          /did not take effect on node 2, and was taken back: a write of 4096 bytes/,
        )
        await expect(desk.add({ kind: 'stall', parameters: { for: 40 }, proof: true })).rejects.toThrow(FaultRefused)
        expect(desk.list()).toEqual([])
        expect(kept.at(-1)?.faults ?? []).toEqual([])
        const { proof } = await desk.add({ kind: 'slow-disk', parameters: { delay: 40 }, proof: false })
        expect(proof).toBeUndefined()
        expect(desk.list()).toHaveLength(1)
      },
      { runtime: { ...processRuntime, stall: () => undefined } },
    ))

  test('refuses what cannot be meant, with what was expected', () =>
    withDesk(async ({ desk }) => {
      const refusal = async (kind: string, parameters: Parameters): Promise<string> => {
        try {
          await desk.add({ kind, parameters, proof: true })
        } catch (error) {
          if (error instanceof FaultRefused) return error.message
          throw error
        }
        return 'taken'
      }
      expect(await refusal('fire', {})).toContain('There is no fault fire inside a node: expected one of slow-disk')
      expect(await refusal('slow-disk', {})).toContain('needs --delay, --jitter or --rate')
      expect(await refusal('slow-disk', { delay: 9_000 })).toContain('a number from 0 to 2000 (ms), got 9000')
      expect(await refusal('slow-disk', { delay: 1_500, jitter: 900 })).toContain('together are at most 2000 ms')
      expect(await refusal('slow-disk', { jitter: 1.5 })).toContain('a whole number from 0 to 2000 (ms), got 1.5')
      expect(await refusal('slow-disk', { delay: 5, colour: 'red' })).toContain('has no --colour')
      expect(await refusal('disk-error', { on: 'write,fire' })).toContain('some of read, write, fsync')
      expect(await refusal('disk-error', { path: '(' })).toContain('a regular expression')
      expect(await refusal('disk-error', { nth: 1, 'one-in': 2 })).toContain('cannot be meant together')
      expect(await refusal('stall', { for: 60_001 })).toContain('from 1 to 60000')
      expect(await refusal('memory-pressure', { size: 1_024 })).toContain(
        'more than half of the 1024 MiB that are free',
      )
      expect(await refusal('clock-jump', { offset: 0 })).toContain('no fault')
      expect(desk.list()).toEqual([])
    }))

  test('remembers what its machine keeps over a restart, and uses no id again', async () => {
    let left: KeptFaults | undefined
    await withDesk(async ({ desk, kept }) => {
      await desk.add({ kind: 'slow-disk', parameters: { delay: 1 }, proof: false })
      await desk.add({ kind: 'full-disk', parameters: {}, proof: false })
      await desk.add({ kind: 'memory-pressure', parameters: { size: 1 }, proof: false })
      await desk.add({ kind: 'crash-at', parameters: { on: 'rename' }, proof: false })
      desk.heal(['slow-disk-2-1'])
      left = kept.at(-1)
    })
    expect(left?.faults.map(({ id }) => id)).toEqual(['full-disk-2-2', 'crash-at-2-4'])
    await withDesk(
      async ({ desk, environment, directory }) => {
        expect(desk.list().map(({ id }) => id)).toEqual(['full-disk-2-2', 'crash-at-2-4'])
        expect(codeOf(() => write(environment, `${directory}/a`, 'abc'))).toBe('ENOSPC')
        const { id } = await desk.add({ kind: 'clock-jump', parameters: { offset: 5 }, proof: false })
        expect(id).toBe('clock-jump-2-5')
      },
      { kept: left },
    )
  })

  test('forgets a fault that ends the process before it does', () =>
    withDesk(async ({ desk, environment, directory, kept }) => {
      await desk.add({ kind: 'torn-write', parameters: { nth: 2, keep: 3 }, proof: true })
      write(environment, `${directory}/a`, 'whole')
      expect(() => write(environment, `${directory}/b`, 'half a text')).toThrow('3 of 11 bytes written')
      expect(kept.at(-1)?.faults).toEqual([])
      expect(desk.list()).toEqual([])
      write(environment, `${directory}/c`, 'whole')
    }))

  test('strikes the node itself: its files, its clock', () =>
    withDesk(async ({ desk, environment, directory }) => {
      await desk.add({ kind: 'disk-error', parameters: { path: String.raw`\.log$`, nth: 2 }, proof: true })
      write(environment, `${directory}/a.log`, 'first')
      write(environment, `${directory}/a.index`, 'other')
      expect(codeOf(() => write(environment, `${directory}/a.log`, 'second'))).toBe('EIO')
      write(environment, `${directory}/a.log`, 'third')
      expect(desk.list()).toMatchObject([{ name: 'disk-error', hits: 1 }])
      await desk.add({ kind: 'clock-jump', parameters: { offset: 86_400_000 }, proof: true })
      expect(environment.clock.wallMs() - Date.now()).toBeGreaterThan(86_000_000)
      desk.heal('all')
      expect(Math.abs(environment.clock.wallMs() - Date.now())).toBeLessThan(1_000_000)
    }))

  test('delays an fsync in the background without standing still', async () => {
    const stood: number[] = []
    const runtime = { ...processRuntime, stall: (ms: number) => void stood.push(ms) }
    await withDesk(
      async ({ desk, environment, directory }) => {
        await desk.add({ kind: 'slow-disk', parameters: { delay: 80, on: 'fsync' }, proof: false })
        const file = environment.disk.open(`${directory}/a`, 'write')
        const beganMs = environment.clock.monotonicMs()
        const synced = new Promise(resolve => {
          file.syncLater(resolve)
        })
        expect(stood).toEqual([])
        expect(await synced).toBeUndefined()
        // The clock is floored, and timers may fire a little early.
        expect(environment.clock.monotonicMs() - beganMs).toBeGreaterThanOrEqual(78)
        expect(stood).toEqual([])
        // Who waits for an fsync stands still: that is how one would know.
        file.sync()
        expect(stood).toEqual([80])
        file.close()
      },
      { runtime },
    )
  })

  test('answers in JSON, and refuses with a status', () =>
    withDesk(async ({ desk }) => {
      const ask = (method: string, path: string, body = '') => answerControl(desk, { method, path, body })
      const order = JSON.stringify({ kind: 'full-disk', parameters: { after: '100' } })
      expect(await ask('POST', '/faults', order)).toMatchObject({
        status: 200,
        body: { id: 'full-disk-2-1', parameters: { after: 100 }, proof: { shown: true } },
      })
      expect((await ask('GET', '/faults')).body).toMatchObject([{ id: 'full-disk-2-1', hits: 0 }])
      expect(await ask('DELETE', '/faults/other')).toMatchObject({
        status: 400,
        body: { error: 'There is no fault other in node 2.' },
      })
      expect(await ask('DELETE', '/faults/full-disk-2-1')).toMatchObject({ status: 200, body: [{ name: 'full-disk' }] })
      expect((await ask('DELETE', '/faults')).body).toEqual([])
      for (const [body, words] of [
        ['{', 'no JSON'],
        ['null', 'has a kind'],
        ['{"kind": "stall", "parameters": []}', 'parameters is an object'],
        ['{"kind": "stall", "proof": 1}', 'proof is true or false'],
      ] as const)
        expect(await ask('POST', '/faults', body)).toMatchObject({
          status: 400,
          body: { error: expect.stringContaining(words) as string },
        })
      expect((await ask('PUT', '/faults')).status).toBe(400)
      expect((await ask('GET', '/')).status).toBe(400)
    }))
})
