import { describe, expect, test } from 'vitest'
import { DiskError, type Environment, type Socket } from '#broker/environment/environment.ts'
import { bitFlip } from '#broker/environment/faulty/bit-flip.ts'
import { clockDrift, clockJump, clockStrobe } from '#broker/environment/faulty/clock-faults.ts'
import { crashAt } from '#broker/environment/faulty/crash-at.ts'
import { droppedLink } from '#broker/environment/faulty/dropped-link.ts'
import { failingDisk } from '#broker/environment/faulty/failing-disk.ts'
import { FaultPlan } from '#broker/environment/faulty/fault-plan.ts'
import { faultyEnvironment } from '#broker/environment/faulty/faulty-environment.ts'
import { fullDisk } from '#broker/environment/faulty/full-disk.ts'
import { ignoredSync } from '#broker/environment/faulty/ignored-sync.ts'
import { slowDisk } from '#broker/environment/faulty/slow-disk.ts'
import { tornWrite } from '#broker/environment/faulty/torn-write.ts'
import { Prng } from '#simulator/world/prng.ts'
import { codeOf, harnesses, type Scene } from '../contracts/harness.ts'

class Crash extends Error {}

interface FaultyScene extends Scene {
  readonly plan: FaultPlan
  readonly stalls: number[]
}

