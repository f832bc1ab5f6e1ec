/** Limits on connections, seen from outside: who comes when there are enough of them waits (KIP-402), and is served when one ends. */
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startCluster, type Cluster } from './harness.ts'

/** ApiVersions v0, without a client id. */
const apiVersions = Buffer.from([0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 255, 255])
/** Long beside what an answer takes, short beside what a test may take. */
const silenceMs = 1_000

describe('a listener that may have two connections', () => {
  let cluster: Cluster
  const sockets: Socket[] = []
  beforeAll(async () => {
    cluster = await startCluster({ settings: { 'listener.name.plaintext.max.connections': '2' } })
  })
  afterAll(async () => {
    for (const socket of sockets) socket.destroy()
    await cluster?.stop()
  })

  /** A connection that asks at once, and the promise of its answer. */
  function ask(): { socket: Socket; answer: Promise<string> } {
    const socket = connect({ host: '127.0.0.1', port: cluster.broker().port })
    sockets.push(socket)
    socket.write(apiVersions)
    const answer = new Promise<string>(resolve => {
      socket.once('data', () => resolve('answered'))
      socket.once('close', () => resolve('closed'))
      socket.once('error', () => resolve('closed'))
    })
    return { socket, answer }
  }

  test('lets a third one wait until one of them ends', async () => {
    const first = ask()
    expect(await first.answer).toBe('answered')
    expect(await ask().answer).toBe('answered')
    const third = ask()
    expect(await Promise.race([third.answer, delay(silenceMs, 'silent')])).toBe('silent')
    first.socket.destroy()
    expect(await third.answer).toBe('answered')
  })

  test('serves the next ones when all have gone', async () => {
    for (const socket of sockets.splice(0)) socket.destroy()
    expect(await ask().answer).toBe('answered')
  })
})
