/** The image and clusters of containers: through the command line, with plain `docker compose`, and in the ways other people run images. */
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import path from 'node:path'
import { execa } from 'execa'
import { Kafka, logLevel, type KafkaConfig } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { poll } from '#scripts/cluster/clock.ts'
import { brokerImage } from '#scripts/cluster/compose/generator.ts'
import { ensureImage } from '#scripts/cluster/compose/docker.ts'
import { projectRoot } from '#scripts/cluster/state.ts'
import { WireClient } from '#scripts/cluster/wire.ts'
import { metadata } from '#scripts/cluster/wire-requests.ts'
import { describeWith } from '../machine.ts'
import { leftOf } from './containers.ts'
import { freePort, Toolkit } from './faultline-command.ts'
import { writeToMoved } from './moved-partition.ts'

const docker = async (...args: string[]): Promise<string> => (await execa('docker', args)).stdout
const MB = 1_000_000

describeWith(['docker'], 'the image', () => {
  const started: string[] = []
  beforeAll(() => ensureImage(() => {}, undefined))
  afterAll(async () => {
    for (const container of started) await execa('docker', ['rm', '-f', '-v', container], { reject: false })
  })

  /** Runs a container and resolves when it is healthy. */
  async function healthy(...args: string[]): Promise<string> {
    const container = await docker('run', '-d', ...args, brokerImage)
    started.push(container)
    return untilHealthy(container)
  }

  async function untilHealthy(container: string): Promise<string> {
    const answers = async (): Promise<true | undefined> => {
      const state = JSON.parse(await docker('inspect', '-f', '{{json .State}}', container)) as {
        Running: boolean
        Health: { Status: string }
      }
      const { Status: status } = state.Health
      if (!state.Running || status === 'unhealthy') {
        const { all } = await execa('docker', ['logs', container], { all: true })
        throw new Error(`${state.Running ? status : 'it ended'}:\n${all}`)
      }
      return status === 'healthy' ? true : undefined
    }
    // A look is a process of Docker's, and takes the time that the broker needs to start.
    if ((await poll(answers, { everyMs: 200, timeoutMs: 120_000 })) === undefined)
      throw new Error(`${container} was not healthy within two minutes`)
    return container
  }

  test('adds at most 15 MB to its base and has at most 250 MB', async () => {
    const total = Number(await docker('image', 'inspect', '-f', '{{.Size}}', brokerImage))
    const base = Number(await docker('image', 'inspect', '-f', '{{.Size}}', 'node:26-bookworm-slim'))
    expect(total - base).toBeLessThanOrEqual(15 * MB)
    expect(total).toBeLessThanOrEqual(250 * MB)
  })

  test('runs without any setting, as a user that nobody knows, on a file system that cannot be written', async () => {
    const container = await healthy('--read-only', '--user', '123456:0', '--network', 'none')
    expect(await docker('exec', container, 'id', '-u')).toBe('123456')
    expect(await docker('exec', container, 'cat', '/var/lib/kafka/data/meta.properties')).toContain(
      'cluster.id=5L6g3nShT-eMCtK--X86sw',
    )
  })

  test('is a quorum of its own with listeners and voters that are named localhost', async () => {
    // In a container localhost has two addresses, and listener and client must mean the same one.
    const variables = [
      'KAFKA_NODE_ID=1',
      'KAFKA_PROCESS_ROLES=broker,controller',
      'KAFKA_LISTENERS=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093',
      'KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://localhost:9092',
      'KAFKA_CONTROLLER_LISTENER_NAMES=CONTROLLER',
      'KAFKA_LISTENER_SECURITY_PROTOCOL_MAP=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
      'KAFKA_CONTROLLER_QUORUM_VOTERS=1@localhost:9093',
      'KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR=1',
    ]
    const container = await healthy(...variables.flatMap(variable => ['-e', variable]))
    expect((await execa('docker', ['logs', container], { all: true })).all).toContain('node started')
  })

  test('serves clients on this machine with the variables of an apache/kafka example', async () => {
    const port = await freePort()
    const variables = {
      KAFKA_NODE_ID: '1',
      KAFKA_PROCESS_ROLES: 'broker,controller',
      KAFKA_LISTENERS: 'PLAINTEXT://:9092,CONTROLLER://:9093',
      KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://127.0.0.1:${port}`,
      KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
      KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
      KAFKA_CONTROLLER_QUORUM_VOTERS: '1@localhost:9093',
      KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
      KAFKA_LOG_DIRS: '/tmp/kraft-combined-logs',
      KAFKA_HEAP_OPTS: '-Xmx1g',
    }
    const options = Object.entries(variables).flatMap(([key, value]) => ['-e', `${key}=${value}`])
    await healthy('-p', `127.0.0.1:${port}:9092`, ...options)
    const client = await WireClient.open({ host: '127.0.0.1', port: Number(port) })
    try {
      expect((await metadata(client)).brokers).toEqual([{ id: 1, host: '127.0.0.1', port: Number(port) }])
    } finally {
      client.close()
    }
  })

  test('ends with exit code 0 on SIGTERM, after a controlled shutdown', async () => {
    const container = await healthy('--network', 'none')
    await docker('stop', '-t', '180', container)
    expect(await docker('inspect', '-f', '{{.State.ExitCode}}', container)).toBe('0')
    expect(await docker('cp', `${container}:/var/lib/kafka/data/.kafka_cleanshutdown`, '-')).not.toBe('')
  })

  test('runs a command instead of the broker, which one can start by hand, as in the apache/kafka image', async () => {
    const run = ['run', '--rm', '--network', 'none', brokerImage]
    expect(await docker(...run, 'sh', '-c', 'id -u')).toBe('1000')
    const container = await docker('run', '-d', '--network', 'none', brokerImage, 'sh', '-c', '/etc/kafka/docker/run')
    started.push(container)
    await untilHealthy(container)
  })

  test('refuses settings that cannot work, in one line, with exit code 2', async () => {
    const { exitCode, all } = await execa('docker', ['run', '--rm', '-e', 'KAFKA_NODE_ID=x', brokerImage], {
      all: true,
      reject: false,
    })
    expect(exitCode).toBe(2)
    expect(all).toContain('node.id')
  })
})

