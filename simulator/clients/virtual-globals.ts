/**
 * Gives code that was written for Node.js, such as kafkajs, the time and chance of a world: the global timers, Date, Math.random,
 * performance.now, process.hrtime and crypto's random functions, while a simulation runs and not a moment longer.
 *
 * kafkajs 2.2.4 looks all of these up when it calls them, so it needs no change. Not covered: libuv's other threads (asynchronous zlib,
 * dns): clients in a simulation must not use gzip through node:zlib.
 */
import { createRequire, syncBuiltinESMExports } from 'node:module'
import type { WorldEvent } from '../world/event-queue.ts'
import { Prng } from '../world/prng.ts'
import type { World } from '../world/world.ts'

const require = createRequire(import.meta.url)
const crypto = require('node:crypto') as Record<string, unknown>
const files = require('node:fs/promises') as Record<string, unknown>

let active: World | undefined

/** Runs `body` with the globals of the world; restores the real ones however it ends. Not twice at a time. */
export async function withVirtualGlobals<T>(world: World, body: () => Promise<T>): Promise<T> {
  const leave = enterVirtualGlobals(world)
  try {
    return await body()
  } finally {
    leave()
  }
}

/** The same for a host that begins and ends in different places. @returns what restores the real globals */
export function enterVirtualGlobals(world: World): () => void {
  if (active !== undefined)
    throw new Error('Another simulation has the global clock of this process: run one after the other')
  active = world
  const restore = replaceAll(replacements(world))
  return () => {
    if (active !== world) return
    restore()
    active = undefined
  }
}

interface Replacement {
  readonly owner: object
  readonly name: string
  readonly value: unknown
}

function replaceAll(list: readonly Replacement[]): () => void {
  const saved = list.map(({ owner, name }) => Object.getOwnPropertyDescriptor(owner, name))
  for (const { owner, name, value } of list) {
    Object.defineProperty(owner, name, { value, configurable: true, enumerable: true, writable: true })
  }
  // Whoever imported a function of a built-in module by name gets the replacement, too.
  syncBuiltinESMExports()
  return () => {
    for (const [index, { owner, name }] of list.entries()) {
      const descriptor = saved[index]
      if (descriptor === undefined) delete (owner as Record<string, unknown>)[name]
      else Object.defineProperty(owner, name, descriptor)
    }
    syncBuiltinESMExports()
  }
}

function replacements(world: World): Replacement[] {
  const random = new Prng(world.seed, 'clients')
  const hrtime = virtualHrtime(world)
  return [
    ...timers(world).map(([name, value]) => ({ owner: globalThis, name, value })),
    { owner: globalThis, name: 'Date', value: virtualDate(world) },
    { owner: Math, name: 'random', value: () => random.uint32() / 2 ** 32 },
    { owner: performance, name: 'now', value: () => world.nowUs / 1000 },
    { owner: process, name: 'hrtime', value: hrtime },
    { owner: crypto, name: 'randomBytes', value: (count: number) => random.bytes(count) },
    { owner: crypto, name: 'randomUUID', value: () => uuid(random) },
    {
      owner: globalThis.crypto,
      name: 'getRandomValues',
      value: <T extends ArrayBufferView>(view: T) => fill(view, random),
    },
    { owner: globalThis.crypto, name: 'randomUUID', value: () => uuid(random) },
    ...heldFiles(world),
  ]
}

/** The host's own files (a history to write, a report) take real time; virtual time stands still meanwhile. */
function heldFiles(world: World): Replacement[] {
  return Object.entries(files)
    .filter(([name, value]) => typeof value === 'function' && name !== 'watch')
    .map(([name, value]) => {
      const real = value as (...values: unknown[]) => Promise<unknown>
      return { owner: files, name, value: (...values: unknown[]) => world.hold(() => real.apply(files, values)) }
    })
}

// -------------------------------------------------------------------------------------------------------------- timers

/** What setTimeout answers. */
class VirtualTimeout {
  readonly #world: World
  readonly #run: () => void
  readonly #delayMs: number
  readonly #repeats: boolean
  #event: WorldEvent | undefined

