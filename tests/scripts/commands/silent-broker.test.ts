/** Commands that wait for a broker which takes connections and never answers, as one behind a black hole does. */
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import path from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ownProcess } from '#scripts/cluster/lifecycle.ts'
import { nodeDirectory, projectRoot, writeJson } from '#scripts/cluster/state.ts'
import { ClusterHome } from './cluster-home.ts'

const home = new ClusterHome('faultline-silent-')
const sockets = new Set<Socket>()
const broker = createServer(socket => {
  sockets.add(socket)
  socket.on('error', () => undefined).resume()
  heard?.()
})
let port = 0
let heard: (() => void) | undefined

beforeAll(async () => {
  broker.listen(0, '127.0.0.1')
  await once(broker, 'listening')
  port = (broker.address() as AddressInfo).port
  const spec = await home.record({ name: 'silent', brokers: 1, port })
  const running = { process: await ownProcess(), intent: 'up' }
  writeJson(path.join(nodeDirectory(spec.name, 1), 'process.json'), running)
})
afterAll(() => {
  for (const socket of sockets) socket.destroy()
  broker.close()
  home.remove()
})

function start(...args: string[]) {
  const connected = new Promise<void>(resolve => (heard = resolve))
  const running = execa(path.join(projectRoot, 'faultline'), [...args, '--name', 'silent'], {
    reject: false,
    env: { FAULTLINE_HOME: home.folder, NO_COLOR: '1' },
  })
  const waits = `Waiting for the broker at 127.0.0.1:${port}`
  let said = ''
  // From the beginning on: it may say so before this process has heard of the connection.
  const saysSo = new Promise<void>(resolve => {
    running.stderr.on('data', chunk => {
      said += String(chunk)
      if (said.includes(waits)) resolve()
    })
  })
  const ended = running.then(({ stderr }) => {
    throw new Error(`it ended before it said "${waits}":\n${stderr}`)
  })
  return { connected, running, says: Promise.race([saysSo, ended]) }
}

describe('with a broker that never answers', () => {
  test.each([
    [['topic', 'list'], 'SIGINT', 130],
    [['topic', 'create', 'orders'], 'SIGTERM', 143],
    [['group', 'list'], 'SIGINT', 130],
    [['consume', 'orders'], 'SIGINT', 130],
    [['produce', 'orders', 'one'], 'SIGINT', 130],
    [['inspect'], 'SIGTERM', 143],
  ] as const)('%j says whom it waits for, and ends at the first %s', async (args, signal, code) => {
    const { connected, running, says } = start(...args)
    await Promise.all([connected, says])
    running.kill(signal)
    const { exitCode, stderr } = await running
    // Left, and not ended because the client library had given up.
    expect(stderr).toContain(`Interrupted (${signal}).`)
    expect(exitCode).toBe(code)
  })
})