describeWith(['docker'], 'compose/three.yaml', () => {
  const toolkit = new Toolkit()
  const project = `faultline-test-${process.pid}`
  const file = () => path.join(toolkit.folder, 'three.yaml')
  const compose = (...args: string[]) => docker('compose', '-p', project, '-f', file(), ...args)
  beforeAll(async () => {
    await ensureImage(() => {}, undefined)
    // The same file with other ports on this machine, which may have a cluster of its own at the usual ones.
    const port = Number(await freePort())
    const text = readFileSync(path.join(projectRoot, 'compose', 'three.yaml'), 'utf8')
    writeFileSync(
      file(),
      text.replaceAll(/127\.0\.0\.1:909(\d)/g, (_, digit: string) => `127.0.0.1:${port + Number(digit) - 2}`),
    )
  })
  afterAll(async () => {
    await compose('down', '-v', '--timeout', '0')
    await toolkit.remove()
  })

  test('comes up healthy with plain docker compose up --wait', async () => {
    await compose('up', '--wait', '--quiet-pull')
    const states = await compose('ps', '--format', '{{.Health}}')
    expect(states.split('\n')).toEqual(['healthy', 'healthy', 'healthy'])
  })

  test('is reached from inside the network by the names of the services', async () => {
    const script = `
      const socket = require('net').connect(19092, process.argv[1], () => { console.log('open'); process.exit(0) })
      socket.on('error', error => { console.error(error.message); process.exit(1) })`
    expect(await compose('exec', '-T', 'broker-1', 'node', '-e', script, 'broker-3')).toBe('open')
  })

  test('sees a killed container and takes it back', async () => {
    await compose('kill', '-s', 'SIGKILL', 'broker-2')
    await compose('up', '--wait', '--quiet-pull')
    expect((await compose('ps', '--format', '{{.Health}}')).split('\n')).toHaveLength(3)
  })
})

