import { describe, expect, test } from 'vitest'
import type { Finding } from '#scripts/doctor/finding.ts'
import { machineFindings } from '#scripts/doctor/machine.ts'
import { realProbes, type Probes } from '#scripts/doctor/probes.ts'

const GiB = 2 ** 30
const files = (texts: Readonly<Record<string, string>>) => (path: string) => texts[path]
const missing = (what: string) => () => Promise.resolve({ available: false as const, missing: what, remedy: 'Get it.' })

/** A machine that has all of it. */
const whole: Probes = {
  platform: 'linux',
  nodeVersion: '26.10.0',
  cores: 8,
  availableMemory: () => 8 * GiB,
  home: '/somewhere/.faultline',
  freeDisk: () => 100 * GiB,
  homeProblem: () => undefined,
  readText: files({
    '/proc/self/limits': 'Limit  Soft Limit  Hard Limit  Units\nMax open files  1024  524288  files\n',
    '/sys/fs/cgroup/memory.max': 'max\n',
    '/sys/fs/cgroup/cpu.max': 'max 100000\n',
    '/sys/fs/cgroup/pids.max': 'max\n',
  }),
  portIsFree: () => Promise.resolve(true),
  canListen: () => Promise.resolve(true),
  lookup: () => Promise.resolve(['127.0.0.1']),
  docker: () => Promise.resolve({ available: true }),
  hasImage: () => Promise.resolve(true),
  inContainer: () => Promise.resolve(undefined),
  java: () => Promise.resolve({ available: true }),
  maven: () => Promise.resolve({ available: true }),
  library: () => Promise.resolve({ available: true }),
  jars: '/cache/4.3.1',
  hasJars: () => true,
  firstCommand: () => Promise.resolve('chromium'),
}

const find = async (change: Partial<Probes>, isUp = false): Promise<readonly Finding[]> =>
  await machineFindings({ ...whole, ...change }, { isUp })

/** What is not good. */
const complaints = async (change: Partial<Probes>): Promise<readonly Finding[]> =>
  (await find(change)).filter(({ grade }) => grade !== 'good')

