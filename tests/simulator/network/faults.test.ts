import { describe, expect, test } from 'vitest'
import type { NetworkError, Socket } from '#broker/environment/environment.ts'
import { World } from '#simulator/world/world.ts'
import type { WorldSettings } from '#simulator/world/settings.ts'

interface Side {
  socket: Socket | undefined
  text: string
  closed: string | undefined
  opened: boolean
}

function side(): Side {
  return { socket: undefined, text: '', closed: undefined, opened: false }
}

function handlers(record: Side): {
  opened(): void
  data(chunk: Buffer): void
  closed(error: NetworkError | undefined): void
} {
  return {
    opened: () => (record.opened = true),
    data: chunk => (record.text += chunk.toString()),
    closed: error => (record.closed = error?.code ?? 'end'),
  }
}

/** Two machines, `a` connected to `b`. */
async function scene(
  body: (world: World, a: Side, b: Side) => Promise<void>,
  settings: Partial<WorldSettings> = {},
): Promise<void> {
  const world = new World({ seed: 11, settings })
  const a = side()
  const b = side()
  await world.run(async () => {
    const listening = world.node('b').start().network
    await listening.listen({ host: '', port: 1 }, socket => {
      b.socket = socket
      socket.handle(handlers(b))
    })
    a.socket = world.node('a').start().network.connect({ host: 'b', port: 1 }, handlers(a))
    await world.sleep(10)
    await body(world, a, b)
  })
}

const send = (from: Side, text: string): boolean => from.socket!.write([Buffer.from(text)])

describe('a connection', () => {
  test('shows its peers addresses, not names, and can be opened by address', () =>
    scene(async (world, a, b) => {
      expect(a.socket!.remote).toEqual({ host: 'b', port: 1 })
      expect(b.socket!.remote).toEqual(a.socket!.local)
      expect(b.socket!.remote.host).toMatch(/^10\.0\.0\.\d+$/)
      const again = side()
      world.node('a').environment.network.connect({ host: world.node('b').ip, port: 1 }, handlers(again))
      await world.sleep(10)
      expect(again.opened).toBe(true)
    }))
})

describe('a cut link', () => {
  test('holds bytes back and delivers them in order when it heals', () =>
    scene(async (world, a, b) => {
      world.network.cut('a', 'b')
      send(a, 'one')
      send(a, 'two')
      await world.sleep(5000)
      expect(b.text).toBe('')
      world.network.heal('a', 'b')
      send(a, 'three')
      await world.sleep(1000)
      expect(b.text).toBe('onetwothree')
      expect(a.closed).toBeUndefined()
    }))

  test('in one direction leaves the other as it was', () =>
    scene(async (world, a, b) => {
      world.network.cut('a', 'b')
      send(a, 'question')
      send(b, 'news')
      await world.sleep(100)
      expect([a.text, b.text]).toEqual(['news', ''])
      world.network.heal('a', 'b')
      await world.sleep(1000)
      expect(b.text).toBe('question')
    }))

  test('times a connection out that has bytes on the way, and leaves the other end in the dark', () =>
    scene(
      async (world, a, b) => {
        world.network.cut('a', 'b')
        send(a, 'lost')
        await world.sleep(2000)
        expect([a.closed, b.closed]).toEqual(['ETIMEDOUT', undefined])
      },
      { retransmitTimeoutMs: 1000 },
    ))

  test('lets a connection open only after it heals, and no later than the kernel tries', () =>
    scene(
      async world => {
        world.network.cut('a', 'b')
        const late = side()
        const never = side()
        world.node('a').environment.network.connect({ host: 'b', port: 1 }, handlers(late))
        await world.sleep(2000)
        expect(late.opened).toBe(false)
        world.network.heal('a', 'b')
        await world.sleep(5000)
        expect(late.opened).toBe(true)
        world.network.cut('b', 'a')
        world.node('a').environment.network.connect({ host: 'b', port: 1 }, handlers(never))
        await world.sleep(60_000)
        expect(never).toMatchObject({ opened: false, closed: 'ETIMEDOUT' })
      },
      { connectTimeoutMs: 10_000 },
    ))

  test('that was cut twice wants to be healed twice', () =>
    scene(async (world, a, b) => {
      world.network.cut('a', 'b')
      world.network.cut('a', 'b')
      world.network.heal('a', 'b')
      send(a, 'x')
      await world.sleep(1000)
      expect(b.text).toBe('')
      world.network.heal('a', 'b')
      await world.sleep(1000)
      expect(b.text).toBe('x')
    }))
})

describe('a process that ends', () => {
  test('closes or resets its connections, and its port refuses', () =>
    scene(async (world, a) => {
      world.node('b').kill()
      const next = side()
      world.node('a').environment.network.connect({ host: 'b', port: 1 }, handlers(next))
      await world.sleep(100)
      expect(['end', 'ECONNRESET']).toContain(a.closed)
      expect(next.closed).toBe('ECONNREFUSED')
    }))

  test('gets nothing any more: no data, no timer, no callback', () =>
    scene(async (world, a, b) => {
      const { timers, disk } = world.node('b').environment
      let ran = 0
      timers.after(1, () => ran++)
      timers.soon(() => ran++)
      const file = disk.open('/f', 'write')
      file.syncLater(() => ran++)
      send(a, 'too late')
      world.node('b').kill()
      world.node('b').start()
      await world.sleep(1000)
      expect([ran, b.text, b.closed]).toEqual([0, '', undefined])
      expect(() => file.size()).toThrow('it is no more')
      timers.soon(() => ran++)
      await world.sleep(10)
      expect(ran).toBe(0)
    }))
})

describe('a machine without power', () => {
  test('is silent; when it is back it resets the connections of its former life', () =>
    scene(async (world, a) => {
      world.node('b').powerFailure()
      send(a, 'hello?')
      await world.sleep(20_000)
      expect(a.closed).toBeUndefined()
      world.node('b').start()
      await world.sleep(1000)
      expect(a.closed).toBe('ECONNRESET')
    }))
})

describe('a paused process', () => {
  test('misses nothing: all that waited runs in order when it resumes', () =>
    scene(async (world, a, b) => {
      const b1 = world.node('b')
      const order: string[] = []
      b1.environment.timers.after(5, () => order.push('timer'))
      b1.pause()
      send(a, 'one')
      await world.sleep(50)
      send(a, 'two')
      await world.sleep(1000)
      expect([b.text, order.length]).toEqual(['', 0])
      b1.resume()
      send(a, 'three')
      await world.sleep(100)
      expect([b.text, order]).toEqual(['onetwothree', ['timer']])
      expect(a.closed).toBeUndefined()
    }))

  test('can be killed, and what waited for it is answered with a reset', () =>
    scene(async (world, a) => {
      world.node('b').pause()
      send(a, 'x')
      await world.sleep(100)
      world.node('b').kill()
      await world.sleep(100)
      expect(['end', 'ECONNRESET']).toContain(a.closed)
    }))
})

describe('a slow link', () => {
  test('takes longer in its direction', () =>
    scene(async (world, a, b) => {
      world.network.links.slow('a', 'b', 300_000)
      send(a, 'x')
      await world.sleep(299)
      expect(b.text).toBe('')
      await world.sleep(10)
      expect(b.text).toBe('x')
    }))
})
