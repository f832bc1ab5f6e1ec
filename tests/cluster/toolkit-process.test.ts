/** Clusters of processes through the command line, on our engine and on Apache Kafka: the same commands, the same answers. */
import { execFileSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Engine } from '#scripts/cluster/cluster.ts'
import { conditionOf, identify, waitFor } from '#scripts/cluster/process/liveness.ts'
import { describeWith } from '../machine.ts'
import { startKafkaQuickly } from '../quick-java.ts'
import { freePort, Toolkit } from './faultline-command.ts'

describe('a cluster of processes on faultline', () => {
  lifeOf('faultline')
})
describeWith(['java', 'apache-kafka'], 'a cluster of processes on apache-kafka', () => {
  startKafkaQuickly()
  lifeOf('apache-kafka')
})

function lifeOf(engine: Engine): void {
  const toolkit = new Toolkit()
  const name = ['--name', 'life']
  let port = ''
  const up = () => toolkit.document('up', ...name, '--runtime', 'process', '--engine', engine, '--port', port)
  beforeAll(async () => {
    port = await freePort()
  })
  afterAll(() => toolkit.remove())

  test('comes up and says where everything is', async () => {
    const document = await up()
    expect(document).toMatchObject({ name: 'life', runtime: 'process', engine, controllers: [] })
    expect(document.bootstrap).toBe([0, 1, 2].map(step => `127.0.0.1:${Number(port) + step}`).join(','))
    expect(document.brokers.map(({ id, state }) => ({ id, state }))).toEqual(
      [1, 2, 3].map(id => ({ id, state: 'running' })),
    )
    for (const { dataDir, log } of document.brokers) {
      expect(existsSync(path.join(dataDir, 'meta.properties'))).toBe(true)
      expect(existsSync(log)).toBe(true)
    }
  })

  test('is content when it is asked to come up as it is, and refuses to be another one', async () => {
    const { brokers } = await up()
    const { stdout } = await toolkit.run('up', ...name, '--engine', engine)
    expect(stdout).toContain('Is up already, as it was asked for.')
    for (const { pid } of brokers) expect(stdout).toContain(String(pid))
    const { exitCode, stderr } = await toolkit.start('up', ...name, '--brokers', '5', '--set', 'num.io.threads=2')
    expect(stderr).toContain(
      'is up already, and is another one: --brokers is 3, not 5; --set is {}, not {"num.io.threads":"2"}',
    )
    expect(exitCode).toBe(1)
  })

  test('leaves no trace of its ready check', async () => {
    const { stdout } = await toolkit.run('topic', 'list', '--internal', ...name, '--json')
    expect(JSON.parse(stdout)).toEqual([])
  })

  test.each([
    [['--set', 'retention.ms=abc'], 'Invalid value abc for configuration retention.ms'],
    [['--set', 'retention.mz=1'], 'retention.mz'],
    [['--partitions', '100001'], 'Excessively large number of partitions'],
    [['--replicas', '7'], '7'],
  ])('says why the broker refuses a topic: %j', async (options, reason) => {
    const { exitCode, stderr } = await toolkit.start('topic', 'create', 'refused', ...options, ...name)
    expect(stderr).toContain('The broker refuses the topic refused: ')
    expect(stderr).toContain(reason)
    expect(exitCode).toBe(2)
  })

  test('takes records and gives them back', async () => {
    await toolkit.run('topic', 'create', 'letters', '--partitions', '2', ...name)
    const unknown = await toolkit.start('topic', 'delete', 'nope', ...name)
    expect(unknown.stderr).toContain('There is no topic nope.')
    await toolkit.run('produce', 'letters', 'a', 'b', 'c', ...name)
    expect(await toolkit.values('life', 'letters')).toEqual(['a', 'b', 'c'])
  })

  test('begins at the end when asked to, and does not wait there', async () => {
    const { stdout, stderr } = await toolkit.run('consume', 'letters', '--latest', ...name)
    expect(stdout).toBe('')
    expect(stderr).toContain('--follow waits for what comes')
  })

  test('says that a topic has no such partition', async () => {
    const { exitCode, stderr } = await toolkit.start('produce', 'letters', 'd', '--partition', '7', ...name)
    expect(stderr).toContain('The topic letters has no partition 7: it has 2, from 0 to 1.')
    expect(exitCode).toBe(1)
  })

  test('loses a broker to kill, and gets it back with start', async () => {
    await toolkit.run('kill', '2', ...name)
    expect(await toolkit.states('life')).toEqual(['running', 'stopped', 'running'])
    const again = await toolkit.start('up', ...name)
    expect(again.stderr).toContain('The cluster life is up already, but node 2 is stopped.')
    expect(again.stderr).toContain('./faultline start 2 --name life')
    expect(again.exitCode).toBe(1)
    const { stdout } = await toolkit.run('fault', 'list', ...name, '--json')
    expect(JSON.parse(stdout)).toMatchObject([{ id: 'down-2', node: 2 }])
    await toolkit.run('start', '2', ...name)
    expect(await toolkit.states('life')).toEqual(['running', 'running', 'running'])
  })

  test('tells a broker that ended by itself from one that was told to', async () => {
    const pid = (await toolkit.document('status', ...name)).brokers[0]?.pid ?? 0
    const handle = await identify(pid)
    process.kill(pid, 'SIGKILL')
    if (handle !== undefined) expect(await waitFor(handle, 'gone', 60_000)).toBe(true)
    expect(await toolkit.states('life')).toEqual(['dead', 'running', 'running'])
    await toolkit.run('start', '1', ...name)
  })

  test('freezes a broker and lets it go on', async () => {
    await toolkit.run('pause', '3', ...name)
    expect(await toolkit.states('life')).toEqual(['running', 'running', 'paused'])
    await toolkit.run('fault', 'heal', '--all', ...name)
    expect(await toolkit.states('life')).toEqual(['running', 'running', 'running'])
  })

  test('brings a broker back from an empty disk', async () => {
    await toolkit.run('stop', '3', ...name)
    await toolkit.run('wipe', '3', ...name)
    await toolkit.run('start', '3', ...name)
    const directory = (await toolkit.document('status', ...name)).brokers[2]?.dataDir ?? ''
    expect(readFileSync(path.join(directory, 'meta.properties'), 'utf8')).toContain('node.id=3')
  })

  test('grows by a broker that has nothing but its configuration', async () => {
    const { brokers, bootstrap } = await toolkit.document('grow', ...name)
    expect(brokers.map(({ id, state }) => ({ id, state }))).toEqual([1, 2, 3, 4].map(id => ({ id, state: 'running' })))
    expect(brokers[3]?.roles).toEqual(['broker'])
    expect(bootstrap.split(',')).toHaveLength(4)
    await toolkit.run('stop', '4', ...name)
    await toolkit.run('start', '4', ...name)
    expect(await toolkit.states('life')).toEqual(['running', 'running', 'running', 'running'])
  })

  test('goes down with its data kept, and continues on it', async () => {
    const { brokers } = await toolkit.document('status', ...name)
    const handles = await Promise.all(brokers.map(({ pid }) => identify(pid ?? 0)))
    await toolkit.run('down', '--keep-data', ...name)
    for (const handle of handles) if (handle !== undefined) expect(await conditionOf(handle)).toBe('gone')
    await up()
    expect(await toolkit.values('life', 'letters')).toEqual(['a', 'b', 'c'])
  })

  test('goes down and leaves nothing', async () => {
    await toolkit.run('down', ...name)
    expect(toolkit.isEmpty).toBe(true)
  })
}

