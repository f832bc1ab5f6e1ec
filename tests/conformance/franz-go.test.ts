/**
 * franz-go, a client in Go that we did not write: its own tests, run against three brokers, a sweep of the calls of its admin client
 * (go/kadm_test.go), and what it says to old brokers (go/releases_test.go). A test of franz-go that needs more than brokers (a SCRAM user, TLS)
 * skips itself.
 */
import { execa } from 'execa'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWith } from '../machine.ts'
import { startCluster, type Cluster } from './harness.ts'

const kgo = 'github.com/twmb/franz-go/pkg/kgo'
const module = path.join(import.meta.dirname, 'go')
/** Fewer than its default of half a million, since what is proven here is the protocol; but more than the 10,000 after which a transaction ends. */
const recordsPerTest = '12000'
/** They wait most of the time: for rebalances, and for seconds that they count themselves. By default it is one for each core. */
const testsAtATime = 4
/**
 * It subscribes to two topics of its own and to __consumer_offsets, ends when it has records of any two of them, and fails when these were not
 * its own: which come first is nobody's promise (and on Apache Kafka it fails, too).
 */
const matterOfLuck = 'Test848RegexBrokerResolves'
const badLuck = /did not consume from \w+-orders/
const attempts = 10
/**
 * Its test of share groups wants every record accepted in the end, but a record delivered five times and released each time is archived
 * (KIP-932). It has a member that releases all it gets, and members that end: what a member of franz-go has fetched and not handed out when it
 * ends, it releases, and that counts as a delivery. Four were counted on a busy machine; the most that a broker allows is ten.
 */
const deliveries = '10'
/** Go gives up before, and says where it hangs. */
const timeoutMs = 900_000

interface GoEvent {
  readonly Action: string
  readonly Test?: string
  readonly Output?: string
}

/** Runs a package's tests; the failed ones with their last lines. */
async function run(
  { bootstrap }: Cluster,
  name: string,
  ...which: string[]
): Promise<{ passed: number; failed: string[] }> {
  // What vet says of the source of others proves nothing of a broker.
  const limits = ['-count=1', '-vet=off', `-parallel=${testsAtATime}`, `-timeout=${timeoutMs / 1000 - 20}s`]
  const { stdout } = await execa('go', ['test', '-json', ...limits, ...which, name], {
    cwd: module,
    reject: false,
    timeout: timeoutMs,
    env: { KGO_SEEDS: bootstrap, KGO_TEST_RECORDS: recordsPerTest, KGO_LOG_LEVEL: 'none' },
  })
  const outputs = new Map<string, string[]>()
  const failed: string[] = []
  let passed = 0
  for (const line of stdout.split('\n')) {
    if (!line.startsWith('{')) continue
    const { Action, Test, Output } = JSON.parse(line) as GoEvent
    const of = Test ?? 'the package'
    if (Output !== undefined) outputs.set(of, [...(outputs.get(of) ?? []), Output].slice(-12))
    if (Action === 'pass' && Test !== undefined) passed++
    if (Action === 'fail') failed.push(`${of}: ${(outputs.get(of) ?? []).join('')}`)
  }
  return { passed, failed }
}

describeWith(['go'], 'franz-go', () => {
  let cluster: Cluster
  beforeAll(async () => {
    cluster = await startCluster({
      brokers: 3,
      settings: { 'auto.create.topics.enable': 'true', 'group.share.delivery.count.limit': deliveries },
    })
  })
  afterAll(() => cluster.stop())

  test('passes all of its own tests', { timeout: timeoutMs + 20_000 }, async () => {
    const { passed, failed } = await run(cluster, kgo, `-skip=^${matterOfLuck}$`)
    expect(failed).toEqual([])
    expect(passed).toBeGreaterThan(400)
  })

  test('passes the one that needs luck, once it has it', { timeout: timeoutMs + 20_000 }, async () => {
    let result = await run(cluster, kgo, `-run=^${matterOfLuck}$`)
    for (let tried = 1; badLuck.test(result.failed.join()) && tried < attempts; tried++)
      result = await run(cluster, kgo, `-run=^${matterOfLuck}$`)
    expect(result).toEqual({ passed: 1, failed: [] })
  })

  test('calls what its admin client has', { timeout: timeoutMs + 20_000 }, async () => {
    const { passed, failed } = await run(cluster, '.', '-skip=^TestReleases$')
    expect(failed).toEqual([])
    expect(passed).toBeGreaterThan(7)
  })
})

describeWith(['go'], 'franz-go with the versions of old brokers', () => {
  let cluster: Cluster
  beforeAll(async () => {
    cluster = await startCluster({
      brokers: 3,
      settings: {
        'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        'super.users': 'User:ANONYMOUS',
      },
    })
  })
  afterAll(() => cluster.stop())

  test(
    'writes, reads, commits and administers as with brokers of each release since 0.11',
    { timeout: timeoutMs + 20_000 },
    async () => {
      const { passed, failed } = await run(cluster, '.', '-run=^TestReleases$')
      expect(failed).toEqual([])
      expect(passed).toBe(1 + 24 * 4 - 4)
    },
  )
})