describeWith(['docker'], 'a cluster of containers', () => {
  const toolkit = new Toolkit()
  const name = ['--name', `life-${process.pid}`]
  const cluster = `life-${process.pid}`
  afterAll(() => toolkit.remove())

  test('comes up with clients on 127.0.0.1 and a container for each broker', async () => {
    const port = await freePort()
    const document = await toolkit.document('up', ...name, '--runtime', 'compose', '--port', port)
    expect(document.bootstrap).toBe([0, 1, 2].map(step => `127.0.0.1:${Number(port) + step}`).join(','))
    expect(document.brokers.map(({ container }) => container)).toEqual(
      [1, 2, 3].map(id => `faultline-${cluster}-broker-${id}-1`),
    )
    // Another command, which has not seen them serve.
    expect(await toolkit.states(cluster)).toEqual(['running', 'running', 'running'])
  })

  test('takes records and gives them back', async () => {
    await toolkit.run('topic', 'create', 'letters', ...name)
    await toolkit.run('produce', 'letters', 'a', 'b', 'c', ...name)
    expect(await toolkit.values(cluster, 'letters')).toEqual(['a', 'b', 'c'])
  })

  test('has a container made again that somebody removed, on its data', async () => {
    const container = `faultline-${cluster}-broker-2-1`
    await docker('rm', '-f', container)
    const logs = await toolkit.start('logs', '2', ...name)
    expect(logs.exitCode).toBe(1)
    expect(logs.stderr).toContain('somebody has removed it')
    expect(logs.stderr).toContain(`./faultline start 2 --name ${cluster} makes it again`)
    await toolkit.run('start', '2', ...name)
    await docker('rm', '-f', container)
    await toolkit.run('fault', 'heal', '--all', ...name)
    expect(await toolkit.states(cluster)).toEqual(['running', 'running', 'running'])
    expect(await toolkit.values(cluster, 'letters')).toEqual(['a', 'b', 'c'])
  })

  test('is broken and mended like one of processes', async () => {
    await toolkit.run('kill', '2', ...name)
    expect((await toolkit.states(cluster))[1]).toBe('stopped')
    await toolkit.run('wipe', '2', ...name)
    await toolkit.run('start', '2', ...name)
    await toolkit.run('pause', '3', ...name)
    expect((await toolkit.states(cluster))[2]).toBe('paused')
    await toolkit.run('resume', '3', ...name)
    await docker('kill', `faultline-${cluster}-broker-1-1`)
    expect((await toolkit.states(cluster))[0]).toBe('dead')
    await toolkit.run('start', '1', ...name)
    expect((await toolkit.run('logs', '1', '-n', '5', ...name)).stdout).toMatch(/^ {2}1 \| .+/)
    expect(await toolkit.values(cluster, 'letters')).toEqual(['a', 'b', 'c'])
  })

  const containers = () =>
    docker('ps', '-a', '--no-trunc', '--format', '{{.ID}} {{.Names}}', '--filter', `name=-${cluster}-`)

  test('refuses to grow where a port of a new broker is taken, and has changed nothing', async () => {
    const before = await containers()
    const record = readFileSync(path.join(toolkit.home, cluster, 'cluster.json'), 'utf8')
    const { bootstrap } = await toolkit.document('status', ...name)
    const port = Number(bootstrap.split(':').at(-1)) + 1
    const server = createServer()
    await new Promise<void>(resolve => server.listen({ host: '127.0.0.1', port }, resolve))
    const { exitCode, stderr } = await toolkit.start('scale', ...name)
    await new Promise(resolve => server.close(resolve))
    expect(stderr).toContain(`Port taken on 127.0.0.1: ${port} (clients of broker 4).`)
    expect(exitCode).toBe(3)
    expect(await containers()).toBe(before)
    expect(readFileSync(path.join(toolkit.home, cluster, 'cluster.json'), 'utf8')).toBe(record)
  })

  test('interrupted while it grows is as it was', async () => {
    const before = await leftOf(cluster)
    const ids = await containers()
    const command = toolkit.start('grow', '--by', '2', ...name)
    await new Promise<void>((resolve, reject) => {
      command.stderr.on('data', chunk => {
        if (String(chunk).includes('Waiting until every broker serves')) resolve()
      })
      command.then(() => reject(new Error('it has grown before it was interrupted')), reject)
    })
    command.kill('SIGINT')
    const { exitCode, stderr } = await command
    expect(stderr).toContain('Interrupted')
    expect(stderr).not.toContain('could not be taken back')
    expect(exitCode).toBe(130)
    expect(await leftOf(cluster)).toEqual(before)
    expect(await containers()).toBe(ids)
    expect(await toolkit.states(cluster)).toEqual(['running', 'running', 'running'])
  })

  test('grows by brokers in containers of their own, and a client writes to a partition that moved there', async () => {
    const before = (await containers()).split('\n')
    const { bootstrap, brokers } = await toolkit.document('grow', '--by', '2', ...name)
    expect(brokers.map(({ id, state }) => ({ id, state }))).toEqual(
      [1, 2, 3, 4, 5].map(id => ({ id, state: 'running' })),
    )
    expect((await containers()).split('\n')).toEqual(expect.arrayContaining(before))
    expect(bootstrap.split(',')).toHaveLength(5)
    await writeToMoved(new Kafka({ brokers: bootstrap.split(','), logLevel: logLevel.NOTHING }), 5)
    await toolkit.run('kill', '5', ...name)
    await toolkit.run('start', '5', ...name)
    expect(await toolkit.states(cluster)).toEqual(Array.from({ length: 5 }, () => 'running'))
  })

  test('goes down with its data kept, and continues with all that it has grown by', async () => {
    await toolkit.run('down', '--keep-data', ...name)
    const { brokers } = await toolkit.document('up', ...name)
    expect(brokers.map(({ state }) => state)).toEqual(Array.from({ length: 5 }, () => 'running'))
    expect(await toolkit.values(cluster, 'moved')).toEqual(['there'])
  })

  test('goes down and leaves neither containers nor volumes nor files', async () => {
    await toolkit.run('down', ...name)
    expect(await docker('ps', '-aq', '--filter', `label=com.docker.compose.project=faultline-${cluster}`)).toBe('')
    expect(
      await docker('volume', 'ls', '-q', '--filter', `label=com.docker.compose.project=faultline-${cluster}`),
    ).toBe('')
    expect(toolkit.isEmpty).toBe(true)
  })
})

