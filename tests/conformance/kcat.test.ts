/**
 * kcat, and with it librdkafka as the distribution ships it: every codec of the record format end to end, metadata, offsets by time, a
 * consumer group, an idempotent and a transactional producer.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, statSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWith } from '#tests/machine.ts'
import { eventually, startCluster, type Cluster } from './harness.ts'

interface Output {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

describeWith(['kcat'], 'kcat', () => {
  let cluster: Cluster

  beforeAll(async () => {
    cluster = await startCluster({ brokers: 3 })
  })

  afterAll(async () => {
    await cluster?.stop()
  })

  /** Runs kcat to its end. */
  async function kcat(args: readonly string[], input = ''): Promise<Output> {
    const child = spawn('kcat', ['-b', cluster.bootstrap, ...args])
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk))
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk))
    child.stdin.end(input)
    const timer = setTimeout(() => child.kill('SIGKILL'), 180_000)
    const [code] = (await once(child, 'close')) as [number | null]
    clearTimeout(timer)
    return { code, stdout, stderr }
  }

  async function succeed(args: readonly string[], input = ''): Promise<string> {
    const { code, stdout, stderr } = await kcat(args, input)
    if (code !== 0) throw new Error(`kcat ${args.join(' ')} ended with ${code}:\n${stderr}\n${stdout}`)
    return stdout
  }

  const lines = (text: string): string[] => text.split('\n').filter(line => line !== '')
  const many = Array.from({ length: 400 }, (_, index) => `record ${index} ${'abcdefgh'.repeat(index % 40)}`)

  test.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'])('gets back what it wrote with %s', async codec => {
    const topic = `codec-${codec}`
    await succeed(
      ['-P', '-t', topic, '-K', ':', '-X', `compression.codec=${codec}`, '-X', 'linger.ms=50', '-X', 'acks=all'],
      many.map((value, index) => `key-${index}:${value}\n`).join(''),
    )
    const read = await succeed(['-C', '-t', topic, '-o', 'beginning', '-e', '-q', '-f', '%o %k:%s\n'])
    expect(lines(read)).toEqual(many.map((value, index) => `${index} key-${index}:${value}`))
    // The broker stores the batch as it came.
    const file = path.join(cluster.broker().dataDirectory, `${topic}-0`, '00000000000000000000.log')
    const stored = await eventually('the batch on disk', () => {
      const bytes = existsSync(file) ? statSync(file).size : 0
      return bytes > 0 ? bytes : undefined
    })
    const plain = many.join('').length
    if (codec === 'none') expect(stored).toBeGreaterThan(plain)
    else expect(stored).toBeLessThan(plain / 2)
  })

  test('shows the cluster with -L', async () => {
    await succeed(['-P', '-t', 'listed'], 'x\n')
    await cluster.untilAllKnow('listed')
    const metadata = JSON.parse(await succeed(['-L', '-J'])) as {
      brokers: { id: number; name: string }[]
      controllerid: number
      topics: { topic: string; partitions: { leader: number; replicas: { id: number }[]; isrs: { id: number }[] }[] }[]
    }
    expect(metadata.brokers.map(({ id, name }) => `${id} ${name}`).toSorted()).toEqual(
      cluster.brokers.map(({ id, port }) => `${id} 127.0.0.1:${port}`),
    )
    const topic = metadata.topics.find(each => each.topic === 'listed')
    expect(topic?.partitions).toHaveLength(1)
    expect(topic?.partitions[0]?.replicas.map(({ id }) => id).toSorted((left, right) => left - right)).toEqual([
      1, 2, 3,
    ])
  })

  test('finds offsets by time with -Q', async () => {
    const before = Date.now() - 1_000
    await succeed(['-P', '-t', 'queried'], 'a\nb\nc\n')
    await cluster.untilAllKnow('queried')
    const query = (at: string | number) => succeed(['-Q', '-t', `queried:0:${at}`])
    expect(await query(before)).toContain('queried [0] offset 0')
    expect(await query(-1)).toContain('queried [0] offset 3')
    expect(await query(-2)).toContain('queried [0] offset 0')
  })

  test('reads headers, keys, null values and an offset to begin at', async () => {
    await succeed(['-P', '-t', 'shaped', '-H', 'trace=1', '-H', 'origin=kcat', '-K', ':', '-Z'], 'k1:v1\nk2:\nk3:v3\n')
    const all = await succeed(['-C', '-t', 'shaped', '-o', 'beginning', '-e', '-q', '-f', '%o|%k|%S|%s|%h\n'])
    expect(lines(all)).toEqual([
      '0|k1|2|v1|trace=1,origin=kcat',
      '1|k2|-1||trace=1,origin=kcat',
      '2|k3|2|v3|trace=1,origin=kcat',
    ])
    expect(lines(await succeed(['-C', '-t', 'shaped', '-o', '2', '-e', '-q', '-f', '%s\n']))).toEqual(['v3'])
    expect(lines(await succeed(['-C', '-t', 'shaped', '-o', '-1', '-e', '-q', '-f', '%s\n']))).toEqual(['v3'])
  })

  test('writes idempotently', async () => {
    await succeed(
      ['-P', '-t', 'idempotent', '-X', 'enable.idempotence=true', '-X', 'batch.num.messages=7'],
      `${many.join('\n')}\n`,
    )
    const read = await succeed(['-C', '-t', 'idempotent', '-o', 'beginning', '-e', '-q'])
    expect(lines(read)).toEqual(many)
  })

  test('writes all of its input in one transaction', async () => {
    await succeed(
      ['-P', '-t', 'transacted', '-X', 'transactional.id=kcat', '-X', 'batch.num.messages=50'],
      `${many.join('\n')}\n`,
    )
    // One offset after the records is the marker's: the transaction was committed, once. It is written when kcat has been told already.
    await cluster.untilAllKnow('transacted')
    await eventually('the marker is there', async () =>
      (await succeed(['-Q', '-t', 'transacted:0:-1'])).includes(`offset ${many.length + 1}`) ? true : undefined,
    )
    const read = await succeed(['-C', '-t', 'transacted', '-o', 'beginning', '-e', '-q', '-f', '%o %s\n'])
    expect(lines(read)).toEqual(many.map((value, index) => `${index} ${value}`))
  })

  test('reads as a group, commits, and goes on where the group was', async () => {
    const consume = (count: number): Promise<string> =>
      succeed(['-G', 'kcat-group', '-c', String(count), '-q', '-X', 'auto.offset.reset=earliest', 'grouped'])
    await succeed(['-P', '-t', 'grouped'], '1\n2\n3\n')
    expect(lines(await consume(3))).toEqual(['1', '2', '3'])
    await succeed(['-P', '-t', 'grouped'], '4\n5\n')
    expect(lines(await consume(2))).toEqual(['4', '5'])
  })
})
