/** Nodes in containers that become another version of their engine: another image on the volumes that they have, under the load of a real client. */
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ensureImage } from '#scripts/cluster/compose/docker.ts'
import { ensureKafkaImage } from '#scripts/cluster/compose/kafka-image.ts'
import { attachCluster } from '#scripts/cluster/runtimes.ts'
import { describeWith } from '../machine.ts'
import { startKafkaQuickly } from '../quick-java.ts'
import { numbers } from './broken-cluster.ts'
import { leftOf } from './containers.ts'
import { freePort, Toolkit } from './faultline-command.ts'
import { underLoad, valuesOf } from './under-load.ts'

const settings = ['min.insync.replicas=2', 'group.initial.rebalance.delay.ms=0', 'offsets.topic.num.partitions=4']

function upOf(engine: string, ...more: string[]) {
  const toolkit = new Toolkit()
  const cluster = `cupgrade-${engine.replaceAll(/[^a-z]/g, '')}-${process.pid}`
  const name = ['--name', cluster]
  beforeAll(async () => {
    const shape = ['--runtime', 'compose', '--engine', engine, ...more, '--port', await freePort()]
    await toolkit.here('up', ...name, ...shape, ...settings.flatMap(each => ['--set', each]))
  }, 600_000)
  afterAll(() => toolkit.remove())
  const containerOf = (id: number) => `faultline-${cluster}-broker-${id}-1`
  const imageOf = async (id: number): Promise<string> =>
    (await execa('docker', ['inspect', '--format', '{{.Config.Image}}', containerOf(id)])).stdout
  const versions = async () => (await (await attachCluster(cluster)).nodes()).map(({ version }) => version)
  const states = async () => (await (await attachCluster(cluster)).nodes()).map(({ state }) => state)
  return { toolkit, cluster, name, containerOf, imageOf, versions, states }
}

const running = ['running', 'running', 'running']

describeWith(['docker', 'apache-kafka'], 'Apache Kafka in containers', () => {
  startKafkaQuickly()
  beforeAll(async () => {
    for (const engineVersion of ['3.9.1', '4.3.1']) await ensureKafkaImage({ engineVersion }, () => {}, undefined)
  }, 600_000)
  const { toolkit, cluster, name, imageOf, versions, states } = upOf('apache-kafka:3.9.1')

  test('rolls from 3.9.1 to 4.3.1 under load, and loses and repeats nothing', async () => {
    const { applied, acked } = await underLoad(toolkit, 'rolling-upgrade', 'all', '--release', '4.3.1', ...name)
    for (const { proofs } of applied) {
      expect(proofs[0]?.shown).toBe(true)
      expect(proofs[0]?.text).toMatch(
        /from the image \S+apache-kafka:4\.3\.1, and says that it is 4\.3\.1|apache\/kafka:4/,
      )
    }
    expect(await valuesOf(toolkit, 'orders', ...name)).toEqual(numbers(0, acked))
    expect(await versions()).toEqual(['4.3.1', '4.3.1', '4.3.1'])
    for (const id of [1, 2, 3]) expect(await imageOf(id)).toMatch(/:4\.3\.1$/)
  })

  test('takes releases, and no images', async () => {
    const add = (...words: string[]) => toolkit.here('fault', 'add', 'upgrade', '2', ...words, ...name)
    await expect(add('--image', 'faultline/broker:dev')).rejects.toThrow('on apache-kafka needs --release, and no')
    await expect(add('--release', '1.0.0')).rejects.toThrow('expected a release from')
    expect(await states()).toEqual(running)
  })

  test('goes down and leaves nothing', async () => {
    await toolkit.here('down', ...name)
    expect(await leftOf(cluster)).toEqual([])
    expect(toolkit.isEmpty).toBe(true)
  })
})

