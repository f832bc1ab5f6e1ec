import { X509Certificate } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { nodeIds } from '#scripts/cluster/cluster.ts'
import { ComposeCluster, composeRuntimeCapabilities } from '#scripts/cluster/compose/compose-cluster.ts'
import { prepareGrowth } from '#scripts/cluster/compose/grow.ts'
import { certifiedHosts, composePath, makeNodeFolders, writeComposeFile } from '#scripts/cluster/compose/project.ts'
import { isOf } from '#scripts/cluster/compose/sweep.ts'
import { ownProcess } from '#scripts/cluster/lifecycle.ts'
import { makeSecurity, nodeCertificateFile } from '#scripts/cluster/security/material.ts'
import type { SpecRequest } from '#scripts/cluster/spec.ts'
import { type ClusterRecord, nodeDirectory, readRecord, removeState, writeRecord } from '#scripts/cluster/state.ts'
import { recordOf, useStateFolder } from '../written-cluster.ts'

const name = 'growing'
const home = useStateFolder(name)

/** What `up` leaves of a cluster beside its containers. */
async function made(request: Partial<SpecRequest> = {}): Promise<ClusterRecord> {
  const record = await recordOf({ name, runtime: 'compose', ...request })
  const { spec } = record
  mkdirSync(path.join(home(), name), { recursive: true })
  makeNodeFolders(spec, nodeIds(spec))
  const security = await makeSecurity(spec, certifiedHosts(spec))
  writeComposeFile(record, image, security)
  writeRecord(record)
  return record
}

const image = 'kafka:mine'
const prepare = (record: ClusterRecord, by = 1) =>
  prepareGrowth(record, by, { imageIsThere: () => Promise.resolve(image) })

const composeText = () => readFileSync(composePath(name), 'utf8')

/** Each service as Compose reads it: its lines, with the variables that all have. */
function services(text: string): Map<string, string[]> {
  const [head = '', rest = ''] = text.split('\nservices:\n')
  const common = head
    .split('x-environment: &environment\n')[1]!
    .split('\n')
    .map(line => line.trim())
  const blocks = rest.split(/^volumes:$/m)[0]!.split(/^ {2}(?=[a-z-]+\d*:$)/m)
  return new Map(
    blocks
      .filter(block => block.includes('environment:'))
      .map(block => {
        const lines = block.split('\n').map(line => line.trim())
        return [block.slice(0, block.indexOf(':')), [...common, ...lines].filter(line => line !== '').sort()]
      }),
  )
}

/** All files below a folder with what is in them. */
function everything(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  const paths = files.map(entry => path.join(entry.parentPath, entry.name)).sort()
  return Object.fromEntries(paths.map(file => [path.relative(folder, file), readFileSync(file, 'utf8')]))
}