describe('doctor', () => {
  test('has nothing to say against a machine that has all of it', async () => {
    expect(await complaints({})).toEqual([])
  })

  const limits = (hard: string) =>
    files({ '/proc/self/limits': `Max open files            1024                 ${hard}                 files\n` })

  test.each<[string, Partial<Probes>, Partial<Finding>, RegExp]>([
    ['an old Node.js', { nodeVersion: '22.1.0' }, { name: 'Node.js', grade: 'bad' }, /22\.1\.0; 26 or newer/],
    [
      'little memory',
      { availableMemory: () => 0.2 * GiB },
      { name: 'memory', grade: 'lacking' },
      /^204 MiB can be used$/,
    ],
    [
      'a control group with little memory',
      { availableMemory: () => 0.2 * GiB, readText: files({ '/sys/fs/cgroup/memory.max': `${GiB / 4}\n` }) },
      { name: 'memory', grade: 'lacking', remedy: expect.stringContaining('--memory 2g') as string },
      /its control group has 256 MiB in all/,
    ],
    [
      'a control group of the old kind',
      {
        availableMemory: () => 0.2 * GiB,
        readText: files({ '/sys/fs/cgroup/memory/memory.limit_in_bytes': `${GiB / 2}\n` }),
      },
      { name: 'memory', grade: 'lacking' },
      /has 512 MiB in all/,
    ],
    [
      'half a processor',
      { readText: files({ '/sys/fs/cgroup/cpu.max': '50000 100000\n' }) },
      { name: 'processors', grade: 'lacking' },
      /0\.5 of 8 cores/,
    ],
    ['a full disk', { freeDisk: () => 5 * 2 ** 20 }, { name: 'disk', grade: 'lacking' }, /5 MiB free/],
    [
      'a place that cannot be written',
      { homeProblem: () => 'EACCES' },
      { name: 'state', grade: 'bad', remedy: 'Choose another place: FAULTLINE_HOME=DIR' },
      /cannot be written: EACCES/,
    ],
    ['few descriptors', { readText: limits('1024') }, { name: 'file descriptors', grade: 'lacking' }, /may have 1024/],
    [
      'few processes',
      { readText: files({ '/sys/fs/cgroup/pids.max': '100\n' }) },
      { name: 'processes', grade: 'lacking' },
      /100 processes/,
    ],
    [
      'a port that is taken',
      { portIsFree: port => Promise.resolve(port !== 9093) },
      { name: 'ports', grade: 'lacking', remedy: expect.stringContaining('--port 19092') as string },
      /^9093 taken$/,
    ],
    ['no loopback', { canListen: () => Promise.resolve(false) }, { name: 'localhost', grade: 'bad' }, /127\.0\.0\.1/],
    [
      'a nameless loopback',
      { lookup: () => Promise.resolve([]) },
      { name: 'localhost', grade: 'lacking' },
      /no address/,
    ],
    [
      'a localhost of IPv6 alone',
      { lookup: () => Promise.resolve(['::1']) },
      { name: 'localhost', grade: 'lacking', remedy: 'Tell clients 127.0.0.1:9092, as up says it' },
      /is ::1, where no broker listens/,
    ],
    [
      'no C compiler',
      { library: missing('no cc') },
      { name: 'C compiler', grade: 'lacking', remedy: 'Get it.' },
      /^no cc$/,
    ],
    ['no Java', { java: missing('no Java') }, { name: 'Java', grade: 'lacking', remedy: 'Get it.' }, /^no Java$/],
    [
      'no jars yet',
      { hasJars: () => false },
      { name: 'Apache Kafka', grade: 'lacking', remedy: expect.stringContaining('--fetch-kafka') as string },
      /no jars in \/cache\/4\.3\.1 yet/,
    ],
    [
      'no Docker',
      { docker: missing('no Docker') },
      { name: 'Docker', grade: 'lacking', remedy: 'Get it.' },
      /no Docker/,
    ],
    [
      'no image',
      { hasImage: () => Promise.resolve(false) },
      { name: 'container image', grade: 'lacking' },
      /not built yet/,
    ],
    [
      'an engine that gives no rights',
      { inContainer: () => Promise.resolve('operation not permitted') },
      { name: 'container image', grade: 'lacking', remedy: expect.stringContaining('--proxy') as string },
      /NET_ADMIN: operation not permitted/,
    ],
    [
      'no browser',
      { firstCommand: () => Promise.resolve(undefined) },
      { name: 'browser', grade: 'lacking' },
      /no Chromium/,
    ],
  ])('names %s, and the fix', async (_, change, finding, summary) => {
    const all = await complaints(change)
    expect(all).toEqual([expect.objectContaining({ ...finding, summary: expect.stringMatching(summary) as string })])
    expect(all[0]?.remedy).not.toBe('')
  })

  test('names both Maven and the jars that it would have fetched', async () => {
    const found = await complaints({ maven: missing('no Maven'), hasJars: () => false })
    expect(found.map(({ name }) => name)).toEqual(['Maven', 'Apache Kafka'])
  })

  test('does not complain of ports that a cluster of one’s own has', async () => {
    const found = await find({ portIsFree: () => Promise.resolve(false) }, true)
    expect(found.find(({ name }) => name === 'ports')).toMatchObject({ grade: 'good' })
  })

  test('says what to tell clients where localhost is ::1 first', async () => {
    const found = await find({ lookup: () => Promise.resolve(['::1', '127.0.0.1']) })
    expect(found.find(({ name }) => name === 'localhost')).toEqual({
      name: 'localhost',
      grade: 'good',
      summary: '::1, 127.0.0.1: brokers are at 127.0.0.1, which clients should be told instead of localhost',
    })
  })

  test('knows this machine, each thing once, and a fix for what is not good', async () => {
    const found = await machineFindings(realProbes, { isUp: true })
    const names = found.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    expect(names).toEqual(
      expect.arrayContaining(['Node.js', 'memory', 'disk', 'state', 'ports', 'localhost', 'Java', 'Docker']),
    )
    for (const { grade, remedy } of found) expect(remedy === undefined).toBe(grade === 'good')
  })
})
