/**
 * librdkafka in its newest release, through its binding for Python from PyPI (pinned, in an environment of its own), against three processes;
 * see python/clients.py. kcat.test.ts has the release of the distribution.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWith } from '#tests/machine.ts'
import { startCluster, type Cluster } from './harness.ts'

const release = 'confluent-kafka==2.16.1'
const root = path.resolve(import.meta.dirname, '..', '..')
const environment = path.join(root, 'node_modules', '.cache', 'faultline', `python-${release}`)
const python = path.join(environment, 'bin', 'python')

async function run(command: string, args: readonly string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, output }
}

async function succeed(command: string, args: readonly string[]): Promise<void> {
  const { code, output } = await run(command, args)
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${output}`)
}

/** A mark is written last: an environment without it is one that was cut off. */
async function install(): Promise<void> {
  const complete = path.join(environment, '.complete')
  if (existsSync(complete)) return
  rmSync(environment, { recursive: true, force: true })
  mkdirSync(path.dirname(environment), { recursive: true })
  await succeed('python3', ['-m', 'venv', environment])
  await succeed(python, ['-m', 'pip', 'install', '--quiet', '--only-binary', ':all:', release])
  writeFileSync(complete, '')
}

describeWith(['python'], 'librdkafka', () => {
  let cluster: Cluster
  let output = ''

  beforeAll(async () => {
    await install()
    cluster = await startCluster({ brokers: 3 })
    ;({ output } = await run(python, [path.join(import.meta.dirname, 'python', 'clients.py'), cluster.bootstrap]))
  }, 300_000)

  afterAll(async () => {
    await cluster?.stop()
  })

  test.each([
    ['codecs', 'reads back what it wrote with each of the five codecs'],
    ['idempotent', 'keeps the order with idempotence'],
    ['transactions', 'commits and aborts transactions, and reads committed records alone'],
    ['fencing', 'fences a producer with the same transactional id'],
    ['exactly-once', 'commits offsets and records in one transaction'],
    ['group-classic', 'shares partitions, commits and goes on under group.protocol=classic'],
    ['group-consumer', 'shares partitions, commits and goes on under group.protocol=consumer (KIP-848)'],
    ['admin', 'creates, widens, configures, measures, cuts and deletes topics'],
    ['group-admin', 'lists, alters and deletes groups and their offsets'],
  ])('%s: it %s', name => {
    const result = output.split('\n').find(line => line === `ok ${name}` || line.startsWith(`failed ${name}:`))
    if (result !== `ok ${name}`) throw new Error(`${result ?? 'the check did not run'}\n${output.slice(-6_000)}`)
    expect(result).toBe(`ok ${name}`)
  })
})
