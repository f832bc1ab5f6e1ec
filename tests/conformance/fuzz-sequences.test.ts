/**
 * Clients that remember: transactions, fetch and share sessions, groups of every kind, played in orders that no client would choose, with the ids
 * and epochs that the broker gave, and now and then with wrong ones. No request meets a bug, no connection hangs, no transaction stays
 * open, and of records each is where its producer was told: committed ones once, aborted ones nowhere.
 *
 * A finding names its story. FUZZ_SEED plays others, FUZZ_SECONDS plays longer (default: 10), FUZZ_FROM and FUZZ_TO play some of them.
 */
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { seededRandom } from '#scripts/cluster/random.ts'
import { isReference } from './engine.ts'
import { Actor, type Stage, type Tally } from './fuzz/actor.ts'
import { bugLines } from './fuzz/bug-lines.ts'
import { campaign, fuzzedTopics, MiB, startFuzzed } from './fuzz/campaign.ts'
import { committedValues } from './fuzz/committed-reader.ts'
import { Memory } from './fuzz/distort.ts'
import { sessionStories } from './fuzz/session-stories.ts'
import { Book, closeTransactions, Producer } from './fuzz/transaction-story.ts'
import { pick, type Known } from './fuzz/values.ts'
import { eventually, type Cluster } from './harness.ts'

const { seed, seconds, from, to } = campaign
const workers = 8
/** As many as it takes to succeed in everything once; a busy machine takes longer than the time for them. */
const leastStories = 150

let cluster: Cluster
let known: Known

beforeAll(async () => {
  ;({ cluster, known } = await startFuzzed({
    'group.min.session.timeout.ms': '100',
    'group.consumer.min.session.timeout.ms': '1000',
    'group.consumer.session.timeout.ms': '2000',
    'group.consumer.min.heartbeat.interval.ms': '100',
    'group.consumer.heartbeat.interval.ms': '500',
    'group.share.min.record.lock.duration.ms': '1000',
    'group.share.record.lock.duration.ms': '1000',
    // Records of 2023 among them would be deleted half a minute after the start.
    'log.retention.ms': '-1',
  }))
})

afterAll(async () => {
  await cluster?.stop()
})

interface Played {
  readonly stories: number
  readonly tally: Tally
  readonly book: Book
}

async function play(): Promise<Played> {
  const tally: Tally = { requests: 0, spoiled: 0, closed: 0, findings: [], kinds: new Set(), depth: new Map() }
  const book = new Book()
  const deadline = Date.now() + seconds * 1_000
  let next = from
  const story = async (index: number): Promise<void> => {
    const random = seededRandom(seed * 1_000_000 + index)
    const name = createHash('sha256').update(`${seed} ${index}`).digest('hex').slice(0, 12)
    const stage: Stage = {
      port: cluster.broker().port,
      clientId: `story-${seed}-${index}`,
      random,
      // Its own, so that nobody speaks for a producer that keeps its book.
      memory: new Memory(),
      oneDistortedIn: 8,
      oneDamagedIn: 25,
      tally,
    }
    const actor = new Actor(stage)
    const plot = { actor, stage, known, book, name }
    const steps = 5 + random.below(30)
    if (index % 2 === 0) await new Producer(plot).play(steps)
    else await pick(random, sessionStories)(plot, steps)
    if (index % 2 === 0) book.traces.set(name, actor.trace)
    actor.close()
  }
  const work = async (): Promise<void> => {
    while (next < to && (Date.now() < deadline || next - from < leastStories)) await story(next++)
  }
  await Promise.all(Array.from({ length: workers }, work))
  const { findings, kinds: _, depth, ...numbers } = tally
  console.log(
    `played ${next - from} stories: ${JSON.stringify({ seed, from, to: next, ...numbers, findings: findings.length, present: book.present.size, absent: book.absent.size, depth: Object.fromEntries(depth) })}`,
  )
  return { stories: next - from, tally, book }
}

/** Ends what is open, and tells what a reader of committed records sees then. */
async function ending(book: Book): Promise<string[]> {
  const tally: Tally = { requests: 0, spoiled: 0, closed: 0, findings: [], kinds: new Set(), depth: new Map() }
  const stage = { clientId: 'closer', random: seededRandom(seed), memory: new Memory(), tally }
  const actor = new Actor({ ...stage, port: cluster.broker().port, oneDistortedIn: 2 ** 48, oneDamagedIn: 2 ** 48 })
  for (const id of book.transactionalIds)
    await eventually(`nothing of ${id} is open`, async () => ((await closeTransactions(actor, id)) ? true : undefined))
  const values: string[] = []
  for (const { topic, numPartitions } of fuzzedTopics)
    for (let partition = 0; partition < numPartitions; partition++)
      values.push(...(await committedValues(actor, topic, partition)))
  actor.close()
  expect(tally.findings).toEqual([])
  return values
}

test(
  'stories of producers, consumers and groups find no bug, and every record is where its producer was told',
  async () => {
    const before = cluster.broker().residentBytes() ?? 0
    const { tally, book } = await play()
    // Apache Kafka logs as errors what it refuses.
    const bugs = isReference ? [] : bugLines(cluster.broker().log())
    expect([...tally.findings, ...bugs]).toEqual([])
    const counts = new Map<string, number>()
    for (const value of await ending(book)) counts.set(value, (counts.get(value) ?? 0) + 1)
    const wrong = [
      ...[...book.present].filter(value => counts.get(value) !== 1),
      ...[...book.absent].filter(value => counts.has(value)),
    ]
    for (const name of new Set(wrong.map(value => value.split(':')[0] ?? '')))
      console.log(book.traces.get(name)?.join('\n'))
    expect(wrong.map(value => `${value} is there ${counts.get(value) ?? 0} times`)).toEqual([])
    expect(await cluster.broker().isHealthy()).toBe(true)
    expect((cluster.broker().residentBytes() ?? 0) - before).toBeLessThan(400 * MiB)
    if (to === Infinity)
      expect([...tally.depth.keys()].toSorted()).toEqual([
        ...['AddOffsetsToTxn', 'AddPartitionsToTxn', 'abort', 'classic generation', 'commit', 'consumer heartbeat'],
        ...['fenced', 'idempotent write', 'incremental fetch', 'producer id', 'records acquired'],
        ...['share acknowledgement', 'streams heartbeat', 'transactional write'],
      ])
  },
  600_000 + seconds * 4_000,
)

test('leave a process that stops as asked', async () => {
  // A JVM that ended in order upon SIGTERM still says 128 + 15.
  expect(await cluster.broker().stop()).toBe(isReference ? 143 : 0)
})
