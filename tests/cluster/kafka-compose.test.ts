/** Apache Kafka in containers: the same commands as for our broker, and the same faults, inside its nodes and of its links. */
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { poll } from '#scripts/cluster/clock.ts'
import { ensureImage } from '#scripts/cluster/compose/docker.ts'
import { ensureKafkaImage } from '#scripts/cluster/compose/kafka-image.ts'
import type { ActiveFault, FaultProof } from '#scripts/faults/kind.ts'
import { describeWith } from '../machine.ts'
import { leftOf } from './containers.ts'
import { freePort, Toolkit } from './faultline-command.ts'

type Listed = ActiveFault & { readonly proofs?: readonly FaultProof[] }

describeWith(['docker', 'apache-kafka'], 'Apache Kafka in containers', () => {
  const toolkit = new Toolkit()
  const cluster = `kafka-${process.pid}`
  const name = ['--name', cluster]
  const json = async (...words: string[]): Promise<unknown> =>
    JSON.parse((await toolkit.run('fault', ...words, ...name, '--json')).stdout)
  const listed = async () => (await json('list')) as readonly Listed[]
  async function proved(kind: string, ...words: string[]): Promise<Listed> {
    const found = ((await json('add', kind, ...words)) as readonly Listed[]).find(fault => fault.name === kind)
    expect({ kind, proofs: found?.proofs }).toMatchObject({ kind, proofs: [{ shown: true }] })
    return found!
  }

  beforeAll(async () => {
    await ensureImage(() => {}, undefined)
    // Packages of Java and a compiler, the first time.
    await ensureKafkaImage({ faults: true }, () => {}, undefined)
    const shape = ['--runtime', 'compose', '--engine', 'apache-kafka', '--brokers', '2', '--faults', '--proxy']
    const quick = ['--set', 'broker.session.timeout.ms=3000', '--set', 'broker.heartbeat.interval.ms=500']
    await toolkit.run('up', ...name, ...shape, ...quick, '--port', await freePort({ proxy: true }))
  }, 600_000)
  afterAll(() => toolkit.remove())

  test('takes records and gives them back, also after a stop, a kill and a start', async () => {
    await toolkit.run('topic', 'create', 'letters', '--partitions', '2', '--replicas', '2', ...name)
    await toolkit.run('produce', 'letters', 'a', 'b', ...name)
    await toolkit.run('kill', '2', ...name)
    await toolkit.run('start', '2', ...name)
    await toolkit.run('produce', 'letters', 'c', ...name)
    expect(await toolkit.values(cluster, 'letters')).toEqual(['a', 'b', 'c'])
  })

  test('is broken inside by the faults that our broker has, proved and healed', async () => {
    const slow = await proved('slow-disk', '2', '--delay', '100', '--path', 'letters-.*log$')
    await proved('full-disk', '2', '--after', '1000000000')
    await proved('torn-write', '2', '--path', 'nothing')
    await proved('clock-jump', '2', '--offset', '5000')
    await proved('memory-pressure', '2', '--size', '16')
    // So little that also a busy machine has more.
    await proved('cpu-limit', '2', '--cores', '0.05')
    await json('heal', 'cpu-limit-2')
    await toolkit.run('produce', 'letters', 'd', 'e', 'f', ...name)
    const now = await listed()
    expect(now.map(({ name: kind }) => kind)).toEqual([
      ...['slow-disk', 'full-disk', 'torn-write', 'clock-jump', 'memory-pressure'],
    ])
    expect(now.find(({ id }) => id === slow.id)?.hits).toBeGreaterThan(0)
    await proved('dropped-links', '2')
    expect(await json('heal', '--all')).toEqual([])
    expect(await toolkit.values(cluster, 'letters')).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
  })

  test('ends at a write, and keeps for its next start what is wrong with its machine', async () => {
    await proved('clock-jump', '2', '--offset', '-5000')
    await proved('crash-at', '2', '--path', '__cluster_metadata-0/.*log$')
    // Nobody has to do anything for it: the controller writes twice a second, and every node what it wrote.
    const ended = await poll(async () => ((await toolkit.states(cluster))[1] === 'dead' ? true : undefined), {
      everyMs: 300,
      timeoutMs: 120_000,
    })
    expect(ended).toBe(true)
    expect((await listed()).map(({ name: kind }) => kind)).toEqual(['down', 'clock-jump'])
    expect(await json('heal', '--all')).toEqual([])
    expect(await toolkit.states(cluster)).toEqual(['running', 'running'])
  })

  const cutPower = async (nodes: string, ...ids: readonly number[]): Promise<void> => {
    const applied = (await json('add', 'power-failure', nodes)) as readonly Listed[]
    const proved = applied.filter(({ proofs }) => proofs !== undefined)
    expect(proved.map(({ node }) => node)).toEqual(ids)
    for (const { proofs } of proved)
      expect(proofs).toMatchObject([
        { shown: true },
        {
          shown: true,
          text: expect.stringContaining('what was not fsynced of a file is gone, the rest is there') as string,
        },
      ])
  }
  /** Kafka does that when it checkpoints its high watermarks, every five seconds. */
  async function untilNameIsDurable(directory: string): Promise<void> {
    for (const id of [1, 2]) {
      const look = [
        'exec',
        `faultline-${cluster}-broker-${id}-1`,
        'grep',
        '-rqs',
        ` ${directory}$`,
        '/var/lib/faultline/durable/dirs',
      ]
      const seen = await poll(
        async () => (await execa('docker', look, { reject: false })).exitCode === 0 || undefined,
        {
          everyMs: 300,
          timeoutMs: 120_000,
        },
      )
      expect(seen).toBe(true)
    }
  }

  test('loses its power, and with it what was not fsynced', async () => {
    const before = await toolkit.values(cluster, 'letters')
    await cutPower('2', 2)
    expect(await json('heal', '--all')).toEqual([])
    expect(await toolkit.values(cluster, 'letters')).toEqual(before)
    const shape = ['--partitions', '1', '--replicas', '2', ...name]
    await toolkit.run('topic', 'create', 'flushed', ...shape, '--set', 'flush.messages=1')
    await toolkit.run('topic', 'create', 'unflushed', ...shape)
    for (const topic of ['flushed', 'unflushed']) await untilNameIsDurable(`${topic}-0`)
    for (const topic of ['flushed', 'unflushed']) await toolkit.run('produce', topic, 'a', 'b', ...name)
    await cutPower('all', 1, 2)
    expect(await json('heal', '--all')).toEqual([])
    expect(await toolkit.values(cluster, 'flushed')).toEqual(['a', 'b'])
    expect(await toolkit.values(cluster, 'unflushed')).toEqual([])
    const { exitCode, stderr } = await toolkit.start('fault', 'add', 'power-failure', '2', '--loss', 'part', ...name)
    expect(stderr).toContain('--loss part is not there on the engine apache-kafka')
    expect(exitCode).toBe(2)
    expect(await toolkit.states(cluster)).toEqual(['running', 'running'])
  })

  test('has links that are cut, and request by request changed', async () => {
    const cut = (await json('add', 'cut', '--from', '2', '--to', '1')) as Listed
    expect(cut.proofs?.map(({ shown }) => shown)).toEqual([true, true])
    const error = (await json(
      'add',
      'error',
      '--from',
      'client',
      '--to',
      '1',
      '--api',
      'Metadata',
      ...['--code', 'UNKNOWN_SERVER_ERROR', '--client-id', '^nobody$'],
    )) as Listed
    expect(error.proofs?.map(({ shown }) => shown)).toEqual([true])
    expect(await json('heal', '--all')).toEqual([])
  })

  test('goes down and leaves nothing', async () => {
    await toolkit.run('down', ...name)
    expect(await leftOf(cluster)).toEqual([])
    expect(toolkit.isEmpty).toBe(true)
  })
})
