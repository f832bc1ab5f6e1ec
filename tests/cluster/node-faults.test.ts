/**
 * Faults inside nodes, through the command line, with a real client: each is proved, felt as its kind says, healed, and no record that was
 * acknowledged is lost. On a slow machine any node may be fenced at any time: what is claimed of a leader is claimed of the only replica,
 * and what happens at some write is waited for while records go on coming.
 */
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { poll } from '#scripts/cluster/clock.ts'
import { attachCluster } from '#scripts/cluster/runtimes.ts'
import { projectRoot } from '#scripts/cluster/state.ts'
import { describeWith } from '../machine.ts'
import { createTopics, topicOffsets } from '../topics.ts'
import {
  type Broken,
  broken,
  expectAllRunning,
  numbers,
  producing,
  read,
  refusedRead,
  send,
  sendUntil,
  topicLedBy,
  topicOnlyOn,
  untilDead,
  untilHit,
  untilIsr,
  untilNotLedBy,
  waitMs,
} from './broken-cluster.ts'
import { freePort, Toolkit } from './faultline-command.ts'

describe('faults inside nodes that are processes', () => {
  const cluster = broken('process')
  diskClaims(cluster)
  crashClaims(cluster)
  clockClaims(cluster)
  processClaims(cluster)
  powerClaims(cluster)
  commandClaims(cluster)
})

describe('faults inside simulated nodes', () => {
  const cluster = broken('simulated')
  diskClaims(cluster)
  crashClaims(cluster)
  clockClaims(cluster)
  test('have no memory of their own', async () => {
    const { exitCode, stderr } = await cluster.toolkit.start(
      'fault',
      'add',
      'memory-pressure',
      '1',
      '--size',
      '8',
      ...cluster.name,
    )
    expect(stderr).toContain('needs a process of its own for each node')
    expect(exitCode).toBe(2)
  })
})

function diskClaims(cluster: Broken): void {
  test('slow-disk: an ack takes as long as the disk, and nothing is lost', async () => {
    await topicOnlyOn(cluster, 'slow', 2)
    await producing(cluster, async producer => {
      await send(producer, 'slow', numbers(0, 3))
      const { id } = await cluster.proved(
        'slow-disk',
        '2',
        '--delay',
        '400',
        '--on',
        'write',
        '--path',
        'slow-0/.*log$',
      )
      const beganMs = performance.now()
      // A simulated node sends what it has to say before it stands still.
      await send(producer, 'slow', numbers(3, 6))
      // Timers may fire a millisecond before their time.
      expect(performance.now() - beganMs).toBeGreaterThan(796)
      const [fault] = await cluster.faults()
      expect(fault).toMatchObject({ id, node: 2, hits: expect.any(Number) as number })
      expect(fault?.hits).toBeGreaterThanOrEqual(2)
      expect(await cluster.heal(id)).toEqual([])
      await send(producer, 'slow', numbers(6, 8))
    })
    expect(await read(cluster, 'slow')).toEqual(numbers(0, 8))
  })

  test('full-disk: the leader refuses, the client tries again, and gets through when it is healed', async () => {
    await topicOnlyOn(cluster, 'full', 3)
    await producing(cluster, async producer => {
      await send(producer, 'full', numbers(0, 3))
      const { id } = await cluster.proved('full-disk', '3')
      let acked = false
      const more = send(producer, 'full', numbers(3, 6)).then(() => (acked = true))
      // Awaited below, and reported there, also when a claim in between takes longer than the client has patience.
      more.catch(() => undefined)
      await untilHit(cluster, id)
      expect(acked).toBe(false)
      // Asked of the leader itself: a group of consumers would wait for ever if its coordinator is there as well.
      expect(await topicOffsets(cluster.admin(), 'full')).toMatchObject([{ partition: 0, high: '3' }])
      await cluster.heal()
      await more
    })
    expect(await read(cluster, 'full')).toEqual(numbers(0, 6))
    await expectAllRunning(cluster)
  })

  test('disk-error: a node whose only log directory fails ends; others lead, and it comes back when healed', async () => {
    await topicLedBy(cluster, 'failing', 1)
    let sent = 0
    await producing(cluster, async producer => {
      await send(producer, 'failing', numbers(0, 3))
      await cluster.proved('disk-error', '1', '--on', 'write', '--path', 'failing-0/.*log$')
      sent = await sendUntil(producer, 'failing', 3, untilDead(cluster, 1))
      // Two replicas have to have them, and those are the others.
      await send(producer, 'failing', numbers(sent, sent + 2))
      await untilNotLedBy(cluster, 'failing', 1)
      // The disk is as broken for the next process.
      const ids = (await cluster.faults()).map(({ name }) => name).sort()
      expect(ids).toEqual(['disk-error', 'down'])
      expect(await cluster.heal()).toEqual([])
      await send(producer, 'failing', numbers(sent + 2, sent + 4))
    })
    await untilIsr(cluster, 'failing', 3)
    expect(await read(cluster, 'failing')).toEqual(numbers(0, sent + 4))
  })

  test('bit-flip: a batch that is read wrong is not passed on', async () => {
    await topicOnlyOn(cluster, 'flipped', 2)
    await producing(cluster, async producer => await send(producer, 'flipped', numbers(0, 5)))
    // What it has appended since its start is checked by its readers, as with Apache Kafka; what it had before, by itself.
    await cluster.add('restart', '2')
    const { id } = await cluster.proved('bit-flip', '2', '--on', 'read', '--path', 'flipped-0/.*log$')
    expect(await refusedRead('flipped', 2)).toBe('CORRUPT_MESSAGE')
    await untilHit(cluster, id)
    await cluster.heal(id)
    // Where it has found damage it looks no more.
    await cluster.add('restart', '2')
    expect(await read(cluster, 'flipped')).toEqual(numbers(0, 5))
  })
}

