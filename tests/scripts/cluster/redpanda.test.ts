import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { ensurePublicImage, type ImageSource } from '#scripts/cluster/compose/public-image.ts'
import { redpandaComposeFile, redpandaImage } from '#scripts/cluster/compose/redpanda.ts'
import { clusterSpec, type SpecRequest } from '#scripts/cluster/spec.ts'
import { capabilitiesOf } from '#scripts/cluster/cluster.ts'
import { composeRuntimeCapabilities } from '#scripts/cluster/compose/compose-cluster.ts'
import { processRuntime } from '#scripts/cluster/process/runtime.ts'
import { chooseRuntime } from '#scripts/cluster/runtimes.ts'

const specOf = (request: Partial<SpecRequest> = {}) =>
  clusterSpec({ name: 'red', runtime: 'compose', engine: 'redpanda', ...request })

describe('a cluster of Redpanda', () => {
  test('is a Compose project of the public image, with fsync, and addresses for this machine and for the network', () => {
    const text = redpandaComposeFile(specOf({ nodes: { 2: { rack: 'b' } } }), { title: ['x'], project: 'p' })
    expect(text.match(/image: redpandadata\/redpanda:v26\.1\.9/g)).toHaveLength(3)
    expect(text).not.toContain('dev-container')
    expect(text).toContain("'--seeds=broker-1:33145,broker-2:33145,broker-3:33145'")
    expect(text).toContain("'--advertise-kafka-addr=internal://broker-2:19092,external://127.0.0.1:9093'")
    expect(text).toContain("- '127.0.0.1:9094:9092'")
    expect(text.match(/redpanda\.rack=b/g)).toHaveLength(1)
    expect(redpandaImage(specOf({ engine: 'redpanda:25.3.1' }))).toBe('redpandadata/redpanda:v25.3.1')
  })

  test.each<[Partial<SpecRequest>, string]>([
    [{ runtime: 'process' }, 'The engine redpanda runs in containers only.'],
    [{ runtime: 'simulated' }, 'The engine redpanda runs in containers only.'],
    [{ controllers: 3 }, '--controllers is not there on the engine redpanda'],
    [{ security: 'sasl' }, '--security is not there on the engine redpanda'],
    [{ dataDir: '/data' }, '--data is not there on the engine redpanda'],
    [{ settings: { 'num.partitions': '2' } }, '--set is not there on the engine redpanda'],
    [{ faults: true }, '--faults is not there on the engine redpanda'],
    [
      { engine: 'faultline', runtime: 'process', nodes: { 2: { engine: 'redpanda' } } },
      'The engine redpanda runs in containers only.',
    ],
  ])('is refused as %j', (request, message) => {
    expect(() => specOf(request)).toThrow(message)
  })

  test('can do what containers can, but for what reaches into its nodes', async () => {
    const capabilities = capabilitiesOf({ capabilities: composeRuntimeCapabilities }, 'redpanda')
    expect([...capabilities].sort()).toEqual(['kill', 'pause', 'restart', 'stop'])
    expect(await chooseRuntime('redpanda')).toMatchObject({ name: 'compose' })
    expect(await processRuntime.available('redpanda')).toMatchObject({ available: false })
  })
})

describe('a public image', () => {
  const notFound = Object.assign(new Error('no such image'), { statusCode: 404 })

  /** A Docker engine that has an image or not, and whose pull ends as it is told. */
  function engine(options: { has: boolean; refused?: string; brokenOff?: string }) {
    const pulled: string[] = []
    const source: ImageSource = {
      getImage: () => ({
        inspect: () => (options.has ? Promise.resolve({ Id: 'sha256:1' } as never) : Promise.reject(notFound)),
      }),
      pull(name) {
        pulled.push(name)
        return options.refused === undefined
          ? Promise.resolve(new PassThrough())
          : Promise.reject(new Error(options.refused))
      },
      modem: {
        followProgress: (_, done) => done(options.brokenOff === undefined ? null : new Error(options.brokenOff)),
      },
    }
    return { source, pulled }
  }
  const said: string[] = []
  const progress = (text: string): void => void said.push(text)

  test('that is there is not pulled', async () => {
    const { source, pulled } = engine({ has: true })
    await ensurePublicImage(source, 'a/b:v1', progress)
    expect(pulled).toEqual([])
  })

  test('that is not there is pulled, and said', async () => {
    const { source, pulled } = engine({ has: false })
    await ensurePublicImage(source, 'a/b:v1', progress)
    expect(pulled).toEqual(['a/b:v1'])
    expect(said).toEqual(['Pulling the image a/b:v1 (once)'])
  })

  test.each([{ refused: 'no such host' }, { brokenOff: 'no such host' }])(
    'that cannot be had is the machine’s lack, with the reason: %j',
    async how => {
      const { source } = engine({ has: false, ...how })
      await expect(ensurePublicImage(source, 'a/b:v1', progress)).rejects.toMatchObject({
        message: 'The image a/b:v1 cannot be pulled: no such host.',
        exitCode: 3,
      })
    },
  )
})
