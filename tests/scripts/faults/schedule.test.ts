import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import type { Parameters } from '#broker/environment/faulty/parameters.ts'
import type { Cluster, LabClock, NodeState, NodeStatus, PacketFaults } from '#scripts/cluster/cluster.ts'
import { seededRandom } from '#scripts/cluster/random.ts'
import { clusterSpec } from '#scripts/cluster/spec.ts'
import { readSchedule } from '#scripts/faults/schedule-file.ts'
import {
  after,
  byChance,
  every,
  runSchedule,
  type ScheduleEvent,
  type ScheduledFault,
} from '#scripts/faults/schedule.ts'

/** Time that passes when somebody sleeps, the earliest first. */
class FakeClock implements LabClock {
  #nowMs = 0
  #sleepers: { readonly dueMs: number; readonly wake: () => void }[] = []

  nowMs(): number {
    return this.#nowMs
  }

  sleep(ms: number): Promise<void> {
    return new Promise(wake => {
      this.#sleepers.push({ dueMs: this.#nowMs + ms, wake })
      setImmediate(() => this.#next())
    })
  }

  #next(): void {
    const [first] = this.#sleepers.sort((a, b) => a.dueMs - b.dueMs)
    if (first === undefined) return
    this.#sleepers.shift()
    this.#nowMs = Math.max(this.#nowMs, first.dueMs)
    first.wake()
  }
}

/** Three nodes that can be stopped and started, and what was done to them when. */
function cluster(): { cluster: Cluster; done: string[]; clock: FakeClock } {
  const clock = new FakeClock()
  const states = new Map<number, NodeStatus>([1, 2, 3].map(id => [id, 'running']))
  const done: string[] = []
  const set = (id: number, state: NodeStatus, verb: string): Promise<void> => {
    done.push(`${clock.nowMs()} ${verb} ${id}`)
    states.set(id, state)
    return Promise.resolve()
  }
  const nodes = (): NodeState[] =>
    [...states].map(([id, state]) => ({ id, state, roles: ['broker'], host: 'h', port: 1, dataDir: '', log: '' }))
  const made: Partial<Cluster> = {
    spec: clusterSpec({ runtime: 'process', name: 'scheduled' }),
    capabilities: new Set(['kill', 'stop', 'pause', 'restart'] as const),
    clock,
    nodes: () => Promise.resolve(nodes()),
    stop: id => set(id, 'stopped', 'stop'),
    start: id => set(id, 'running', 'start'),
    pause: id => set(id, 'paused', 'pause'),
    resume: id => set(id, 'running', 'resume'),
    waitReady: () => Promise.resolve(),
  }
  return { cluster: made as Cluster, done, clock }
}

const node = (...ids: number[]) => ({ nodes: () => Promise.resolve(ids), proof: false })

async function run(
  faults: (clock: LabClock) => readonly ScheduledFault[],
  signal = new AbortController().signal,
  given = cluster(),
): Promise<{ done: string[]; events: ScheduleEvent[] }> {
  const events: ScheduleEvent[] = []
  await runSchedule({
    cluster: given.cluster,
    faults: faults(given.clock),
    signal,
    report: event => events.push(event),
  })
  return { done: given.done, events }
}