function crashClaims(cluster: Broken): void {
  test.each([
    ['crash-at', ['--on', 'write', '--nth', '2', '--when', 'before']],
    ['torn-write', ['--nth', '2', '--keep', '20']],
  ])('%s: the node ends at that write, and recovers what was acknowledged', async (kind, words) => {
    const topic = kind
    let sent = 0
    await topicLedBy(cluster, topic, 2)
    await producing(cluster, async producer => {
      await send(producer, topic, numbers(0, 3))
      const { id } = await cluster.proved(kind, '2', ...words, '--path', `${topic}-0/.*log$`)
      expect((await cluster.faults()).map(fault => fault.id)).toEqual([id])
      sent = await sendUntil(producer, topic, 3, untilDead(cluster, 2))
      // It struck: the next process does not have it.
      expect((await cluster.faults()).map(fault => fault.id)).toEqual(['down-2'])
      expect(await cluster.heal()).toEqual([])
      await send(producer, topic, numbers(sent, sent + 2))
    })
    await untilIsr(cluster, topic, 3)
    expect(await read(cluster, topic)).toEqual(numbers(0, sent + 2))
  })
}

function clockClaims(cluster: Broken): void {
  test.each([
    ['clock-jump', ['--offset', '-1800000']],
    ['clock-drift', ['--rate', '50000']],
    ['clock-strobe', ['--offset', '600000', '--period', '50']],
  ])('%s: timestamps are off, and nothing else', async (kind, words) => {
    const topic = kind
    await topicOnlyOn(cluster, topic, 3)
    await producing(cluster, async producer => {
      await send(producer, topic, numbers(0, 2))
      await cluster.proved(kind, '3', ...words)
      await send(producer, topic, numbers(2, 6))
      await cluster.heal()
    })
    expect(await read(cluster, topic)).toEqual(numbers(0, 6))
    await expectAllRunning(cluster)
  })

  test('clock-jump: a leader that is a day behind refuses what clients stamp, as records from the future', async () => {
    await topicOnlyOn(cluster, 'yesterday', 1)
    await producing(cluster, async producer => {
      await send(producer, 'yesterday', numbers(0, 2))
      await cluster.proved('clock-jump', '1', '--offset', '-86400000')
      await expect(send(producer, 'yesterday', ['early'])).rejects.toThrow(
        'timestamp of the message is out of acceptable range',
      )
      await cluster.heal()
      await send(producer, 'yesterday', numbers(2, 4))
    })
    expect(await read(cluster, 'yesterday')).toEqual(numbers(0, 4))
  })

  test('stall: a node that does nothing for longer than its session is fenced, and comes back', async () => {
    // A new controller would begin all sessions anew.
    const controller = (await (await attachCluster('broken')).quorum())?.leaderId
    const node = [1, 2, 3].find(id => id !== controller)!
    await topicLedBy(cluster, 'stalled', node)
    await producing(cluster, async producer => {
      await send(producer, 'stalled', numbers(0, 2))
      const { proofs } = await cluster.proved('stall', String(node), '--for', '8000')
      expect(proofs?.[0]?.text).toMatch(/did nothing for \d+ ms \(at least 8000 ms\)/)
      await send(producer, 'stalled', numbers(2, 5))
    })
    expect(await cluster.faults()).toEqual([])
    await untilNotLedBy(cluster, 'stalled', node)
    await untilIsr(cluster, 'stalled', 3)
    expect(await read(cluster, 'stalled')).toEqual(numbers(0, 5))
  })
}

