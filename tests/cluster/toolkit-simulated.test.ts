/** A simulated cluster that stays: commands and real clients use it like any other, over real ports. */
import { Kafka, logLevel } from 'kafkajs'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { conditionOf, signalProcess, waitFor } from '#scripts/cluster/process/liveness.ts'
import { freePort, Toolkit } from './faultline-command.ts'
import { writeToMoved } from './moved-partition.ts'
import path from 'node:path'
import type { HostFile } from '#scripts/cluster/simulated/host-protocol.ts'

describe('a simulated cluster in real time', () => {
  const toolkit = new Toolkit()
  const name = ['--name', 'dream']
  let port = 0
  beforeAll(async () => {
    port = Number(await freePort())
  })
  afterAll(() => toolkit.remove())

  test('comes up on real ports', async () => {
    const document = await toolkit.document('up', ...name, '--runtime', 'simulated', '--port', String(port))
    expect(document).toMatchObject({ name: 'dream', runtime: 'simulated', engine: 'faultline', controllers: [] })
    expect(document.bootstrap).toBe([0, 1, 2].map(step => `127.0.0.1:${port + step}`).join(','))
    expect(document.brokers.map(({ state }) => state)).toEqual(['running', 'running', 'running'])
  })

  test('serves a client that knows nothing of a simulation, also while a broker is dead', async () => {
    const kafka = new Kafka({ brokers: [`127.0.0.1:${port}`, `127.0.0.1:${port + 2}`], logLevel: logLevel.NOTHING })
    await toolkit.run('topic', 'create', 'letters', '--partitions', '1', ...name)
    // It takes a while until the brokers that are left take the dead one for dead.
    const producer = kafka.producer({ idempotent: true, retry: { retries: 100 } })
    await producer.connect()
    const send = (value: string) => producer.send({ topic: 'letters', acks: -1, messages: [{ value }] })
    await send('a')
    await toolkit.run('kill', '2', ...name)
    expect(await toolkit.states('dream')).toEqual(['running', 'stopped', 'running'])
    await send('b')
    await toolkit.run('start', '2', ...name)
    await send('c')
    await producer.disconnect()
    expect(await toolkit.values('dream', 'letters')).toEqual(['a', 'b', 'c'])
  })

  test('freezes a broker and lets it go on', async () => {
    await toolkit.run('pause', '3', ...name)
    expect(await toolkit.states('dream')).toEqual(['running', 'running', 'paused'])
    await toolkit.run('fault', 'heal', '--all', ...name)
    expect(await toolkit.states('dream')).toEqual(['running', 'running', 'running'])
  })

  test('shows its nodes from within', async () => {
    const { stdout } = await toolkit.run('inspect', ...name)
    expect(stdout).toContain('unfenced brokers: 1, 2, 3')
    expect((await toolkit.run('logs', '1', ...name)).stdout).toContain('node started')
  })

  const record = () => readFileSync(path.join(toolkit.home, 'dream', 'cluster.json'), 'utf8')
  const folders = () => readdirSync(path.join(toolkit.home, 'dream')).filter(file => file.startsWith('node-'))

  test('refuses to grow where a port of a new broker is taken, and has changed nothing', async () => {
    const before = record()
    for (const [taken, use] of [
      [port + 3, 'clients of broker 4'],
      [port + 203, 'the inspector of node 4'],
    ] as const) {
      const server = createServer()
      await new Promise<void>(resolve => server.listen({ host: '127.0.0.1', port: taken }, resolve))
      const { exitCode, stderr } = await toolkit.start('scale', ...name)
      await new Promise(resolve => server.close(resolve))
      expect(stderr).toContain(`Port taken on 127.0.0.1: ${taken} (${use}).`)
      expect(exitCode).toBe(3)
    }
    expect(record()).toBe(before)
    expect(folders()).toHaveLength(3)
  })

  test('that does not come to serve with more brokers is as it was', async () => {
    const before = JSON.parse(record()) as { spec: { added?: number } }
    // Nobody is a majority: the new broker registers with nobody.
    await toolkit.run('kill', '2', '3', ...name)
    const command = toolkit.start('grow', ...name)
    await new Promise<void>((resolve, reject) => {
      command.stderr.on('data', chunk => {
        if (String(chunk).includes('Waiting until every broker serves')) resolve()
      })
      command.then(() => reject(new Error('it ended before it was interrupted')), reject)
    })
    command.kill('SIGINT')
    expect((await command).exitCode).toBe(130)
    expect(JSON.parse(record())).toEqual({ ...before, spec: { ...before.spec, added: 0 } })
    expect(folders()).toHaveLength(3)
    await toolkit.run('start', '2', '3', ...name)
    expect(await toolkit.states('dream')).toEqual(['running', 'running', 'running'])
  })

  test('grows by brokers that a client writes to', async () => {
    const { bootstrap, brokers } = await toolkit.document('grow', '--by', '2', ...name)
    expect(bootstrap).toBe([0, 1, 2, 3, 4].map(step => `127.0.0.1:${port + step}`).join(','))
    expect(brokers.map(({ state }) => state)).toEqual(Array.from({ length: 5 }, () => 'running'))
    await writeToMoved(new Kafka({ brokers: bootstrap.split(','), logLevel: logLevel.NOTHING }), 5)
    expect(await toolkit.values('dream', 'moved')).toEqual(['there'])
    expect((await toolkit.run('logs', '5', ...name)).stdout).toContain('node started')
    await toolkit.run('kill', '4', ...name)
    await toolkit.run('start', '4', ...name)
    expect(await toolkit.states('dream')).toEqual(Array.from({ length: 5 }, () => 'running'))
  })

  test('proves a rolling restart, after which every node runs', async () => {
    const { stdout } = await toolkit.run('fault', 'add', 'rolling-restart', 'all', '--json', ...name)
    const proofs = (JSON.parse(stdout) as { proofs?: { shown: boolean; text: string }[] }[]).flatMap(
      fault => fault.proofs,
    )
    expect(proofs).toMatchObject([1, 2, 3, 4, 5].map(() => ({ shown: true })))
    expect(await toolkit.states('dream')).toEqual(Array.from({ length: 5 }, () => 'running'))
  })

  test('has no data to keep', async () => {
    const { exitCode, stderr } = await toolkit.start('down', '--keep-data', ...name)
    expect(stderr).toContain('there is no data to keep')
    expect(exitCode).toBe(2)
  })

  test('goes down and leaves nothing', async () => {
    const file = path.join(toolkit.home, 'dream', 'simulation.json')
    const host = JSON.parse(readFileSync(file, 'utf8')) as HostFile
    await signalProcess(host.process, 'SIGKILL')
    expect(await waitFor(host.process, 'gone', 60_000)).toBe(true)
    const again = await toolkit.start('up', ...name, '--runtime', 'simulated', '--port', String(port))
    expect(again.stderr).toContain('the process that simulates it has ended')
    for (const { stderr, stdout } of [again, await toolkit.start('doctor')]) {
      expect(stderr + stdout).toContain('./faultline down --name dream')
      expect(stderr + stdout).not.toContain('./faultline start')
    }
    await toolkit.run('down', ...name)
    expect(await conditionOf(host.process)).toBe('gone')
    expect(toolkit.isEmpty).toBe(true)
  })
})
