/** What is claimed of Apache Kafka with faults inside its nodes, in containers as well as in processes: a cluster of two brokers, the second of which is broken. */
import { expect, test } from 'vitest'
import { poll } from '#scripts/cluster/clock.ts'
import type { ActiveFault, FaultProof } from '#scripts/faults/kind.ts'
import { Toolkit } from './faultline-command.ts'

export type Listed = ActiveFault & { readonly proofs?: readonly FaultProof[] }

/** What `up` is asked for, whatever the runtime. */
export const shape = [
  ...['--engine', 'apache-kafka', '--brokers', '2', '--faults'],
  ...['--set', 'broker.session.timeout.ms=3000', '--set', 'broker.heartbeat.interval.ms=500'],
]

export class BrokenKafka {
  readonly toolkit = new Toolkit()
  readonly cluster: string
  readonly name: readonly string[]
  /** Whether the library of a node has noted that the name of a directory of its data is fsynced. */
  readonly isNameDurable: (node: number, directory: string) => Promise<boolean>

  constructor(cluster: string, isNameDurable: (node: number, directory: string) => Promise<boolean>) {
    this.cluster = cluster
    this.name = ['--name', cluster]
    this.isNameDurable = isNameDurable
  }

  async json(...words: string[]): Promise<unknown> {
    return JSON.parse((await this.toolkit.run('fault', ...words, ...this.name, '--json')).stdout)
  }

  async listed(): Promise<readonly Listed[]> {
    return (await this.json('list')) as readonly Listed[]
  }

  /** Kinds of what is at work. */
  async kinds(): Promise<readonly string[]> {
    return (await this.listed()).map(({ name }) => name)
  }
}

export async function proved(kafka: BrokenKafka, kind: string, ...words: string[]): Promise<Listed> {
  const found = ((await kafka.json('add', kind, ...words)) as readonly Listed[]).find(fault => fault.name === kind)
  expect({ kind, proofs: found?.proofs }).toMatchObject({ kind, proofs: [{ shown: true }] })
  return found!
}

/** Of all these nodes at one instant; of each it was seen what it took. */
async function cutPower(kafka: BrokenKafka, nodes: string, ...ids: readonly number[]): Promise<void> {
  const applied = (await kafka.json('add', 'power-failure', nodes)) as readonly Listed[]
  const proved = applied.filter(({ proofs }) => proofs !== undefined)
  expect(proved.map(({ node }) => node)).toEqual(ids)
  const wanted = expect.stringContaining('what was not fsynced of a file is gone, the rest is there') as string
  for (const { proofs } of proved) expect(proofs).toMatchObject([{ shown: true }, { shown: true, text: wanted }])
}

/** On both brokers. Kafka does that when it checkpoints its high watermarks, every five seconds. */
async function untilNameIsDurable(kafka: BrokenKafka, directory: string): Promise<void> {
  for (const id of [1, 2]) {
    const look = async () => (await kafka.isNameDurable(id, directory)) || undefined
    expect(await poll(look, { everyMs: 300, timeoutMs: 120_000 })).toBe(true)
  }
}

export function insideClaims(kafka: BrokenKafka): void {
  const { toolkit, cluster, name } = kafka

  test('takes records and gives them back, also after a stop, a kill and a start', async () => {
    await toolkit.run('topic', 'create', 'letters', '--partitions', '2', '--replicas', '2', ...name)
    await toolkit.run('produce', 'letters', 'a', 'b', ...name)
    await toolkit.run('kill', '2', ...name)
    await toolkit.run('start', '2', ...name)
    await toolkit.run('produce', 'letters', 'c', ...name)
    expect(await toolkit.values(cluster, 'letters')).toEqual(['a', 'b', 'c'])
  })

  test('is broken inside by the faults that our broker has, proved and healed', async () => {
    const slow = await proved(kafka, 'slow-disk', '2', '--delay', '100', '--path', 'letters-.*log$')
    await proved(kafka, 'full-disk', '2', '--after', '1000000000')
    await proved(kafka, 'torn-write', '2', '--path', 'nothing')
    await proved(kafka, 'clock-jump', '2', '--offset', '5000')
    await toolkit.run('produce', 'letters', 'd', 'e', 'f', ...name)
    expect(await kafka.kinds()).toEqual(['slow-disk', 'full-disk', 'torn-write', 'clock-jump'])
    expect((await kafka.listed()).find(({ id }) => id === slow.id)?.hits).toBeGreaterThan(0)
    expect(await kafka.json('heal', '--all')).toEqual([])
    expect(await toolkit.values(cluster, 'letters')).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
  })

  test('ends at a write, and keeps for its next start what is wrong with its machine', async () => {
    await proved(kafka, 'clock-jump', '2', '--offset', '-5000')
    await proved(kafka, 'crash-at', '2', '--path', '__cluster_metadata-0/.*log$')
    // Nobody has to do anything for it: the controller writes twice a second, and every node what it wrote.
    const ended = await poll(async () => ((await toolkit.states(cluster))[1] === 'dead' ? true : undefined), {
      everyMs: 300,
      timeoutMs: 120_000,
    })
    expect(ended).toBe(true)
    expect(await kafka.kinds()).toEqual(['down', 'clock-jump'])
    expect(await kafka.json('heal', '--all')).toEqual([])
    expect(await toolkit.states(cluster)).toEqual(['running', 'running'])
  })

  test('loses its power, and with it what was not fsynced', async () => {
    const before = await toolkit.values(cluster, 'letters')
    await cutPower(kafka, '2', 2)
    expect(await kafka.json('heal', '--all')).toEqual([])
    expect(await toolkit.values(cluster, 'letters')).toEqual(before)
    const both = ['--partitions', '1', '--replicas', '2', ...name]
    await toolkit.run('topic', 'create', 'flushed', ...both, '--set', 'flush.messages=1')
    await toolkit.run('topic', 'create', 'unflushed', ...both)
    for (const topic of ['flushed', 'unflushed']) await untilNameIsDurable(kafka, `${topic}-0`)
    for (const topic of ['flushed', 'unflushed']) await toolkit.run('produce', topic, 'a', 'b', ...name)
    await cutPower(kafka, 'all', 1, 2)
    expect(await kafka.json('heal', '--all')).toEqual([])
    expect(await toolkit.values(cluster, 'flushed')).toEqual(['a', 'b'])
    expect(await toolkit.values(cluster, 'unflushed')).toEqual([])
    const { exitCode, stderr } = await toolkit.start('fault', 'add', 'power-failure', '2', '--loss', 'part', ...name)
    expect(stderr).toContain('--loss part is not there on the engine apache-kafka')
    expect(exitCode).toBe(2)
    expect(await toolkit.states(cluster)).toEqual(['running', 'running'])
  })
}
