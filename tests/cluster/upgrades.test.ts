/** Nodes that become another version of their engine, one after the other and under load, on the data that they have. */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { brokerEntry } from '#scripts/cluster/process/broker-bundle.ts'
import { commandLineOf } from '#scripts/cluster/process/liveness.ts'
import { attachCluster } from '#scripts/cluster/runtimes.ts'
import { describeWith } from '../machine.ts'
import { startKafkaQuickly } from '../quick-java.ts'
import { numbers } from './broken-cluster.ts'
import { freePort, Toolkit } from './faultline-command.ts'
import { underLoad, valuesOf } from './under-load.ts'

const settings = ['min.insync.replicas=2', 'group.initial.rebalance.delay.ms=0', 'offsets.topic.num.partitions=4']

function upOf(...engine: string[]): Toolkit {
  const toolkit = new Toolkit()
  beforeAll(async () => {
    const shape = ['--runtime', 'process', ...engine, '--port', await freePort()]
    await toolkit.here('up', ...shape, ...settings.flatMap(each => ['--set', each]))
  })
  afterAll(() => toolkit.remove())
  return toolkit
}

describeWith(['java', 'maven'], 'Apache Kafka', () => {
  startKafkaQuickly()
  const toolkit = upOf('--engine', 'apache-kafka:3.9.1')

  test('rolls from 3.9.1 to 4.3.1 under load, and loses and repeats nothing', async () => {
    const { applied, acked } = await underLoad(toolkit, 'rolling-upgrade', 'all', '--release', '4.3.1')
    expect(applied.map(({ proofs }) => proofs[0]?.shown)).toEqual([true, true, true])
    expect(applied[0]?.proofs[0]?.text).toMatch(/process \d+ before, \d+ now; it serves, from .*4\.3\.1/)
    expect(await valuesOf(toolkit, 'orders')).toEqual(numbers(0, acked))
    for (const { version, log } of await (await attachCluster('default')).nodes()) {
      expect(version).toBe('4.3.1')
      expect(readFileSync(log, 'utf8')).toMatch(/Kafka version: 3\.9\.1[^]*Kafka version: 4\.3\.1/)
    }
  })
})

describe('Faultline', () => {
  const toolkit = upOf()

  test('rolls to another program under load, and loses and repeats nothing', async () => {
    const program = path.join(toolkit.folder, `other-broker${path.extname(brokerEntry())}`)
    copyFileSync(brokerEntry(), program)
    const { applied, acked } = await underLoad(toolkit, 'rolling-upgrade', 'all', '--program', program)
    expect(applied.map(({ proofs }) => proofs[0]?.shown)).toEqual([true, true, true])
    expect(applied[2]?.proofs[0]?.text).toContain(program)
    // It is so at the next start, too.
    await toolkit.here('restart', '2')
    const { pid = 0, version } = (await (await attachCluster('default')).nodes())[1]!
    expect({ version, line: await commandLineOf(pid) }).toEqual({
      version: program,
      line: expect.stringContaining(program) as string,
    })
    expect(await valuesOf(toolkit, 'orders')).toEqual(numbers(0, acked))
  })

  test('is what it was when another program does not serve', async () => {
    const before = (await (await attachCluster('default')).nodes()).map(({ version }) => version)
    const program = path.join(toolkit.folder, 'no-broker.mjs')
    writeFileSync(program, 'console.error("this is no broker"); process.exit(3)')
    await expect(toolkit.here('fault', 'add', 'upgrade', '2', '--program', program)).rejects.toThrow(
      'this is no broker',
    )
    await (await attachCluster('default')).waitReady()
    const nodes = await (await attachCluster('default')).nodes()
    expect(nodes.map(({ version }) => version)).toEqual(before)
    expect(nodes.map(({ state }) => state)).toEqual(['running', 'running', 'running'])
  })

  test('takes files, and no releases', async () => {
    const add = (...words: string[]) => toolkit.here('fault', 'add', 'upgrade', '2', ...words)
    await expect(add('--release', '4.3.1')).rejects.toThrow('on faultline needs --program, and no --release')
    await expect(add('--program', 'nowhere.mjs')).rejects.toThrow('There is no file')
    expect((await (await attachCluster('default')).nodes()).map(({ state }) => state)).toEqual([
      'running',
      'running',
      'running',
    ])
  })
})