describe('a schedule of faults', () => {
  test('begins at times, lasts as long as it says, and ends what is left', async () => {
    const { done, events } = await run(clock => [
      { kind: 'stop', ...node(1), trigger: after(clock, 5_000), forMs: 2_000 },
      { kind: 'pause', ...node(3), trigger: after(clock, 1_000) },
    ])
    expect(done).toEqual(['1000 pause 3', '5000 stop 1', '7000 start 1', '7000 resume 3'])
    expect(events.map(({ what, kind }) => `${what} ${kind}`)).toEqual([
      'began pause',
      'began stop',
      'healed down',
      'healed pause',
    ])
  })

  test('comes again and again, leaving out what passed meanwhile', async () => {
    const { done } = await run(clock => [
      { kind: 'stop', ...node(2), trigger: every(clock, 1_000), forMs: 1_500, times: 3 },
    ])
    expect(done.filter(line => line.includes('stop'))).toEqual(['1000 stop 2', '3000 stop 2', '5000 stop 2'])
  })

  test('draws the same times from the same seed', async () => {
    const drawn = async (seed: number) =>
      (
        await run(clock => [
          {
            kind: 'pause',
            ...node(1),
            trigger: byChance(clock, seededRandom(seed), 100, 9_000),
            forMs: 10,
            times: 4,
          },
        ])
      ).done
    expect(await drawn(5)).toEqual(await drawn(5))
    expect(await drawn(5)).not.toEqual(await drawn(6))
  })

  test('heals what it began when it is cut off', async () => {
    const abort = new AbortController()
    const { done } = await run(
      clock => [
        { kind: 'stop', ...node(1), trigger: after(clock, 100) },
        {
          kind: 'stop',
          ...node(2),
          trigger: async signal => {
            await after(clock, 400)(signal)
            abort.abort(new Error('enough'))
          },
        },
      ],
      abort.signal,
    )
    expect(done).toEqual(['100 stop 1', '400 start 1'])
  })

  test('heals also what was just being applied when it was cut off, and waits for no trigger', async () => {
    const abort = new AbortController()
    const given = cluster()
    const slow: Cluster = {
      ...given.cluster,
      stop: async id => {
        abort.abort(new Error('enough'))
        await given.clock.sleep(1_000)
        await given.cluster.stop(id)
      },
    }
    const { done } = await run(
      clock => [
        { kind: 'stop', ...node(1), trigger: after(clock, 100), forMs: Infinity },
        { kind: 'stop', ...node(2), trigger: () => new Promise<void>(() => undefined) },
      ],
      abort.signal,
      { ...given, cluster: slow },
    )
    expect(done).toEqual(['1100 stop 1', '1100 start 1'])
  })

  test('refuses to come every 0 ms', () => {
    expect(() => every(cluster().clock, 0)).toThrow('expected a time above 0')
  })

  test('waits for what somebody else observes', async () => {
    const seen = Promise.withResolvers<void>()
    const { done } = await run(clock => [
      { kind: 'stop', ...node(1), trigger: () => seen.promise, forMs: 5 },
      {
        kind: 'pause',
        ...node(2),
        trigger: async signal => {
          await after(clock, 700)(signal)
          seen.resolve()
        },
        forMs: 5,
      },
    ])
    expect(done.filter(line => line.includes('stop'))).toEqual(['700 stop 1'])
  })

  test('goes on when a fault is refused, and says so; a kind that is not there is refused at once', async () => {
    const { events } = await run(clock => [
      { kind: 'stop', nodes: () => Promise.reject(new Error('nobody leads')), trigger: after(clock, 10) },
      { kind: 'stop', ...node(2), trigger: after(clock, 20), forMs: 10 },
    ])
    expect(events.map(({ what, kind }) => `${what} ${kind}`)).toEqual(['refused stop', 'began stop', 'healed down'])
    await expect(run(clock => [{ kind: 'fire', ...node(1), trigger: after(clock, 1) }])).rejects.toThrow(
      'no fault fire',
    )
  })

  test.each([
    ['stop', { colour: 'red' }, 'has no --colour'],
    ['slow-disk', { delay: 5 }, 'when it is started with up --faults'],
    ['latency', { delay: 5 }, 'when it is started with up --proxy'],
    ['power-failure', {}, 'what they have not fsynced when it is started with up --faults'],
  ])('refuses %s %j before anything begins, where it can never be applied', async (kind, parameters, problem) => {
    const given = cluster()
    const faults = (clock: LabClock): readonly ScheduledFault[] => [
      { kind: 'stop', ...node(1), trigger: after(clock, 1) },
      { kind, ...node(1), parameters, trigger: after(clock, 10) },
    ]
    await expect(run(faults, undefined, given)).rejects.toThrow(problem)
    expect(given.done).toEqual([])
  })

  test('goes on without a fault whose occasion does not come in time, and counts it', async () => {
    const given = cluster()
    const events: ScheduleEvent[] = []
    const refused = await runSchedule({
      cluster: given.cluster,
      faults: [
        {
          kind: 'stop',
          ...node(1),
          trigger: async signal => {
            await after(given.clock, 50)(signal)
            throw new Error('nobody was seen to lead within 50 ms')
          },
          times: 3,
        },
        { kind: 'pause', ...node(2), trigger: after(given.clock, 100), forMs: 10 },
      ],
      signal: new AbortController().signal,
      report: event => events.push(event),
    })
    expect(refused).toBe(1)
    expect(given.done).toEqual(['100 pause 2', '110 resume 2'])
    expect(events[0]).toEqual({ what: 'refused', kind: 'stop', text: 'nobody was seen to lead within 50 ms' })
  })

  test('refuses before anything begins what packets alone cannot do, and knows what they can', async () => {
    const { cluster: bare, ...rest } = cluster()
    const packets: PacketFaults = {
      kinds: new Set(['partition']),
      faults: () => Promise.resolve([]),
      add: ({ kind }) => Promise.reject(new Error(`asked for ${kind}`)),
      heal: () => Promise.resolve([]),
    }
    const capabilities = new Set([...bare.capabilities, 'partition'] as const)
    const given = { ...rest, cluster: { ...bare, capabilities, packets } }
    const fault = (kind: string, parameters: Parameters) => (clock: LabClock) => [
      { kind, ...node(1), links: { from: [1], to: [2] }, parameters, trigger: after(clock, 1) },
    ]
    await expect(run(fault('latency', { delay: 5 }), undefined, given)).rejects.toThrow(
      'without a fault proxy (up --proxy) there are partition',
    )
    const { events } = await run(fault('partition', {}), undefined, given)
    expect(events).toMatchObject([{ what: 'refused', kind: 'partition' }])
    expect(JSON.stringify(events)).toContain('asked for partition')
  })

  test('is over with a fault that is over by itself, however long it was to last', async () => {
    const { done, events } = await run(clock => [
      { kind: 'restart', ...node(1), trigger: after(clock, 50), forMs: Infinity },
    ])
    expect(done).toEqual(['50 stop 1', '50 start 1'])
    expect(events.map(({ what, kind }) => `${what} ${kind}`)).toEqual(['began restart'])
  })

  test('heals a node that is down only where a fault of its kind ends nodes', async () => {
    const { done, events } = await run(clock => [
      { kind: 'pause', ...node(1), trigger: after(clock, 10), forMs: 100 },
      // Somebody else's: the node that was frozen ends.
      {
        kind: 'restart',
        nodes: async given => {
          await given.stop(1)
          return []
        },
        trigger: after(clock, 50),
      },
    ])
    expect(done).toEqual(['10 pause 1', '50 stop 1'])
    expect(events.map(({ what, kind }) => `${what} ${kind}`)).toEqual(['began pause', 'began restart'])
  })
})

