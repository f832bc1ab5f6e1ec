/**
 * Every API and version that the broker serves, called with what clients could mean and with damaged forms of it, over real connections to
 * a real process. It goes on, whatever comes: the process lives, every valid request is answered in the form of its version and none meets a
 * bug, memory is bounded, and a client beside it notices nothing.
 *
 * A finding prints the line that replays it. FUZZ_SEED picks other cases, FUZZ_SECONDS gives them more time (default: 10 per listener), FUZZ_FROM and
 * FUZZ_TO narrow a replay down.
 */
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ListenerKind } from '#broker/handlers/handler.ts'
import { handlers } from '#broker/handlers/registry.ts'
import { apiByKey } from '#broker/protocol/apis.ts'
import { isReference, oursAlone } from './engine.ts'
import { bugLines } from './fuzz/bug-lines.ts'
import { campaign, MiB, startFuzzed } from './fuzz/campaign.ts'
import { fuzzCase, type FuzzCase, type Target } from './fuzz/cases.ts'
import { flaw, send } from './fuzz/session.ts'
import type { Known } from './fuzz/values.ts'
import type { Cluster } from './harness.ts'

const { seed, seconds, from, to } = campaign
const workers = 8
/** Valid requests, on each listener; a busy machine takes longer than the time for them. */
const leastValid = 200
const validWithinMs = 120_000
/** A damaged request may ask for a wait of weeks. */
const damagedWithinMs = 300

let cluster: Cluster
let known: Known

/** Their word is law: well-formed, they take the node out of its cluster or the leadership away from it, as they ask to. */
const without = new Set([
  ...['UnregisterBroker', 'RemoveRaftVoter', 'AddRaftVoter', 'UpdateRaftVoter', 'UpdateFeatures'],
  ...['Vote', 'BeginQuorumEpoch', 'EndQuorumEpoch', 'BrokerRegistration', 'BrokerHeartbeat', 'AlterPartition'],
])

function targetsOf(kind: ListenerKind): Target[] {
  return handlers
    .filter(each => each.listeners.includes(kind))
    .filter(({ apiKey }) => !without.has(apiByKey(apiKey)?.name ?? ''))
    .flatMap(({ apiKey, versions: [minimum, maximum] }) =>
      Array.from({ length: maximum - minimum + 1 }, (_, index) => ({ apiKey, version: minimum + index })),
    )
}

interface Tally {
  cases: number
  valid: number
  readonly ends: Record<'answered' | 'closed' | 'silent', number>
  readonly findings: string[]
}

function replay(index: number): string {
  return `FUZZ_SEED=${seed} FUZZ_FROM=${index} FUZZ_TO=${index + 1} npx vitest run --project conformance tests/conformance/fuzz.test.ts`
}

/** Where Kafka, too, closes the connection of a well-formed request. */
const rightlyClosed = /Produce with acks=0 to .* failed|access control entr.* UNKNOWN elements/

function unexpectedEnd(end: 'closed' | 'silent', localPort: number | undefined): string | undefined {
  const lines = cluster.broker().log().split('\n')
  const reason = lines.findLast(line => line.includes(`client=127.0.0.1:${localPort} `)) ?? 'the log does not say why'
  return end === 'closed' && rightlyClosed.test(reason) ? undefined : `the connection was ${end}: ${reason}`
}

async function judge(fuzz: FuzzCase, port: number, tally: Tally): Promise<void> {
  const isValid = fuzz.damage === undefined
  const { end, response, localPort } = await send(fuzz, port, isValid ? validWithinMs : damagedWithinMs)
  tally.cases++
  tally.ends[end]++
  if (!isValid) return
  tally.valid++
  const problem =
    end === 'answered' ? (response === undefined ? undefined : flaw(fuzz, response)) : unexpectedEnd(end, localPort)
  if (problem !== undefined)
    tally.findings.push(`${fuzz.name} v${fuzz.version}: ${problem}; replay: ${replay(fuzz.index)}`)
}

async function run(kind: ListenerKind, port: number): Promise<Tally> {
  const targets = targetsOf(kind)
  const tally: Tally = { cases: 0, valid: 0, ends: { answered: 0, closed: 0, silent: 0 }, findings: [] }
  const deadline = Date.now() + seconds * 1_000
  let next = from
  const work = async (): Promise<void> => {
    while (next < to && (Date.now() < deadline || tally.valid < leastValid))
      await judge(fuzzCase(seed, next++, targets, known), port, tally)
  }
  await Promise.all(Array.from({ length: workers }, work))
  console.log(
    `fuzzed the ${kind} listener: ${JSON.stringify({ seed, from, to: next, ...tally, findings: tally.findings.length })}`,
  )
  return tally
}

/** Lines of the log that speak of bugs, with the line that replays them. */
function bugs(): string[] {
  return bugLines(cluster.broker().log()).map(line => {
    const index = /fuzz-(\d+)/.exec(line)?.[1]
    return index === undefined ? line : `${line}\nreplay: ${replay(Number(index))}`
  })
}

beforeAll(async () => {
  ;({ cluster, known } = await startFuzzed({
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': 'User:ANONYMOUS',
  }))
})

afterAll(async () => {
  await cluster?.stop()
})

/** A client beside the fuzzer writes and reads. */
async function serves(): Promise<void> {
  const kafka = new Kafka({ clientId: 'bystander', brokers: cluster.addresses, logLevel: logLevel.NOTHING })
  const producer = kafka.producer()
  await producer.connect()
  const [sent] = await producer.send({ topic: 'fuzzed', messages: [{ value: 'still here', partition: 0 }] })
  expect(sent?.errorCode).toBe(0)
  await producer.disconnect()
}

describe.skipIf(isReference)(
  oursAlone('requests of every API and version, valid and damaged,', 'judged by our log'),
  () => {
    test(
      'to the listener of clients are answered as promised, or end their connection alone',
      async () => {
        const before = cluster.broker().residentBytes() ?? 0
        const tally = await run('broker', cluster.broker().port)
        expect([...tally.findings, ...bugs()]).toEqual([])
        if (to === Infinity) expect(tally.valid).toBeGreaterThanOrEqual(leastValid)
        expect(await cluster.broker().isHealthy()).toBe(true)
        await serves()
        expect((cluster.broker().residentBytes() ?? 0) - before).toBeLessThan(400 * MiB)
      },
      600_000 + seconds * 1_000,
    )

    test(
      'to the listener of controllers are, too',
      async () => {
        const tally = await run('controller', cluster.broker().controllerPort)
        expect([...tally.findings, ...bugs()]).toEqual([])
        if (to === Infinity) expect(tally.valid).toBeGreaterThanOrEqual(leastValid)
      },
      600_000 + seconds * 1_000,
    )

    test('leave a process that stops as asked', async () => {
      expect(await cluster.broker().stop()).toBe(0)
    })
  },
)
