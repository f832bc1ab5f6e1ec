/** The npm package as a stranger gets it: packed, installed into an empty folder, used without this repository. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ClusterDocument } from '#scripts/commands/describe.ts'
import { conditionOf, identify } from '#scripts/cluster/process/liveness.ts'
import { projectRoot } from '#scripts/cluster/state.ts'
import type { Finding } from '#scripts/doctor/finding.ts'
import { freePort } from './faultline-command.ts'

const MiB = 1 << 20

describe('the npm package', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'faultline-package-'))
  const consumer = path.join(folder, 'consumer')
  const installed = path.join(consumer, 'node_modules', 'faultline')
  // Nothing of the checkout is on the path: Node.js, npm and what every system has.
  const environment = {
    PATH: `${path.dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`,
    NO_COLOR: '1',
    XDG_STATE_HOME: path.join(folder, 'state'),
  }
  let tarball = ''

  const inConsumer = (command: string, ...args: string[]) =>
    execa(command, args, { cwd: consumer, reject: false, env: environment })

  /** Fails the test when the command does. */
  async function faultline(...args: string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await inConsumer('npx', '--no', 'faultline', ...args)
    if (exitCode !== 0) throw new Error(`faultline ${args.join(' ')} ended with ${exitCode}:\n${stderr}\n${stdout}`)
    return stdout
  }

  beforeAll(async () => {
    const packed = await execa('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: projectRoot })
    tarball = path.join(folder, packed.stdout.trim().split('\n').at(-1) ?? '')
    mkdirSync(consumer)
    writeFileSync(path.join(consumer, 'package.json'), '{ "name": "consumer", "private": true, "type": "module" }\n')
    const install = ['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', tarball]
    await execa('npm', install, { cwd: consumer, env: environment })
  }, 600_000)
  afterAll(async () => {
    if (existsSync(installed)) await inConsumer('npx', '--no', 'faultline', 'down', '--all')
    rmSync(folder, { recursive: true, force: true })
  })

  test('is small, and holds JavaScript and types alone', () => {
    expect(statSync(tarball).size).toBeLessThan(2.5 * MiB)
    const sources = readdirSync(installed, { recursive: true, encoding: 'utf8' })
      .filter(file => !file.startsWith('node_modules'))
      .filter(file => file.endsWith('.ts') && !file.endsWith('.d.ts'))
    expect(sources).toEqual([])
    expect(existsSync(path.join(consumer, 'node_modules', 'node'))).toBe(false)
  })

  test('names the licences of the packages that it holds', () => {
    const text = readFileSync(path.join(installed, 'dist', 'npm', 'THIRD-PARTY-LICENSES.txt'), 'utf8')
    expect(text).toContain('re2js')
  })

  test('tells an old Node.js what it needs: exit code 3', async () => {
    const old = { name: 'old.cjs', text: `Object.defineProperty(process, 'versions', { value: { node: '22.1.0' } })` }
    writeFileSync(path.join(consumer, old.name), old.text)
    const bin = path.join(installed, 'dist', 'npm', 'faultline.cjs')
    const { exitCode, stderr } = await inConsumer(process.execPath, '--require', `./${old.name}`, bin, 'status')
    expect(stderr).toContain('faultline needs Node.js 26 or newer; this is 22.1.0')
    expect(exitCode).toBe(3)
  })

  test('speaks of itself as it is called', async () => {
    const { exitCode, stderr } = await inConsumer('npx', '--no', 'faultline', 'status')
    expect(stderr).toContain('npx faultline up --name default starts one.')
    expect(stderr).not.toContain('./faultline')
    expect(exitCode).toBe(1)
  })

  test('has what the library is made of that breaks Apache Kafka from inside', async () => {
    const findings = JSON.parse(await faultline('doctor', '--json')) as readonly Finding[]
    const found = findings.find(({ name }) => name === 'C compiler')
    // A machine without a compiler has its own words for it.
    expect(found?.summary).toMatch(/^can make the library|^a C compiler is missing|on Linux alone$/)
  })

  test('starts three brokers, which take records and give them back', async () => {
    const topology = ['--topology', 'racks', '--runtime', 'process']
    const up = ['up', ...topology, '--name', 'mine', '--port', await freePort(), '--json']
    const document = JSON.parse(await faultline(...up)) as ClusterDocument
    expect(document.brokers.map(({ state }) => state)).toEqual(['running', 'running', 'running'])
    await faultline('produce', 'greetings', 'hello', '--name', 'mine')
    expect(await faultline('consume', 'greetings', '--name', 'mine')).toContain('hello')
    await faultline('kill', '2', '--name', 'mine')
    await faultline('start', '2', '--name', 'mine')
    const handles = await Promise.all(document.brokers.map(({ pid }) => identify(pid ?? 0)))
    await faultline('down', '--name', 'mine')
    for (const handle of handles) if (handle !== undefined) expect(await conditionOf(handle)).toBe('gone')
    expect(existsSync(path.join(consumer, '.faultline'))).toBe(false)
  })

  test.each(['process', 'simulated'])('runs a lab to its verdict on the runtime %s', async runtime => {
    const stdout = await faultline('lab', 'run', '01-log', '--runtime', runtime, '--no-predict', '--json')
    expect(JSON.parse(stdout)).toMatchObject({ lab: '01-log', verdict: 'valid' })
    const report = readFileSync(path.join(consumer, 'out', 'labs', '01-log', 'report.html'), 'utf8')
    expect(report).toContain('<script type="module">')
    expect(report).toContain('npx faultline lab run 01-log')
    expect(existsSync(path.join(consumer, '.faultline'))).toBe(false)
  })

  test('runs a lab of one’s own in any folder, with types that a strict compiler takes', async () => {
    expect(await faultline('lab', 'new', 'mine')).toContain('npx faultline lab run ./mine.ts')
    const run = ['lab', 'run', './mine.ts', '--runtime', 'simulated', '--out', 'mine-out', '--json']
    expect(JSON.parse(await faultline(...run))).toMatchObject({ lab: 'mine', verdict: 'valid' })
    const compilerOptions = {
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      module: 'nodenext',
      target: 'es2024',
      lib: ['es2025', 'dom'],
      types: [],
      // kafkajs names types of Node.js, which are not installed here.
      skipLibCheck: true,
      noEmit: true,
    }
    const wrong = readFileSync(path.join(consumer, 'mine.ts'), 'utf8').replace('leaderOf(0)', 'leaderOf(true)')
    writeFileSync(path.join(consumer, 'wrong.ts'), wrong)
    writeFileSync(
      path.join(consumer, 'tsconfig.json'),
      JSON.stringify({ compilerOptions, files: ['mine.ts', 'wrong.ts'] }),
    )
    const tsc = path.join(projectRoot, 'node_modules', '.bin', 'tsc')
    const { stdout } = await execa(tsc, ['-p', consumer], { reject: false })
    expect(stdout.split('\n').filter(line => line !== '')).toEqual([
      expect.stringMatching(/wrong\.ts.*'boolean' is not assignable to parameter of type 'number'/) as string,
    ])
  })

  test('breaks links by its fault proxy, and hosts a simulation', async () => {
    const proxied = ['--runtime', 'process', '--proxy', '--port', await freePort({ proxy: true })]
    for (const how of [proxied, ['--runtime', 'simulated', '--port', await freePort()]]) {
      await faultline('up', ...how)
      await faultline('produce', 'greetings', 'hello')
      await faultline('down')
    }
    expect(existsSync(path.join(consumer, '.faultline'))).toBe(false)
  })

  test('is a library, for import and for require', async () => {
    const use = `.then(async ({ startCluster, conditions, partitionOf }) => {
      const cluster = await startCluster({ brokers: 1, faults: true, proxy: true, topics: { letters: { partitions: 2 } } })
      const seen = await cluster.when(conditions.isLevel('letters', 1), { timeoutMs: 120000 })
      if (partitionOf(seen, 'letters', 1).leader !== 1) throw new Error(JSON.stringify(seen))
      const slow = await cluster.fault('slow-disk', { nodes: 1, parameters: { delay: 100 } })
      const late = await cluster.fault('latency', { from: 'client', to: 1, parameters: { delay: 50 } })
      if (![...slow.proofs, ...late.proofs].every(({ shown }) => shown)) throw new Error('not shown')
      await cluster.heal()
      if ((await cluster.faults()).length > 0) throw new Error('not healed')
      console.log(cluster.bootstrap)
      await cluster.down()
    })`
    writeFileSync(path.join(consumer, 'imports.mjs'), `await import('faultline')${use}`)
    writeFileSync(path.join(consumer, 'requires.cjs'), `Promise.resolve(require('faultline'))${use}`)
    for (const file of ['imports.mjs', 'requires.cjs']) {
      const { stdout, stderr, exitCode } = await inConsumer(process.execPath, file)
      expect(stderr).toBe('')
      expect(stdout).toMatch(/^127\.0\.0\.1:\d+$/)
      expect(exitCode).toBe(0)
    }
  })

  test.each([
    ['ES modules', 'module', 'nodenext'],
    ['CommonJS', 'commonjs', 'node16'],
  ])('has types that a strict compiler takes, in %s', async (_, type, module) => {
    const project = path.join(consumer, `types-${type}`)
    mkdirSync(project)
    writeFileSync(path.join(project, 'package.json'), JSON.stringify({ type }))
    const compilerOptions = {
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      module,
      target: 'es2022',
      // AbortSignal is there, as with the types of Node.js.
      lib: ['es2022', 'dom'],
      types: [],
      noEmit: true,
    }
    writeFileSync(path.join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['use.ts'] }))
    writeFileSync(
      path.join(project, 'use.ts'),
      `import { startCluster, FaultlineError, conditions, known, type Observation, type TestCluster, type TestFault, type StartOptions, type Topology } from 'faultline'
export const topology = { brokers: [{ rack: 'a' }, { rack: 'b' }], settings: { 'num.partitions': 3 } } satisfies Topology
// @ts-expect-error: there is no such field
export const other: Topology = { brokers: [{ rak: 'a' }] }
export async function use(options: StartOptions): Promise<string> {
  await using cluster: TestCluster = await startCluster({ ...options, brokers: 3, settings: { 'log.retention.ms': 1000 } })
  const brokers: string[] = cluster.brokers
  await cluster.kill(1)
  await cluster.start(1)
  await cluster.createTopic('t', { partitions: 3 })
  const states = (await cluster.nodes()).map(node => node.state === 'running')
  const seen: Observation = await cluster.when(conditions.hasLeader('t', 0), { timeoutMs: 1000, quorum: true })
  for await (const { changes } of cluster.observe({ topics: 'all' })) if (changes[0]?.kind === 'isrShrunk') break
  const leader: number | undefined = known(seen.quorum)?.leader
  const lost: TestFault = await cluster.fault('drop', { from: 'client', to: 'all', parameters: { api: 'Produce', nth: 3 } })
  await lost.heal()
  await using slow = await cluster.fault('slow-disk', { nodes: ['leader:t-0', 2], parameters: { delay: 200 } })
  // @ts-expect-error: it is about links
  await cluster.fault('latency', { nodes: 1 })
  // @ts-expect-error: there is no such fault
  await cluster.fault('slow-dsk', { nodes: 1 })
  // @ts-expect-error: there is no such method
  cluster.explode()
  // @ts-expect-error: there is no such option
  await startCluster({ brockers: 3 }).catch((error: unknown) => error instanceof FaultlineError)
  return String(leader) + brokers.join() + states.join()
}
`,
    )
    const tsc = path.join(projectRoot, 'node_modules', '.bin', 'tsc')
    const { stdout, exitCode } = await execa(tsc, ['-p', project], { reject: false })
    expect(stdout).toBe('')
    expect(exitCode).toBe(0)
  })
})
