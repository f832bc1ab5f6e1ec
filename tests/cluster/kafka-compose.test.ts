/** Apache Kafka in containers: the same commands as for our broker, and the same faults, inside its nodes and of its links. */
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ensureImage } from '#scripts/cluster/compose/docker.ts'
import { ensureKafkaImage } from '#scripts/cluster/compose/kafka-image.ts'
import { describeWith } from '../machine.ts'
import { leftOf } from './containers.ts'
import { freePort } from './faultline-command.ts'
import { BrokenKafka, insideClaims, proved, shape, type Listed } from './kafka-claims.ts'

describeWith(['docker', 'apache-kafka'], 'Apache Kafka in containers', () => {
  const cluster = `kafka-${process.pid}`
  const kafka = new BrokenKafka(cluster, async (id, directory) => {
    const container = `faultline-${cluster}-broker-${id}-1`
    const look = ['exec', container, 'grep', '-rqs', ` ${directory}$`, '/var/lib/faultline/durable/dirs']
    return (await execa('docker', look, { reject: false })).exitCode === 0
  })
  const { toolkit, name } = kafka

  beforeAll(async () => {
    await ensureImage(() => {}, undefined)
    // Packages of Java and a compiler, the first time.
    await ensureKafkaImage({ faults: true }, () => {}, undefined)
    const where = ['--runtime', 'compose', '--proxy', '--port', await freePort({ proxy: true })]
    await toolkit.run('up', ...name, ...shape, ...where)
  }, 600_000)
  afterAll(() => toolkit.remove())

  insideClaims(kafka)

  test('has its memory, its processors and its network card broken, too', async () => {
    await proved(kafka, 'memory-pressure', '2', '--size', '16')
    // So little that also a busy machine has more.
    await proved(kafka, 'cpu-limit', '2', '--cores', '0.05')
    await kafka.json('heal', 'cpu-limit-2')
    expect(await kafka.kinds()).toEqual(['memory-pressure'])
    await proved(kafka, 'dropped-links', '2')
    expect(await kafka.json('heal', '--all')).toEqual([])
  })

  test('has links that are cut, and request by request changed', async () => {
    const cut = (await kafka.json('add', 'cut', '--from', '2', '--to', '1')) as Listed
    expect(cut.proofs?.map(({ shown }) => shown)).toEqual([true, true])
    const error = (await kafka.json(
      ...['add', 'error', '--from', 'client', '--to', '1', '--api', 'Metadata'],
      ...['--code', 'UNKNOWN_SERVER_ERROR', '--client-id', '^nobody$'],
    )) as Listed
    expect(error.proofs?.map(({ shown }) => shown)).toEqual([true])
    expect(await kafka.json('heal', '--all')).toEqual([])
  })

  test('goes down and leaves nothing', async () => {
    await toolkit.run('down', ...name)
    expect(await leftOf(cluster)).toEqual([])
    expect(toolkit.isEmpty).toBe(true)
  })
})
