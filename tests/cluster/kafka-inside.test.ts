/** Apache Kafka as processes with a library in front of each JVM: what is claimed of its containers, and what processes have of their own. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { conditionOf, type ProcessHandle } from '#scripts/cluster/process/liveness.ts'
import { describeWith } from '../machine.ts'
import { freePort } from './faultline-command.ts'
import { BrokenKafka, insideClaims, shape } from './kafka-claims.ts'

describeWith(['java', 'apache-kafka', 'cc'], 'Apache Kafka as processes', () => {
  const kafka: BrokenKafka = new BrokenKafka('kafka-inside', (id, directory) => {
    const listings = path.join(ordersOf(id), 'durable', 'dirs')
    const isNamed = (file: string) => readFileSync(path.join(listings, file), 'utf8').includes(` ${directory}\n`)
    return Promise.resolve(readdirSync(listings).some(isNamed))
  })
  const { toolkit, cluster, name } = kafka
  const ordersOf = (id: number) => path.join(toolkit.home, cluster, `node-${id}`, 'faults')

  beforeAll(async () => {
    await toolkit.run('up', ...name, ...shape, '--runtime', 'process', '--port', await freePort())
  }, 600_000)
  afterAll(() => toolkit.remove())

  insideClaims(kafka)

  test('a command that is cut off leaves a fault that is listed and healed, also while its node is down', async () => {
    const words = ['fault', 'add', 'clock-drift', '2', '--rate', '0.1', ...name]
    const adding = toolkit.start(...words)
    // The proof takes two seconds, and the rules are written before it.
    await expect
      .poll(() => readFileSync(path.join(ordersOf(2), 'rules'), 'utf8'), { timeout: 60_000 })
      .toContain('clock-drift')
    adding.kill('SIGKILL')
    await adding
    await toolkit.run('kill', '2', ...name)
    // What is wrong with the machine outlives an exchange of its disk, too.
    await toolkit.run('wipe', '2', ...name)
    const listed = await kafka.listed()
    expect(listed.map(({ name: kind }) => kind)).toEqual(['down', 'clock-drift'])
    await kafka.json('heal', listed[1]!.id)
    expect(await kafka.kinds()).toEqual(['down'])
  })

  test('rules that nobody can read are told of, and go with the next exchange of the disk', async () => {
    writeFileSync(path.join(ordersOf(2), 'rules'), 'faultline 7\n')
    expect((await toolkit.start('fault', 'list', ...name)).stderr).toContain('are damaged')
    await toolkit.run('wipe', '2', ...name)
    expect(await kafka.json('heal', '--all')).toEqual([])
    expect(await toolkit.states(cluster)).toEqual(['running', 'running'])
    expect(await toolkit.values(cluster, 'flushed')).toEqual(['a', 'b'])
  })

  test('what would need more than a library is refused, with the reason', async () => {
    for (const [kind, ...words] of [
      ['dropped-links'],
      ['memory-pressure', '--size', '8'],
      ['cpu-limit', '--cores', '1'],
    ]) {
      const { exitCode, stderr } = await toolkit.start('fault', 'add', kind!, '2', ...words, ...name)
      expect(stderr).toContain(`The fault ${kind} is not there on this cluster (process, apache-kafka): needs root`)
      expect(exitCode).toBe(2)
    }
  })

  test('goes down and leaves no process and no file', async () => {
    const handles = [1, 2].map(id => {
      const file = path.join(toolkit.home, cluster, `node-${id}`, 'process.json')
      return (JSON.parse(readFileSync(file, 'utf8')) as { process: ProcessHandle }).process
    })
    expect(await Promise.all(handles.map(conditionOf))).toEqual(['running', 'running'])
    await toolkit.run('down', ...name)
    // As what it was: its parent may take a while to ask for the end of it.
    expect(await Promise.all(handles.map(conditionOf))).toEqual(['gone', 'gone'])
    expect(toolkit.isEmpty).toBe(true)
  })
})