describe('grow', () => {
  const toolkit = new Toolkit()
  const name = ['--name', 'more']
  const data = () => path.join(toolkit.folder, 'data')
  let targets = () => ''
  beforeAll(async () => {
    const topology = path.join(toolkit.folder, 'measured.json')
    writeFileSync(topology, JSON.stringify({ summary: 'One broker with metrics.', brokers: 1, metrics: true }))
    const options = ['--runtime', 'process', '--data', data(), '--port', await freePort()]
    const { metrics } = await toolkit.document('up', ...name, '--topology', topology, ...options)
    targets = () => readFileSync(metrics?.prometheus ?? '', 'utf8')
  })
  afterAll(() => toolkit.remove())

  const record = () => readFileSync(path.join(toolkit.home, 'more', 'cluster.json'), 'utf8')
  const brokersKnown = async (): Promise<number[]> => {
    const { bootstrap } = await toolkit.document('status', ...name)
    const admin = new Kafka({ brokers: bootstrap.split(','), logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    try {
      return (await admin.describeCluster()).brokers.map(({ nodeId }) => nodeId).sort((a, b) => a - b)
    } finally {
      await admin.disconnect()
    }
  }

  test('takes brokers back that end instead of serving, and says why', async () => {
    const before = record()
    const foreign = path.join(data(), 'node-2', 'meta.properties')
    mkdirSync(path.dirname(foreign))
    writeFileSync(foreign, 'version=1\ncluster.id=AAAAAAAAAAAAAAAAAAAAAA\nnode.id=2\n')
    const { exitCode, stderr } = await toolkit.start('grow', '--by', '2', ...name)
    expect(stderr).toContain('Node 2 has ended by itself')
    expect(stderr).not.toContain('could not be taken back')
    expect(exitCode).toBe(1)
    expect(record()).toBe(before)
    expect(readFileSync(foreign, 'utf8')).toContain('AAAAAAAAAAAAAAAAAAAAAA')
    expect(readdirSync(data())).toEqual(['node-1', 'node-2'])
    expect(readdirSync(path.join(toolkit.home, 'more')).filter(entry => entry.startsWith('node-'))).toEqual(['node-1'])
    expect(processesOf(`${toolkit.home}/more/node-3`)).toEqual([])
    expect(await brokersKnown()).toEqual([1])
    rmSync(path.dirname(foreign), { recursive: true })
  })

  test('interrupted is as it was', async () => {
    const before = record()
    // As long as it is there no new broker serves: nobody tells it what the metadata are.
    await toolkit.run('pause', '1', ...name)
    const command = toolkit.start('grow', ...name)
    await new Promise<void>((resolve, reject) => {
      command.stderr.on('data', chunk => {
        if (String(chunk).includes('Waiting until every broker serves')) resolve()
      })
      command.then(() => reject(new Error('it has grown before it was interrupted')), reject)
    })
    command.kill('SIGINT')
    expect((await command).exitCode).toBe(130)
    await toolkit.run('resume', '1', ...name)
    expect(record()).toBe(before)
    expect(processesOf(`${toolkit.home}/more/node-2`)).toEqual([])
    expect(await brokersKnown()).toEqual([1])
  })

  test('tells Prometheus of the brokers that came, and of no others', async () => {
    const ports = () => [...targets().matchAll(/"127\.0\.0\.1:(\d+)"/g)].map(match => Number(match[1]))
    const [first = 0, ...others] = ports()
    expect(others).toEqual([])
    await toolkit.run('grow', ...name)
    expect(ports()).toEqual([first, first + 1])
    expect(await brokersKnown()).toEqual([1, 2])
  })
})

/** Command lines of the processes that name this directory. */
function processesOf(home: string): string[] {
  const all = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).split('\n')
  return all.filter(line => line.includes(home))
}

describe('up', () => {
  const toolkit = new Toolkit()
  afterAll(() => toolkit.remove())

  test('interrupted by Ctrl-C takes everything away again', async () => {
    const command = toolkit.start('up', '--runtime', 'process', '--brokers', '3', '--port', await freePort())
    await new Promise<void>(resolve => {
      command.stderr.on('data', chunk => {
        if (String(chunk).includes('Waiting until every broker serves')) resolve()
      })
    })
    const file = path.join(toolkit.home, 'default', 'node-1', 'process.json')
    const node = (JSON.parse(readFileSync(file, 'utf8')) as { process: { pid: number; identity: string } }).process
    command.kill('SIGINT')
    const { exitCode, stderr } = await command
    expect(stderr).toContain('Interrupted')
    expect(exitCode).toBe(130)
    expect(await conditionOf(node)).toBe('gone')
    expect(toolkit.isEmpty).toBe(true)
  })

  test.each([0, 1, 2, 3, 4, 5])('interrupted at a moment that chance picks leaves nothing, attempt %i', async () => {
    // From before the first line of the command to after it is up.
    const momentMs = randomInt(2_500)
    const command = toolkit.start('up', '--runtime', 'process', '--brokers', '3', '--port', await freePort())
    await Promise.race([command, delay(momentMs)])
    command.kill('SIGINT')
    const { exitCode, signal, stderr } = await command
    // It was too late for the signal; too early for a word of ours; or in between.
    if (exitCode === 0) await toolkit.run('down')
    else
      expect({ how: signal ?? exitCode, momentMs, stderr }).toMatchObject({
        how: signal === undefined ? 130 : 'SIGINT',
      })
    expect(toolkit.isEmpty).toBe(true)
    expect(processesOf(toolkit.home)).toEqual([])
  })

  test('whose output nobody reads any more takes everything away again', async () => {
    const command = toolkit.start('up', '--runtime', 'process', '--brokers', '1', '--port', await freePort())
    // Before it has written a word: the first one fails.
    command.stdout.destroy()
    command.stderr.destroy()
    expect((await command).exitCode).toBe(141)
    expect(toolkit.isEmpty).toBe(true)
  })

  test('killed in the middle leaves what the next one explains and down removes', async () => {
    const args = ['up', '--runtime', 'process', '--brokers', '1', '--port', await freePort()]
    const command = toolkit.start(...args)
    await new Promise<void>(resolve => {
      command.stderr.on('data', chunk => {
        if (String(chunk).includes('Waiting until every broker serves')) resolve()
      })
    })
    command.kill('SIGKILL')
    await command
    const again = await toolkit.start(...args)
    expect(again.stderr).toContain('was cut off')
    expect(again.exitCode).toBe(1)
    expect((await toolkit.run('down')).stderr).toContain('cleaning up after it')
    expect(toolkit.isEmpty).toBe(true)
  })

  test('with a directory for the data keeps it there, and down takes away what up put there', async () => {
    const data = path.join(toolkit.folder, 'far', 'away', 'data')
    const metadata = path.join(toolkit.folder, 'near', 'metadata')
    const somebodys = path.join(toolkit.folder, 'near', 'letter')
    mkdirSync(path.dirname(somebodys))
    writeFileSync(somebodys, 'of somebody')
    const where = ['--data', data, '--set', `metadata.log.dir=${metadata}`]
    const args = ['up', '--runtime', 'process', '--brokers', '1', ...where, '--port', await freePort()]
    await toolkit.run(...args)
    expect(readdirSync(metadata)).toContain('__cluster_metadata-0')
    await toolkit.run('produce', 'kept', 'x')
    await toolkit.run('down', '--keep-data')
    await toolkit.run(...args)
    expect(await toolkit.values('default', 'kept')).toEqual(['x'])
    await toolkit.run('down')
    expect(existsSync(path.join(toolkit.folder, 'far'))).toBe(false)
    expect(readdirSync(path.dirname(somebodys))).toEqual(['letter'])
  })

  test('with a directory for the data that cannot be made says so, and starts nothing', async () => {
    const file = path.join(toolkit.folder, 'a-file')
    writeFileSync(file, '')
    const args = ['--runtime', 'process', '--brokers', '1', '--port', await freePort()]
    const { exitCode, stderr } = await toolkit.start('up', ...args, '--data', path.join(file, 'data'))
    expect(stderr).toContain(`The data directory ${file}/data/node-1 cannot be made`)
    expect(stderr).not.toContain('    at ')
    expect(exitCode).toBe(1)
    expect(toolkit.isEmpty).toBe(true)
  })

  test('with a setting that makes no sense is a usage error that names it, and starts nothing', async () => {
    const { exitCode, stderr } = await toolkit.start(
      'up',
      '--runtime',
      'process',
      '--brokers',
      '1',
      '--port',
      await freePort(),
      '--set',
      'num.partitions=none',
    )
    expect(stderr).toContain('num.partitions')
    expect(exitCode).toBe(2)
    expect(toolkit.isEmpty).toBe(true)
  })
})