  constructor(world: World, options: { run: () => void; delayMs: number; repeats: boolean }) {
    this.#world = world
    this.#run = options.run
    this.#delayMs = options.delayMs
    this.#repeats = options.repeats
    this.#arm()
  }

  cancel(): void {
    if (this.#event !== undefined) this.#world.cancel(this.#event)
    this.#event = undefined
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  hasRef(): boolean {
    return true
  }

  refresh(): this {
    this.cancel()
    this.#arm()
    return this
  }

  close(): void {
    this.cancel()
  }

  #arm(): void {
    this.#event = this.#world.schedule('client-timer', undefined, Math.round(this.#delayMs * 1000), () => {
      this.#event = undefined
      if (this.#repeats) this.#arm()
      this.#run()
    })
  }
}

type Callback = (...values: unknown[]) => void

/**
 * kafkajs asks for a negative delay, again and again, on every connection that has nothing to wait for. Node.js makes it 1 ms; a busy
 * machine may as well take this long, and the simulation does not spend its time on a thousand idle checks a second.
 */
const negativeDelayMs = 50

/** As Node.js has it: nonsense, and what exceeds 31 bits, becomes the least delay. */
function honouredDelayMs(askedMs: number, leastMs: number): number {
  if (askedMs < 0) return negativeDelayMs
  return askedMs >= leastMs && askedMs < 2 ** 31 ? Math.floor(askedMs) : leastMs
}

function timers(world: World): [name: string, value: unknown][] {
  const begin = (options: { run: () => void; delayMs: unknown; least: number; repeats: boolean }): VirtualTimeout => {
    const delayMs = honouredDelayMs(Number(options.delayMs), options.least)
    return new VirtualTimeout(world, { run: options.run, delayMs, repeats: options.repeats })
  }
  const clear = (timer: unknown): void => {
    if (timer instanceof VirtualTimeout) timer.cancel()
  }
  return [
    [
      'setTimeout',
      (run: Callback, delayMs?: unknown, ...values: unknown[]) =>
        begin({ run: () => run(...values), delayMs, least: 1, repeats: false }),
    ],
    [
      'setInterval',
      (run: Callback, delayMs?: unknown, ...values: unknown[]) =>
        begin({ run: () => run(...values), delayMs, least: 1, repeats: true }),
    ],
    [
      'setImmediate',
      (run: Callback, ...values: unknown[]) =>
        begin({ run: () => run(...values), delayMs: 0, least: 0, repeats: false }),
    ],
    ['clearTimeout', clear],
    ['clearInterval', clear],
    ['clearImmediate', clear],
  ]
}

// --------------------------------------------------------------------------------------------------------------- clock

const RealDate = Date

function virtualDate(world: World): DateConstructor {
  function VirtualDate(this: unknown, ...values: unknown[]): unknown {
    if (new.target === undefined) return new RealDate(world.wallMs).toString()
    const target = new.target === (VirtualDate as unknown) ? RealDate : new.target
    return Reflect.construct(RealDate, values.length === 0 ? [world.wallMs] : values, target)
  }
  VirtualDate.prototype = RealDate.prototype
  VirtualDate.now = () => world.wallMs
  VirtualDate.parse = RealDate.parse
  VirtualDate.UTC = RealDate.UTC
  return VirtualDate as unknown as DateConstructor
}

function virtualHrtime(world: World): NodeJS.HRTime {
  const hrtime = (since?: [number, number]): [number, number] => {
    const seconds = Math.floor(world.nowUs / 1e6)
    const nanos = (world.nowUs % 1e6) * 1000
    if (since === undefined) return [seconds, nanos]
    const elapsed = (seconds - since[0]) * 1e9 + nanos - since[1]
    return [Math.floor(elapsed / 1e9), elapsed % 1e9]
  }
  return Object.assign(hrtime, { bigint: () => BigInt(world.nowUs) * 1000n })
}

// -------------------------------------------------------------------------------------------------------------- chance

function fill<T extends ArrayBufferView>(view: T, random: Prng): T {
  random.bytes(view.byteLength).copy(Buffer.from(view.buffer, view.byteOffset, view.byteLength))
  return view
}

function uuid(random: Prng): string {
  const bytes = random.bytes(16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