function processClaims(cluster: Broken): void {
  test('memory-pressure: the process holds more, and gives it back', async () => {
    const residentKiB = (): number => {
      const file = path.join(cluster.toolkit.home, 'broken', 'node-3', 'process.json')
      const { pid } = (JSON.parse(readFileSync(file, 'utf8')) as { process: { pid: number } }).process
      return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
    }
    const before = residentKiB()
    await cluster.proved('memory-pressure', '3', '--size', '200')
    // Less than all of it: meanwhile the garbage collector may give back what it had.
    expect(residentKiB() - before).toBeGreaterThan(120_000)
    await cluster.heal()
    const givenBack = await poll(() => residentKiB() - before < 60_000 || undefined, { everyMs: 50, timeoutMs: waitMs })
    expect(givenBack).toBe(true)
  })

  test('cpu-limit: the node has so much of a core, also over a restart, and goes on; then all of it', async () => {
    await topicOnlyOn(cluster, 'squeezed', 2)
    await producing(cluster, async producer => {
      const { id, proofs } = await cluster.proved('cpu-limit', '2', '--cores', '0.05')
      expect(proofs?.[0]?.text).toMatch(/got 0\.0\d of a core \(at most 0\.05\)/)
      await send(producer, 'squeezed', numbers(0, 10))
      await cluster.add('restart', '2')
      // To start takes more than that.
      await untilHit(cluster, id)
      await cluster.heal()
      await send(producer, 'squeezed', numbers(10, 20))
    })
    expect(await read(cluster, 'squeezed')).toEqual(numbers(0, 20))
    await expectAllRunning(cluster)
  })

  /** Of a connection that says nothing kafkajs learns by its own timeouts alone; then it asks for the leader when its metadata is old. */
  const quick = { requestTimeout: 1_500 }

  test('dropped-links: nobody hears the node; the others lead without it', async () => {
    await topicLedBy(cluster, 'unheard', 2)
    await producing(
      cluster,
      async producer => {
        await send(producer, 'unheard', numbers(0, 2))
        await cluster.proved('dropped-links', '2')
        // Two replicas have to have them, and those are the others.
        await send(producer, 'unheard', numbers(2, 5))
        await cluster.heal()
      },
      quick,
    )
    await untilNotLedBy(cluster, 'unheard', 2)
    await untilIsr(cluster, 'unheard', 3)
    expect(await read(cluster, 'unheard')).toEqual(numbers(0, 5))
  })

  test('restart-loop: a node comes and goes until it is healed; acknowledged records stay', async () => {
    await topicLedBy(cluster, 'looping', 1)
    await producing(cluster, async producer => {
      const { id } = await cluster.proved('restart-loop', '1', '--up', '2500', '--down', '300')
      await send(producer, 'looping', numbers(0, 20))
      await untilHit(cluster, id, 2)
      expect(await cluster.heal()).toEqual([])
      await send(producer, 'looping', numbers(20, 22))
    })
    await expectAllRunning(cluster)
    expect(await read(cluster, 'looping')).toEqual(numbers(0, 22))
  })

  test('rolling-restart: each node is another process afterwards', async () => {
    const pids = async () => (await (await attachCluster('broken')).nodes()).map(({ pid }) => pid)
    const before = await pids()
    const applied = await cluster.add('rolling-restart', 'all')
    expect(applied.map(({ proofs }) => proofs?.[0]?.shown)).toEqual([true, true, true])
    const after = await pids()
    for (const [index, pid] of after.entries()) expect(pid).not.toBe(before[index])
  })

  test.each(['kill', 'stop', 'pause', 'wipe'])('%s: the node does not answer, and is back when healed', async kind => {
    await topicLedBy(cluster, kind, 3)
    await producing(cluster, async producer => await send(producer, kind, numbers(0, 3)))
    const [fault] = await cluster.add(kind, '3')
    expect(fault).toMatchObject({ id: kind === 'pause' ? 'pause-3' : 'down-3', node: 3, proofs: [{ shown: true }] })
    expect(await cluster.heal()).toEqual([])
    await untilIsr(cluster, kind, 3)
    expect(await read(cluster, kind)).toEqual(numbers(0, 3))
  })
}