describe.each(harnesses)('faults on the $name', ({ run }) => {
  const faulty = (body: (scene: FaultyScene) => Promise<void> | void): Promise<void> =>
    run(async ({ environment, directory }) => {
      const plan = new FaultPlan(new Prng(3))
      const stalls: number[] = []
      const runtime = {
        stall: (delayMs: number): void => void stalls.push(delayMs),
        crash(reason: string): never {
          throw new Crash(reason)
        },
      }
      await body({ environment: faultyEnvironment(environment, plan, runtime), directory, plan, stalls })
    })

  const write = ({ disk }: Environment, path: string, text: string): void => {
    const file = disk.open(path, 'write')
    file.write([Buffer.from(text)], 0)
    file.close()
  }

  const content = ({ disk }: Environment, path: string): string => {
    const file = disk.open(path, 'read')
    const bytes = Buffer.alloc(file.size())
    file.read(bytes, 0)
    file.close()
    return bytes.toString('latin1')
  }

  test('a full disk takes what still fits, then says ENOSPC; healed, it takes the rest', () =>
    faulty(({ environment, directory, plan }) => {
      const id = plan.add(fullDisk({ afterBytes: 5 }))
      write(environment, `${directory}/a`, 'abc')
      expect(environment.disk.space(directory).usableBytes).toBe(2)
      expect(codeOf(() => write(environment, `${directory}/b`, 'defg'))).toBe('ENOSPC')
      expect(codeOf(() => environment.disk.makeDirectory(`${directory}/x`))).toBe('ENOSPC')
      expect(content(environment, `${directory}/b`)).toBe('de')
      expect(plan.list()[0]?.hits).toBe(2)
      plan.heal(id)
      write(environment, `${directory}/b`, 'defg')
      expect(content(environment, `${directory}/b`)).toBe('defg')
    }))

  test('a failing disk refuses the calls and paths it is about, and no other', () =>
    faulty(async ({ environment, directory, plan }) => {
      plan.add(failingDisk({ operations: ['read', 'sync'], path: /\.log$/ }))
      write(environment, `${directory}/a.log`, 'abc')
      write(environment, `${directory}/a.index`, 'abc')
      expect(codeOf(() => content(environment, `${directory}/a.log`))).toBe('EIO')
      expect(content(environment, `${directory}/a.index`)).toBe('abc')
      const file = environment.disk.open(`${directory}/a.log`, 'write')
      expect(codeOf(() => file.sync())).toBe('EIO')
      const later = await new Promise(resolve => {
        file.syncLater(resolve)
      })
      expect(later).toBeInstanceOf(DiskError)
      file.close()
    }))

  test('a slow disk blocks the process before each call', () =>
    faulty(({ environment, directory, plan, stalls }) => {
      plan.add(slowDisk({ delayMs: 30, operations: ['write'] }))
      write(environment, `${directory}/a`, 'abc')
      write(environment, `${directory}/a`, 'abc')
      expect(stalls).toEqual([30, 30])
    }))

  test('fsyncs of files and directories are one kind of call to whoever reads of a fault', () => {
    const operations = ['write', 'sync', 'syncDirectory'] as const
    expect(slowDisk({ delayMs: 30, operations }).summary).toBe('write, fsync takes 30 ms longer')
    const crash = crashAt({ nth: 2, when: 'before', operations: ['syncDirectory'], path: /x/ })
    expect(crash.summary).toBe('crash before call 2 from now: fsync of /x/')
  })

  test('a torn write leaves its first part and crashes', () =>
    faulty(({ environment, directory, plan }) => {
      plan.add(tornWrite({ nth: 2, keepBytes: 4 }))
      write(environment, `${directory}/a`, 'first')
      expect(() => write(environment, `${directory}/b`, 'second')).toThrow('4 of 6 bytes written')
      expect(content(environment, `${directory}/b`)).toBe('seco')
      write(environment, `${directory}/c`, 'third')
    }))

  test('a crash comes before or after the nth call', () =>
    faulty(({ environment, directory, plan }) => {
      plan.add(crashAt({ nth: 1, when: 'before', operations: ['rename'] }))
      plan.add(crashAt({ nth: 2, when: 'after', operations: ['rename'] }))
      write(environment, `${directory}/a`, 'a')
      const rename = (): void => environment.disk.rename(`${directory}/a`, `${directory}/b`)
      expect(rename).toThrow(Crash)
      expect(environment.disk.stat(`${directory}/b`)).toBeUndefined()
      rename()
      expect(() => environment.disk.rename(`${directory}/b`, `${directory}/a`)).toThrow(Crash)
      expect(content(environment, `${directory}/a`)).toBe('a')
    }))

  test('a bit flip changes one bit of what is read, or of what is written, but not the bytes of the writer', () =>
    faulty(({ environment, directory, plan }) => {
      const zeros = Buffer.alloc(100)
      const id = plan.add(bitFlip({ on: 'write' }))
      const file = environment.disk.open(`${directory}/a`, 'write')
      file.write([zeros], 0)
      file.close()
      expect(zeros.equals(Buffer.alloc(100))).toBe(true)
      const bits = (text: string): number => [...Buffer.from(text, 'latin1')].filter(byte => byte !== 0).length
      expect(bits(content(environment, `${directory}/a`))).toBe(1)
      plan.heal(id)
      write(environment, `${directory}/b`, '\0'.repeat(50))
      plan.add(bitFlip({ on: 'read' }))
      expect(bits(content(environment, `${directory}/b`))).toBe(1)
      plan.healAll()
      expect(bits(content(environment, `${directory}/b`))).toBe(0)
    }))

  test('an ignored fsync answers like an honest one', () =>
    faulty(async ({ environment, directory, plan }) => {
      plan.add(ignoredSync())
      const file = environment.disk.open(`${directory}/a`, 'write')
      file.sync()
      const later = await new Promise(resolve => {
        file.syncLater(resolve)
      })
      environment.disk.syncDirectory(directory)
      file.close()
      expect([later, plan.list()[0]?.hits]).toEqual([undefined, 3])
      const directoryLater = await new Promise(resolve => {
        environment.disk.syncDirectoryLater(directory, resolve)
      })
      expect([directoryLater, plan.list()[0]?.hits]).toEqual([undefined, 4])
    }))

  test('wall clocks jump, drift and strobe; monotonic time does not', () =>
    faulty(async ({ environment: { clock, timers }, plan }) => {
      const trueMs = clock.wallMs()
      const jump = plan.add(clockJump({ offsetMs: -3_600_000 }))
      expect(trueMs - clock.wallMs()).toBeGreaterThan(3_500_000)
      plan.heal(jump)
      plan.add(clockDrift({ msPerSecond: 1_000_000 }))
      const beganMs = clock.monotonicMs()
      const beganWallMs = clock.wallMs()
      await new Promise<void>(resolve => {
        timers.after(20, resolve)
      })
      const passedMs = clock.monotonicMs() - beganMs
      expect(clock.wallMs() - beganWallMs).toBeGreaterThan(passedMs * 100)
      plan.healAll()
      const strobe = clockStrobe({ offsetMs: 500, periodMs: 10 })
      expect([0, 9, 10, 19, 20].map(nowMs => strobe.wallOffsetMs!(nowMs))).toEqual([500, 500, 0, 0, 500])
    }))

  test('a dropped link holds bytes of either direction, and new connections, until it heals', () =>
    faulty(async ({ environment: { network, timers }, plan }) => {
      const got: string[] = []
      let arrived = (): void => {}
      const arrival = (): Promise<void> => new Promise(resolve => (arrived = resolve))
      const pause = (): Promise<void> =>
        new Promise(resolve => {
          timers.after(30, resolve)
        })
      let server: Socket | undefined
      const receive = (chunk: Buffer): void => {
        got.push(chunk.toString())
        arrived()
      }
      const listener = await network.listen({ host: '127.0.0.1', port: 0 }, socket => {
        server = socket
        socket.handle({ data: receive, closed() {} })
      })
      let opened = false
      const dropped = plan.add(droppedLink({ host: '127.0.0.1' }))
      const client = network.connect(listener.address, {
        opened: () => (opened = true),
        data: receive,
        closed() {},
      })
      client.write([Buffer.from('question')])
      await pause()
      expect([opened, got]).toEqual([false, []])
      const first = arrival()
      plan.heal(dropped)
      await first
      plan.add(droppedLink({ direction: 'out' }))
      expect(server!.write([Buffer.from('answer')])).toBe(false)
      await pause()
      expect(got).toEqual(['question'])
      const second = arrival()
      plan.healAll()
      await second
      expect(got).toEqual(['question', 'answer'])
      client.destroy()
      await listener.close()
    }))
})
