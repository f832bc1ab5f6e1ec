/** Nodes of Apache Kafka as processes with a library in front of them, with a program in the place of the JVM that waits for its end. */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { buildLibrary } from '#scripts/cluster/apache-kafka/fault-library.ts'
import { preloadEnvironment } from '#scripts/cluster/apache-kafka/preload.ts'
import { freeBasePort } from '#scripts/cluster/ports.ts'
import type { NodeFiles, ProcessEngine } from '#scripts/cluster/process/engine.ts'
import { ProcessCluster } from '#scripts/cluster/process/process-cluster.ts'
import { clusterSpec } from '#scripts/cluster/spec.ts'
import { dataDirectory, nodeDirectory } from '#scripts/cluster/state.ts'
import { describeWith } from '../../../machine.ts'

describeWith(['cc'], 'a node of Apache Kafka as a process', () => {
  let root: string
  let cluster: ProcessCluster
  let data: string
  let orders: string
  /** What the storage was when it was to be formatted. */
  let formatted: string | undefined
  let environment: (node: NodeFiles) => Readonly<Record<string, string>>

  const engine: ProcessEngine = {
    nodeMemoryBytes: 0,
    readyTimeoutMs: 1_000,
    available: () => Promise.resolve({ available: true }),
    prepare: () => Promise.resolve(),
    format() {
      const file = path.join(data, 'meta.properties')
      formatted = existsSync(file) ? readFileSync(file, 'utf8') : undefined
      return Promise.resolve()
    },
    properties: () => ({}),
    launch: node => ({ command: 'sleep', args: ['1000000'], environment: environment(node) }),
    inVersion: () => engine,
    mark: '',
  }

  beforeAll(() => {
    root = mkdtempSync(path.join(tmpdir(), 'faultline-kafka-'))
    vi.stubEnv('KAFKA_CACHE', path.join(root, 'cache'))
  })
  afterAll(() => {
    vi.unstubAllEnvs()
    rmSync(root, { recursive: true, force: true })
  })
  beforeEach(async () => {
    vi.stubEnv('FAULTLINE_HOME', mkdtempSync(path.join(root, 'home of ')))
    const shape = { runtime: 'process', engine: 'apache-kafka', brokers: 1, faults: true, port: 0 } as const
    const asked = clusterSpec({ ...shape, name: 'inside' })
    const spec = { ...asked, port: await freeBasePort(asked) }
    const record = { version: 1, spec, clusterId: 'c', phase: 'up', owner: { pid: 1, identity: '' }, foreignData: [] }
    cluster = new ProcessCluster(record as never, engine)
    data = dataDirectory(spec, 1)
    const directory = nodeDirectory(spec.name, 1)
    orders = path.join(directory, 'faults')
    mkdirSync(data, { recursive: true })
    writeFileSync(path.join(directory, 'server.properties'), '')
    environment = preloadEnvironment
  })
  afterEach(() => cluster.endAll())

  const state = async () => (await cluster.nodes())[0]?.state

  test('keeps to rules that it is given, whatever the folders above it are called', async () => {
    await cluster.start(1)
    const added = await cluster.nodeFaults!.add(1, { kind: 'slow-disk', parameters: { delay: 50 }, proof: true })
    expect(added.proof).toMatchObject({ shown: true })
    await cluster.pause(1)
    await expect(cluster.nodeFaults!.heal(1, 'all')).rejects.toThrow('Node 1 is paused')
    await cluster.kill(1)
    expect(await cluster.nodeFaults!.list(1)).toMatchObject([{ name: 'slow-disk' }])
    expect(await cluster.nodeFaults!.heal(1, 'all')).toMatchObject([{ name: 'slow-disk' }])
    expect(await cluster.nodeFaults!.list(1)).toEqual([])
    expect(formatted).toBeUndefined()
  })

  test('that does not load the library is ended, and the start refused', async () => {
    // As a loader does with a library that is not for it: it goes on without.
    const jvm = path.join(root, 'libjvm.so')
    copyFileSync(path.join(await buildLibrary({ progress: () => undefined, signal: undefined }), 'libfaults.so'), jvm)
    environment = () => ({ LD_PRELOAD: jvm })
    await expect(cluster.start(1)).rejects.toThrow('The JVM of node 1 does not load')
    expect(await state()).toBe('stopped')
  })

  test('ends a power failure that was cut off before anybody takes its storage for unformatted', async () => {
    mkdirSync(path.join(orders, 'durable.cut'), { recursive: true })
    writeFileSync(path.join(orders, 'durable.cut', 'roots'), `${data}\n`)
    mkdirSync(path.join(data, '.faultline-moving'))
    writeFileSync(path.join(data, '.faultline-moving', 'meta.properties'), 'node.id=1\n')
    await cluster.start(1)
    expect(formatted).toBe('node.id=1\n')
    expect(existsSync(path.join(data, '.faultline-moving'))).toBe(false)
  })

  test('whose disk is exchanged knows nothing any more of what was durable of it', async () => {
    await cluster.start(1)
    await expect.poll(() => existsSync(path.join(orders, 'durable', 'ready')), { timeout: 30_000 }).toBe(true)
    await cluster.kill(1)
    await cluster.wipe(1)
    expect(existsSync(path.join(orders, 'durable'))).toBe(false)
    await expect(cluster.powerFailure([1])).rejects.toThrow('Nobody knows what node 1 has fsynced')
    await expect(cluster.powerFailure([1], { loss: 'part', names: 'ordered', seed: 1 })).rejects.toThrow(
      '--loss part is not there on the engine apache-kafka',
    )
  })
})
