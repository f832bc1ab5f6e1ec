/**
 * Three brokers under random kills, restarts, lost links, isolation from the controller and leader changes, with real logs and drivers.
 * Invariants, after every step: the high watermark of a life never goes back; below both high watermarks two logs are the same, byte for byte;
 * every member of the in-sync set holds every acknowledged record. In the end, healed, all logs are the same.
 * Sources: the invariants of the Kafka replication model (LogMatching, LeaderCompleteness, LeaderCandidateCompleteness).
 */
import * as fc from 'fast-check'
import { test } from 'vitest'
import { type Step, step, SwarmRun } from './swarm-run.ts'

test(
  'no acknowledged record is lost, and logs never differ below the high watermark',
  { timeout: 120_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async steps => {
        const run = new SwarmRun()
        for (const each of steps) {
          await run.perform(each)
          run.check()
        }
        await run.end()
      }),
      { numRuns: 20 },
    )
  },
)

/** Found by the test above: broker 2 led in an epoch in which it wrote nothing, and forgot by that who had written what it had before. */
const idleLeader: readonly Step[] = [
  { kind: 'cut', from: 1, to: 3 },
  { kind: 'produce', acks: -1 },
  { kind: 'lead', id: 3 },
  { kind: 'produce', acks: -1 },
  { kind: 'wait', ms: 1 },
  { kind: 'produce', acks: -1 },
  { kind: 'wait', ms: 1 },
  { kind: 'produce', acks: -1 },
  { kind: 'lead', id: 1 },
  { kind: 'lead', id: 2 },
  { kind: 'lead', id: 3 },
  { kind: 'produce', acks: -1 },
  { kind: 'produceToZombie', id: 1 },
  { kind: 'wait', ms: 2 },
  { kind: 'produce', acks: -1 },
  { kind: 'lead', id: 1 },
  { kind: 'produce', acks: -1 },
  { kind: 'produce', acks: -1 },
  { kind: 'wait', ms: 1 },
]

test('a leader that wrote nothing leaves no trace in what its log says of epochs', async () => {
  const run = new SwarmRun()
  for (const each of idleLeader) {
    await run.perform(each)
    run.check()
  }
  await run.end()
})

/** Found by the first test: what broker 1 proposed while it was alone was asked for ever, and no later proposal of it was sent. */
const proposedAlone: readonly Step[] = [
  { kind: 'isolate', id: 1 },
  { kind: 'waitLong', ms: 20_000 },
  { kind: 'heal' },
  { kind: 'wait', ms: 1 },
  { kind: 'kill', id: 3, isNoticed: false },
  { kind: 'wait', ms: 1 },
  { kind: 'lead', id: 1 },
  { kind: 'produce', acks: -1 },
]

test('a leader that proposed an in-sync set while it was alone grows it again later', async () => {
  const run = new SwarmRun()
  for (const each of proposedAlone) {
    await run.perform(each)
    run.check()
  }
  await run.end()
})