describe('a schedule in a file', () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'faultline-schedule-'))
  afterAll(() => rmSync(directory, { recursive: true, force: true }))
  const resolveNodes = (_: Cluster, names: readonly string[]) => Promise.resolve(names.map(Number))
  const load = async (text: string, name = 'schedule.json') => {
    const file = path.join(directory, name)
    writeFileSync(file, text)
    return await readSchedule(file, cluster().cluster, resolveNodes)
  }

  test('is JSON', async () => {
    const [first, second] = await load(
      JSON.stringify([
        { kind: 'slow-disk', nodes: [2], parameters: { delay: 200 }, when: { at: '5s' }, for: '2s' },
        { kind: 'kill', nodes: ['random'], when: { random: ['500ms', '1m'], seed: 3 } },
      ]),
    )
    expect(first).toMatchObject({ kind: 'slow-disk', parameters: { delay: 200 }, forMs: 2_000, times: 1 })
    expect(await first?.nodes?.(cluster().cluster)).toEqual([2])
    expect(second?.times).toBe(Infinity)
    const picked = await Promise.all(Array.from({ length: 20 }, async () => await second?.nodes?.(cluster().cluster)))
    expect(new Set(picked.flat())).toEqual(new Set([1, 2, 3]))
  })

  test('looks up roles in what was observed when it began', async () => {
    const file = path.join(directory, 'roles.json')
    const observed = { every: [{ hasLeader: { partition: 'orders-0' } }, { brokerAnswers: { broker: 1 } }] }
    writeFileSync(
      file,
      JSON.stringify([{ kind: 'kill', nodes: ['leader:orders-0', 3], when: { observed, within: '5s' }, for: '1s' }]),
    )
    const asked: unknown[] = []
    const [first] = await readSchedule(file, cluster().cluster, (_, names, seen) => {
      asked.push([names, seen])
      return Promise.resolve([1])
    })
    expect(first?.times).toBe(1)
    const seen = { sequence: 4, atMs: 0, tookMs: 1, brokers: [], changes: [] }
    await first?.nodes?.(cluster().cluster, seen)
    expect(asked).toEqual([[['leader:orders-0', '3'], seen]])
  })

  test('is TypeScript, whose triggers are its own', async () => {
    const [first] = await load(
      'export default [{ kind: "stop", nodes: [1], when: (signal: AbortSignal) => Promise.resolve(void signal) }]',
      'schedule.ts',
    )
    await expect(first?.trigger(new AbortController().signal)).resolves.toBeUndefined()
  })

  test.each([
    ['{', 'cannot be read'],
    ['[]', 'a list of faults that is not empty'],
    ['[{"kind": "kill", "at": "5s"}]', 'at is not known'],
    ['[{"kind": "kill", "nodes": [1]}]', 'it says no when'],
    ['[{"kind": "kill", "nodes": [1], "when": {"at": "soon"}}]', 'no time; expected one like 500ms'],
    ['[{"kind": "kill", "nodes": [1], "when": {"random": ["5s", "1s"]}}]', 'from the least to the most'],
    ['[{"kind": "kill", "nodes": [1], "when": {}}]', 'when has exactly one of at, every, random, observed, as in'],
    ['[{"kind": "kill", "nodes": [1], "when": {"att": "1s"}}]', 'it is {"att":"1s"}'],
    ['[{"kind": "kill", "nodes": [1], "when": {"at": "1s", "every": "2s"}}]', 'when has exactly one of'],
    [
      '[{"kind": "kill", "nodes": [1], "when": {"random": ["1s", "2s"], "sead": 7}}]',
      'when has sead beside random, which takes seed alone',
    ],
    [
      '[{"kind": "kill", "nodes": [1], "when": {"random": ["1s", "2s"], "seed": "seven"}}]',
      'whole number, not "seven"',
    ],
    ['[{"kind": "kill", "nodes": [1], "when": {"random": ["1s", "2s"], "seed": 1.5}}]', 'a whole number, not 1.5'],
    ['[{"kind": "kill", "nodes": [1], "when": {"random": "1s"}}]', 'random has two times'],
    [
      '[{"kind": "kill", "nodes": [1], "when": {"observed": {"isLevel": {"partition": "o-0"}}, "whitin": "5s"}}]',
      'when has whitin beside observed, which takes within alone',
    ],
    [
      '[{"kind": "kill", "nodes": [1], "when": {"every": "1s", "seed": 7}}]',
      'seed beside every, which takes nothing else',
    ],
    [
      '[{"kind": "kill", "nodes": [1], "when": {"at": "1s", "within": "7s"}}]',
      'within beside at, which takes nothing else',
    ],
    ['[{"kind": "kill", "nodes": [1], "when": {"at": "1s"}, "times": 0}]', 'a whole number from 1'],
    ['[{"kind": "kill", "when": {"at": "1s"}}]', 'the fault kill is about nodes, and it names none'],
    ['[{"kind": "kill", "nodes": [], "when": {"at": "1s"}}]', 'the fault kill is about nodes, and it names none'],
    [
      '[{"kind": "kill", "nodes": [1], "when": {"observed": {"leads": {"partition": "o-0"}}}}]',
      'entry 1: observed: broker of leads: expected a whole number from 0, it is missing',
    ],
    [
      '[{"kind": "kill", "nodes": ["boss:o-0"], "when": {"observed": {"isLevel": {"partition": "o-0"}}}}]',
      'is no role',
    ],
    [
      '[{"kind": "kill", "nodes": [1], "when": {"observed": {"isLevel": {"partition": "o-0"}}, "within": "x"}}]',
      'no time',
    ],
    ['[{"kind": "kill", "nodes": [9], "when": {"at": "1s"}}]', 'entry 1: there is no node 9 in the cluster scheduled'],
    ['[{"kind": "kill", "nodes": ["boss"], "when": {"at": "1s"}}]', 'there is no node boss'],
    ['[{"kind": "cut", "links": {"from": ["client"], "to": [4]}, "when": {"at": "1s"}}]', 'there is no node 4'],
    [
      '[{"kind": "cut", "links": {"from": ["random"], "to": [1]}, "when": {"at": "1s"}}]',
      'entry 1: random is no end of a link: expected numbers of nodes, "all" or "client"',
    ],
    [
      '[{"kind": "cut", "links": {"from": ["all"], "to": ["leader:o-0"]}, "when": {"at": "1s"}}]',
      'leader:o-0 is no end of a link',
    ],
    ['[{"kind": "cut", "links": {"from": [1]}, "when": {"at": "1s"}}]', 'links has two lists'],
    ['[{"kind": "cut", "nodes": [1], "when": {"at": "1s"}}]', 'the fault cut is about links, and it names none'],
  ])('%s is refused', async (text, problem) => {
    await expect(load(text)).rejects.toThrow(problem)
  })
})
