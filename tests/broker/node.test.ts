/** A node that cannot start says what to do, and leaves its directories as a clean stop does. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { parseBrokerConfig } from '#broker/config/parse.ts'
import { failingDisk } from '#broker/environment/faulty/failing-disk.ts'
import { FaultPlan } from '#broker/environment/faulty/fault-plan.ts'
import { faultyEnvironment } from '#broker/environment/faulty/faulty-environment.ts'
import { nodeFaultRuntime } from '#broker/environment/faulty/node-runtime.ts'
import { nodeEnvironment } from '#broker/environment/node/node-environment.ts'
import { Node } from '#broker/node.ts'
import { StartupError } from '#broker/startup-error.ts'
import { freePort } from '#tests/conformance/harness.ts'

function settings(directory: string, over: Readonly<Record<string, string>>) {
  const given = {
    'process.roles': 'broker',
    'node.id': '1',
    'cluster.id': 'AAAAAAAAAAAAAAAAAAAABA',
    'controller.quorum.voters': '100@127.0.0.1:1',
    'controller.listener.names': 'CONTROLLER',
    listeners: 'PLAINTEXT://127.0.0.1:0',
    'log.dirs': directory,
    ...over,
  }
  return parseBrokerConfig(new Map(Object.entries(given))).config
}

const node = (directory: string, over: Readonly<Record<string, string>>): Node =>
  new Node({
    config: settings(directory, over),
    environment: nodeEnvironment({ logLevel: 'error', logFormat: 'json' }),
  })

test.each(['', 'my-cluster', 'AAAAAAAAAAAAAAAAAAAABA=='])('a cluster is not founded as "%s"', async clusterId => {
  const directory = mkdtempSync(path.join(tmpdir(), 'faultline-node-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const start = node(directory, { 'cluster.id': clusterId }).start()
  await expect(start).rejects.toThrow(/cluster\.id .*22 characters in base64url.*for instance [\w-]{22},/)
})

test('the id of a cluster may be spelled with other spare bits than on the disk, and with nothing else', async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'faultline-node-'))
  const server = createServer()
  await new Promise<void>(resolve => server.listen({ host: '127.0.0.1', port: 0 }, resolve))
  onTestFinished(() => {
    server.close()
    rmSync(directory, { recursive: true, force: true })
  })
  // A start that gets past its storage meets the port.
  const listeners = `PLAINTEXT://127.0.0.1:${(server.address() as AddressInfo).port}`
  const written = [
    '#',
    'version=1',
    'cluster.id=5L6g3nShT-eMCtK--X86sw',
    'node.id=1',
    'directory.id=AAAAAAAAAAAAAAAAAAAADQ',
    '',
  ]
  writeFileSync(path.join(directory, 'meta.properties'), written.join('\n'))
  const start = (clusterId: string) => node(directory, { listeners, 'cluster.id': clusterId }).start()
  await expect(start('5L6g3nShT-eMCtK--X86sz')).rejects.toThrow('the port is in use')
  await expect(start('5L6g3nShT-eMCtK--X86tw')).rejects.toThrow(
    'belongs to cluster 5L6g3nShT-eMCtK--X86sw, but cluster.id says 5L6g3nShT-eMCtK--X86tw',
  )
})

test('a port that is in use costs no recovery at the next start', async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'faultline-node-'))
  const server = createServer()
  await new Promise<void>(resolve => server.listen({ host: '127.0.0.1', port: 0 }, resolve))
  onTestFinished(() => {
    server.close()
    rmSync(directory, { recursive: true, force: true })
  })
  const { port } = server.address() as AddressInfo
  const start = node(directory, { listeners: `PLAINTEXT://127.0.0.1:${port}` }).start()
  await expect(start).rejects.toThrow(StartupError)
  expect(existsSync(path.join(directory, '.kafka_cleanshutdown'))).toBe(true)
})

test('a log directory that cannot even be locked is offline, and the others serve', async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'faultline-node-'))
  const [whole, broken] = [path.join(directory, 'whole'), path.join(directory, 'broken')]
  // In place of a directory: its id cannot be read.
  writeFileSync(broken, '')
  const port = await freePort()
  const only = node(whole, {
    'process.roles': 'broker,controller',
    'controller.quorum.voters': `1@127.0.0.1:${port}`,
    listeners: `PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:${port}`,
    'log.dirs': `${whole},${broken}`,
  })
  onTestFinished(async () => {
    await only.stop()
    rmSync(directory, { recursive: true, force: true })
  })
  // The first heartbeats name the directories that are offline.
  await only.start()
  expect(only.broker?.lifecycle.state).toBe('RUNNING')
  expect(only.storage?.logs?.directories.map(({ id, online }) => [id !== '', online])).toEqual([
    [true, true],
    [false, false],
  ])
})

test('a log directory that only fails by the time the node starts again is offline, and the others serve', async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'faultline-node-'))
  const [whole, broken] = [path.join(directory, 'whole'), path.join(directory, 'broken')]
  const port = await freePort()
  const config = settings(whole, {
    'process.roles': 'broker,controller',
    'controller.quorum.voters': `1@127.0.0.1:${port}`,
    listeners: `PLAINTEXT://127.0.0.1:0,CONTROLLER://127.0.0.1:${port}`,
    'log.dirs': `${whole},${broken}`,
  })
  const environment = nodeEnvironment({ logLevel: 'error', logFormat: 'json' })
  const first = new Node({ config, environment })
  await first.start()
  await first.stop()
  const noCrash = nodeFaultRuntime(reason => {
    throw new Error(reason)
  })
  const plan = new FaultPlan(environment.random)
  plan.add(failingDisk({ path: new RegExp(`^${broken}(/|$)`) }))
  const again = new Node({ config, environment: faultyEnvironment(environment, plan, noCrash) })
  onTestFinished(async () => {
    await again.stop()
    rmSync(directory, { recursive: true, force: true })
  })
  await again.start()
  expect(again.broker?.lifecycle.state).toBe('RUNNING')
  expect(again.storage?.logs?.directories.map(({ online }) => online)).toEqual([true, false])
})
