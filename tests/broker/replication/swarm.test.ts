/**
 * Three brokers under random kills, restarts, lost links, isolation from the controller and leader changes, with real logs and drivers.
 * Invariants, after every step: the high watermark of a life never goes back; below both high watermarks two logs are the same, byte for byte;
 * every member of the in-sync set holds every acknowledged record. In the end, healed, all logs are the same.
 * Sources: the invariants of the Kafka replication model (LogMatching, LeaderCompleteness, LeaderCandidateCompleteness).
 */
import * as fc from 'fast-check'
import { test } from 'vitest'
import { step, SwarmRun } from './swarm-run.ts'

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