describeWith(['docker'], 'a cluster of containers with client certificates and faults inside', () => {
  const toolkit = new Toolkit()
  const cluster = `sealed-${process.pid}`
  const name = ['--name', cluster]
  afterAll(() => toolkit.remove())

  test('grows by a broker that the others and their clients believe, and that can be broken like them', async () => {
    const shape = ['--runtime', 'compose', '--security', 'mtls', '--faults', '--brokers', '2']
    await toolkit.run('up', ...name, ...shape, '--port', await freePort())
    const { brokers } = await toolkit.document('grow', ...name)
    expect(brokers.map(({ state }) => state)).toEqual(['running', 'running', 'running'])
    const file = path.join(toolkit.home, cluster, 'security', 'admin.kafkajs.json')
    const config = JSON.parse(readFileSync(file, 'utf8')) as KafkaConfig
    expect(config.brokers).toHaveLength(3)
    await writeToMoved(new Kafka({ ...config, logLevel: logLevel.NOTHING }), 3)
    const { stdout } = await toolkit.run('fault', 'add', 'slow-disk', '3', '--delay', '50', '--json', ...name)
    expect(JSON.parse(stdout)).toMatchObject([{ name: 'slow-disk', node: 3, proofs: [{ shown: true }] }])
    await toolkit.run('fault', 'heal', '--all', ...name)
  })

  test('goes down and leaves nothing', async () => {
    await toolkit.run('down', ...name)
    expect(await leftOf(cluster)).toEqual([])
    expect(toolkit.isEmpty).toBe(true)
  })
})

describeWith(['docker', 'apache-kafka'], 'a cluster of containers of Apache Kafka', () => {
  const toolkit = new Toolkit()
  const cluster = `kafka-life-${process.pid}`
  const name = ['--name', cluster]
  afterAll(() => toolkit.remove())

  test('grows by a broker that a client writes to, and goes down with it', async () => {
    const shape = ['--runtime', 'compose', '--engine', 'apache-kafka', '--brokers', '1', '--faults']
    await toolkit.run('up', ...name, ...shape, '--port', await freePort())
    const { bootstrap, brokers } = await toolkit.document('grow', ...name)
    expect(brokers.map(({ id, state }) => ({ id, state }))).toEqual([1, 2].map(id => ({ id, state: 'running' })))
    await writeToMoved(new Kafka({ brokers: bootstrap.split(','), logLevel: logLevel.NOTHING }), 2)
    expect(await toolkit.values(cluster, 'moved')).toEqual(['there'])
    await toolkit.run('down', ...name)
    expect(await leftOf(cluster)).toEqual([])
    expect(toolkit.isEmpty).toBe(true)
  })
})