describeWith(['docker'], 'Faultline in containers', () => {
  const other = `faultline/broker:other-${process.pid}`
  const noBroker = `faultline/broker:none-${process.pid}`
  beforeAll(async () => {
    await ensureImage(() => {}, undefined)
    await execa('docker', ['tag', 'faultline/broker:dev', other])
    await execa('docker', ['build', '--tag', noBroker, '-'], {
      input: `FROM ${other}\nCMD ["sh", "-c", "echo this is no broker; exit 3"]\n`,
    })
  }, 600_000)
  afterAll(async () => {
    await execa('docker', ['rmi', '--force', other, noBroker])
  })
  const { toolkit, cluster, name, containerOf, imageOf, versions, states } = upOf('faultline')
  /** All that its containers had so far, also those without a name. */
  const volumes = new Set<string>()
  const noteVolumes = async (): Promise<void> => {
    const { stdout } = await execa('docker', ['inspect', ...[1, 2, 3].map(containerOf)])
    const containers = JSON.parse(stdout) as readonly { readonly Mounts: readonly { readonly Name?: string }[] }[]
    for (const { Name } of containers.flatMap(({ Mounts }) => Mounts)) if (Name !== undefined) volumes.add(Name)
  }

  test('rolls to another image under load, and loses and repeats nothing', async () => {
    const { applied, acked } = await underLoad(toolkit, 'rolling-upgrade', 'all', '--image', other, ...name)
    expect(applied.map(({ proofs }) => proofs[0])).toMatchObject(
      [1, 2, 3].map(node => ({ node, shown: true, text: `it serves again, from the image ${other}` })),
    )
    expect(await valuesOf(toolkit, 'orders', ...name)).toEqual(numbers(0, acked))
  })

  test('is so at the next start, too, and after down --keep-data', async () => {
    await toolkit.here('fault', 'add', 'upgrade', '1', '--image', 'faultline/broker:dev', ...name)
    await toolkit.here('restart', '2', ...name)
    await toolkit.here('fault', 'add', 'kill', '3', ...name)
    await toolkit.here('fault', 'heal', '--all', ...name)
    const look = async () => [await versions(), await Promise.all([1, 2, 3].map(imageOf))]
    const mixed = ['faultline/broker:dev', other, other]
    expect(await look()).toEqual([mixed, mixed])
    const before = await valuesOf(toolkit, 'orders', ...name)
    await noteVolumes()
    await toolkit.here('down', '--keep-data', ...name)
    await toolkit.here('up', ...name)
    expect(await look()).toEqual([mixed, mixed])
    expect(await valuesOf(toolkit, 'orders', ...name)).toEqual(before)
  })

  test('is what it was when another image does not serve', async () => {
    const before = await versions()
    const adding = toolkit.here('fault', 'add', 'upgrade', '2', '--image', noBroker, ...name)
    await expect(adding).rejects.toThrow('this is no broker')
    await (await attachCluster(cluster)).waitReady()
    expect(await versions()).toEqual(before)
    expect(await imageOf(2)).toBe(other)
    expect(await states()).toEqual(running)
  })

  describe('refuses', () => {
    test.each([
      ['an image that is not there', ['--image', 'faultline/broker:nowhere'], 'There is no image'],
      ['releases', ['--release', '4.3.1'], 'on faultline needs --image, and no --release or --program'],
      ['programs', ['--program', 'main.ts'], 'on faultline needs --image, and no --release or --program'],
    ])('%s', async (_, words, message) => {
      await expect(toolkit.here('fault', 'add', 'upgrade', '2', ...words, ...name)).rejects.toThrow(message)
      expect(await states()).toEqual(running)
    })
  })

  test('leaves no volume when it is taken away', async () => {
    await noteVolumes()
    expect(volumes.size).toBeGreaterThan(3)
    await toolkit.here('down', ...name)
    const left = (await execa('docker', ['volume', 'ls', '--quiet'])).stdout.split('\n')
    expect(left.filter(volume => volumes.has(volume))).toEqual([])
  })
})