describe('more brokers for a cluster of containers', () => {
  test.each<Partial<SpecRequest>>([
    {},
    { controllers: 3 },
    { faults: true },
    { brokers: 1 },
    { engine: 'apache-kafka' },
    { engine: 'apache-kafka', faults: true },
    { proxy: true },
    { proxy: true, controllers: 3 },
    { proxy: true, engine: 'apache-kafka' },
  ])('are in a Compose file that has all others as they were: %j', async request => {
    const before = await made(request)
    const were = services(composeText())
    const growth = await prepare(before, 2)
    growth.write()
    const are = services(composeText())
    // A proxy that runs gets its links from the toolkit; with these it begins the next time.
    const isProxied = before.spec.proxy === true
    expect(were.delete('proxy')).toBe(isProxied)
    expect(are.get('proxy')?.join('\n').includes(`"from":${growth.fresh[0]}`)).toBe(isProxied || undefined)
    are.delete('proxy')
    for (const [service, lines] of were) expect(are.get(service)).toEqual(lines)
    const [first = 0] = growth.fresh
    const fresh = growth.fresh.map(id => `broker-${id}`)
    expect([...are.keys()].filter(service => !were.has(service))).toEqual(fresh)
    const lines = are.get(`broker-${first}`)
    expect(lines?.includes(`- '127.0.0.1:${before.spec.port + first - 1}:9092'`)).toBe(!isProxied)
    if (isProxied) expect(lines?.join('\n')).toContain(`FROM_${first}://proxy:`)
    expect(lines).toContain('KAFKA_PROCESS_ROLES: broker')
    expect(lines?.filter(line => line.startsWith('image: '))).toEqual(
      before.spec.engine === 'apache-kafka' ? [`image: ${image}`] : [],
    )
    const volumes = composeText().split('\nvolumes:\n')[1]
    expect(volumes).toContain(`  broker-${first}:\n`)
    expect(volumes?.includes(`  broker-${first}-faults:`)).toBe(
      before.spec.faults === true && before.spec.engine === 'apache-kafka',
    )
  })

  test('are known to every command, and no more when they are taken back: not one byte is another', async () => {
    const record = await made()
    const before = everything(home())
    const growth = await prepare(record, 2)
    expect(everything(home())).toEqual(before)
    growth.write()
    expect(readRecord(name)).toMatchObject({ phase: 'up', spec: { brokers: 3, added: 2 } })
    const cluster = new ComposeCluster(readRecord(name)!)
    expect(cluster.bootstrap).toEqual([0, 1, 2, 3, 4].map(step => `127.0.0.1:${record.spec.port + step}`))
    expect(readFileSync(path.join(nodeDirectory(name, 5), 'intent.json'), 'utf8')).toContain('false')
    growth.restore()
    expect(everything(home())).toEqual(before)
    expect(existsSync(nodeDirectory(name, 4))).toBe(false)
  })

  test.each(['tls', 'mtls', 'sasl-tls'])(
    'with %s are in a certificate that the same authority has signed',
    async security => {
      const record = await made({ security })
      const before = everything(home())
      const certificate = () => new X509Certificate(readFileSync(nodeCertificateFile(name), 'utf8'))
      expect(certificate().checkHost('broker-4')).toBeUndefined()
      const growth = await prepare(record)
      growth.write()
      const authority = new X509Certificate(readFileSync(path.join(home(), name, 'security', 'ca.pem'), 'utf8'))
      expect(certificate().verify(authority.publicKey)).toBe(true)
      for (const host of ['broker-1', 'broker-4', 'localhost']) expect(certificate().checkHost(host)).toBe(host)
      expect(certificate().subject).toBe('CN=node')
      // The node takes it from its Compose file.
      const [line = ''] = certificate().toString().split('\n').slice(1)
      expect(composeText()).toContain(line)
      for (const file of [nodeCertificateFile(name), composePath(name)]) expect(statSync(file).mode & 0o777).toBe(0o600)
      growth.restore()
      expect(everything(home())).toEqual(before)
    },
  )

  test('have data where the others have it; what was there before stays', async () => {
    const dataDir = path.join(home(), 'elsewhere')
    mkdirSync(path.join(dataDir, 'node-4'), { recursive: true })
    writeFileSync(path.join(dataDir, 'node-4', 'mine'), 'x')
    const record = await made({ dataDir })
    const growth = await prepare(record, 2)
    growth.write()
    expect(composeText()).toContain(`'${path.join(dataDir, 'node-5')}:/var/lib/kafka/data'`)
    expect(existsSync(path.join(dataDir, 'node-5'))).toBe(true)
    expect(readRecord(name)?.foreignData).toEqual([path.join(dataDir, 'node-4')])
    growth.restore()
    expect(readdirSync(dataDir)).toEqual(['node-4'])
    expect(readFileSync(path.join(dataDir, 'node-4', 'mine'), 'utf8')).toBe('x')
    expect(readRecord(name)).toEqual(record)
  })

  test('are not brought back to a cluster that was taken away meanwhile, nor is that up again when it was put down', async () => {
    const record = await made()
    const growth = await prepare(record)
    growth.write()
    writeRecord({ ...growth.record, phase: 'down' })
    growth.restore()
    expect(readRecord(name)).toEqual({ ...record, phase: 'down' })
    writeRecord(record)
    const other = await prepare(record)
    other.write()
    removeState(name)
    other.restore()
    expect(existsSync(path.join(home(), name))).toBe(false)
    mkdirSync(home(), { recursive: true })
  })

  test('are refused, in one sentence, while another command adds some', async () => {
    const record = await made()
    writeFileSync(path.join(home(), name, 'grow.lock'), JSON.stringify({ ...(await ownProcess()), turn: 'x' }))
    await expect(new ComposeCluster(record).grow(1)).rejects.toThrow(
      `Another command (process ${process.pid}) is adding brokers to ${name}.`,
    )
    expect(readRecord(name)).toEqual(record)
  })

  test('can come behind a fault proxy, too, and not to Redpanda', async () => {
    const capable = async (request: Partial<SpecRequest>) => new ComposeCluster(await made(request)).capabilities
    expect((await capable({})).has('grow')).toBe(true)
    expect((await capable({ proxy: true })).has('grow')).toBe(true)
    expect((await capable({ engine: 'redpanda' })).has('grow')).toBe(false)
    expect(composeRuntimeCapabilities.has('grow')).toBe(true)
  })
})

test('containers and volumes of a service are told from those of another one', () => {
  const service = (text: string) => ({ 'com.docker.compose.service': text })
  const volume = (text: string) => ({ 'com.docker.compose.volume': text })
  const mine = [service('broker-4'), volume('broker-4'), volume('broker-4-faults')]
  const others = [
    service('broker-1'),
    volume('broker-40'),
    volume('broker-1-faults'),
    service('broker-4-faults'),
    {},
    null,
  ]
  expect(mine.map(labels => isOf(['broker-4'], labels))).toEqual(mine.map(() => true))
  expect(others.map(labels => isOf(['broker-4'], labels))).toEqual(others.map(() => false))
  expect([...mine, ...others].every(labels => isOf(undefined, labels))).toBe(true)
})