function powerClaims(cluster: Broken): void {
  const cut = async (...words: string[]): Promise<void> => {
    for (const { proofs } of await cluster.add('power-failure', ...words))
      expect(proofs).toMatchObject([
        { shown: true },
        { shown: true, text: expect.stringContaining('is gone') as string },
      ])
  }

  test('power-failure: one node loses what it had not fsynced, and has it again from the others', async () => {
    await topicLedBy(cluster, 'one-cut', 2)
    await producing(cluster, async producer => {
      await send(producer, 'one-cut', numbers(0, 20))
      await cut('2')
      await send(producer, 'one-cut', numbers(20, 25))
    })
    await cluster.heal()
    await untilIsr(cluster, 'one-cut', 3)
    expect(await read(cluster, 'one-cut')).toEqual(numbers(0, 25))
  })

  test('power-failure of all: what was acknowledged and not fsynced is gone, what was fsynced is there', async () => {
    const replicaAssignment = [{ partition: 0, replicas: [1, 2, 3] }]
    const configEntries = [{ name: 'flush.messages', value: '1' }]
    await createTopics(cluster.admin(), [
      { topic: 'unsynced', replicaAssignment },
      { topic: 'fsynced', replicaAssignment, configEntries },
    ])
    for (const topic of ['unsynced', 'fsynced']) await untilIsr(cluster, topic, 3)
    await producing(cluster, async producer => {
      for (const topic of ['unsynced', 'fsynced']) await send(producer, topic, numbers(0, 20))
    })
    await cut('all')
    await cluster.heal()
    for (const topic of ['unsynced', 'fsynced']) await untilIsr(cluster, topic, 3)
    expect(await read(cluster, 'unsynced')).toEqual([])
    expect(await read(cluster, 'fsynced')).toEqual(numbers(0, 20))
    await producing(cluster, async producer => await send(producer, 'fsynced', numbers(20, 22)))
    expect(await read(cluster, 'fsynced')).toEqual(numbers(0, 22))
  })
}

function commandClaims(cluster: Broken): void {
  test.each([
    ['before what carries it out runs', 'restart-loop-2.json'],
    ['when it is at work', 'restart-loop-2.process.json'],
  ])('a command that was killed %s leaves nothing that healing does not find', async (_, file) => {
    const directory = path.join(cluster.toolkit.home, 'broken', 'faults')
    const child = spawn(
      path.join(projectRoot, 'faultline'),
      ['fault', 'add', 'restart-loop', '2', '--up', '3000', ...cluster.name],
      { stdio: 'ignore', detached: true, env: { ...process.env, FAULTLINE_HOME: cluster.toolkit.home } },
    )
    const isThere = () => existsSync(path.join(directory, file)) || undefined
    expect(await poll(isThere, { everyMs: 1, timeoutMs: waitMs })).toBe(true)
    try {
      process.kill(-(child.pid ?? 0), 'SIGKILL')
    } catch (error) {
      // It has ended by itself, before this process had its turn: what it has begun is found all the same.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
    expect((await cluster.faults()).map(({ id }) => id)).toContain('restart-loop-2')
    expect(await cluster.heal()).toEqual([])
    expect(readdirSync(directory)).toEqual([])
    await expectAllRunning(cluster)
  })

  test('fault run carries out a schedule, and heals what it began', async () => {
    await topicLedBy(cluster, 'scheduled', 2)
    const file = path.join(cluster.toolkit.folder, 'schedule.json')
    writeFileSync(
      file,
      JSON.stringify([
        { kind: 'slow-disk', nodes: [2], parameters: { delay: 20 }, when: { at: '200ms' } },
        { kind: 'kill', nodes: [3], when: { every: '1s' }, for: '500ms', times: 2 },
        {
          kind: 'slow-disk',
          nodes: [2],
          parameters: { delay: 20 },
          when: { observed: { hasLeader: { partition: 'nowhere-0' } }, within: '1s' },
        },
      ]),
    )
    const running = cluster.toolkit.start('fault', 'run', file, ...cluster.name, '--json')
    await producing(cluster, async producer => await send(producer, 'scheduled', numbers(0, 10)))
    const { exitCode, stdout } = await running
    // It was not carried out as a whole.
    expect(exitCode).toBe(1)
    const events = JSON.parse(stdout) as { what: string; kind: string }[]
    expect(events.map(({ what, kind }) => `${what} ${kind}`).sort()).toEqual([
      'began kill',
      'began kill',
      'began slow-disk',
      'healed down',
      'healed down',
      'healed slow-disk',
      'refused slow-disk',
    ])
    expect(await cluster.faults()).toEqual([])
    await untilIsr(cluster, 'scheduled', 3)
    expect(await read(cluster, 'scheduled')).toEqual(numbers(0, 10))
  })

  test('fault add waits until its time, and heals after a while', async () => {
    const events = await cluster.add('pause', '3', '--at', '300ms', '--lasts', '400ms')
    expect(events.map(event => ({ ...event }))).toMatchObject([
      { what: 'began', kind: 'pause' },
      { what: 'healed', kind: 'pause' },
    ])
    expect(await cluster.faults()).toEqual([])
    const { exitCode, stderr } = await cluster.toolkit.start(
      'fault',
      'add',
      'pause',
      '3',
      '--at',
      'soon',
      ...cluster.name,
    )
    expect(stderr).toContain('--at: "soon" is no time')
    expect(exitCode).toBe(2)
  })

  test('fault add waits until something is observed, and hits who has the role then', async () => {
    await topicOnlyOn(cluster, 'awaited', 2)
    const waiting = cluster.add(
      'kill',
      'leader:awaited-0',
      '--when',
      'highWatermarkReaches awaited-0 5',
      '--lasts',
      '1s',
    )
    await producing(cluster, async producer => {
      await send(producer, 'awaited', numbers(0, 4))
      // Too few yet, however long it looks.
      expect(await cluster.faults()).toEqual([])
      await send(producer, 'awaited', numbers(4, 8))
    })
    expect(await waiting).toMatchObject([
      {
        what: 'began',
        kind: 'kill',
        because: 'the high watermark of awaited-0 is 5 or more',
        applied: [{ id: 'down-2', node: 2, proofs: [{ shown: true }] }],
      },
      { what: 'healed', kind: 'down' },
    ])
    expect(await cluster.faults()).toEqual([])
    // It runs again, and may not have caught up with the metadata: what it is asked before that it may not know.
    await (await attachCluster('broken')).waitReady()
    expect(await read(cluster, 'awaited')).toEqual(numbers(0, 8))
    const inVain = ['fault', 'add', 'kill', '1', '--when', 'highWatermarkReaches awaited-0 900', '--within', '300ms']
    const { exitCode, stdout } = await cluster.toolkit.start(...inVain, ...cluster.name, '--json')
    expect(exitCode).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject([
      {
        what: 'refused',
        kind: 'kill',
        text: expect.stringContaining(
          'Waited 300 ms in vain until the high watermark of awaited-0 is 900 or more',
        ) as string,
      },
    ])
    expect(await cluster.faults()).toEqual([])
  })

  test('says what it does not understand, and changes nothing', async () => {
    const refused = async (...words: string[]): Promise<unknown> =>
      await cluster.toolkit.here('fault', 'add', ...words, ...cluster.name).then(
        applied => ({ applied }),
        (error: unknown) => error,
      )
    for (const [words, text] of [
      [['slow-disk', '2'], 'needs --delay, --jitter or --rate'],
      [['slow-disk', '2', '--delay', '5000'], 'from 0 to 2000'],
      [['slow-disk', '--delay', '5'], 'is about nodes: which?'],
      [['slow-disk', '9', '--delay', '5'], 'no node 9'],
      [['slow-disk', '1', '--delay', '5', '--to', '2'], 'takes no --from'],
      [['fire', '1'], 'There is no fault fire'],
      [['kill', 'leader:nothing-0'], 'there is no topic nothing'],
      [['kill', '1', '--when', 'fire'], '--when: there is no condition "fire"'],
      [['kill', '1', '--when', 'isLevel a-0', '--at', '1s'], '--at and --when cannot be meant together'],
      [['kill', '1', '--within', '1s'], '--within is about --when'],
    ] as const)
      expect(await refused(...words)).toMatchObject({ exitCode: 2, message: expect.stringContaining(text) as string })
    expect(await cluster.faults()).toEqual([])
  })
}

describe('a cluster that was not started to be broken', () => {
  const toolkit = new Toolkit()
  const name = ['--name', 'whole']
  beforeAll(async () => {
    await toolkit.run('up', ...name, '--runtime', 'process', '--brokers', '1', '--port', await freePort())
  })
  afterAll(() => toolkit.remove())

  test('takes no orders, and says how to get one that does', async () => {
    expect(existsSync(path.join(toolkit.home, 'whole', 'node-1', 'faults.sock'))).toBe(false)
    const { exitCode, stderr } = await toolkit.start('fault', 'add', 'full-disk', '1', ...name)
    expect(stderr).toContain('take no orders for faults inside')
    expect(stderr).toContain('--faults --runtime process')
    expect(exitCode).toBe(1)
  })

  test('is stalled from outside', async () => {
    const { stdout } = await toolkit.run('fault', 'add', 'stall', '1', '--for', '500', ...name, '--json')
    expect(JSON.parse(stdout)).toMatchObject([{ name: 'stall', proofs: [{ shown: true }] }])
    expect(await toolkit.states('whole')).toEqual(['running'])
  })
})

describeWith(['java', 'apache-kafka'], 'Apache Kafka that was started without --faults', () => {
  const toolkit = new Toolkit()
  const name = ['--name', 'other']
  beforeAll(async () => {
    const shape = ['--runtime', 'process', '--engine', 'apache-kafka', '--brokers', '1', '--port', await freePort()]
    await toolkit.run('up', ...name, ...shape)
  })
  afterAll(() => toolkit.remove())

  test('is stalled from outside', async () => {
    const { stdout } = await toolkit.run('fault', 'add', 'stall', '1', '--for', '800', ...name, '--json')
    expect(JSON.parse(stdout)).toMatchObject([{ name: 'stall', node: 1, proofs: [{ shown: true }] }])
    expect(await toolkit.states('other')).toEqual(['running'])
    expect(JSON.parse((await toolkit.run('fault', 'list', ...name, '--json')).stdout)).toEqual([])
  })

  test('has no library in front of it, and says the way to one', async () => {
    const [broker] = (await toolkit.document('status', ...name)).brokers
    if (process.platform === 'linux')
      expect(readFileSync(`/proc/${broker?.pid}/maps`, 'utf8')).not.toContain('libfaults.so')
    expect(existsSync(path.join(toolkit.home, 'other', 'node-1', 'faults'))).toBe(false)
    const { exitCode, stderr } = await toolkit.start('fault', 'add', 'clock-jump', '1', '--offset', '5', ...name)
    expect(stderr).toContain('its nodes take no orders for faults inside')
    expect(stderr).toContain('./faultline up --name other --faults --runtime process')
    expect(exitCode).toBe(1)
  })
})
