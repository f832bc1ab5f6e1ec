/**
 * Verification of transactions in one partition (KIP-890), against the rule: the first records of a transaction are appended only with the guard
 * of a verification after which nothing of that producer was appended.
 */
import { deepStrictEqual as deepEqual } from 'node:assert/strict'
import * as fc from 'fast-check'
import { test } from 'vitest'
import type { AppendResult } from '#broker/log/log.ts'
import type { VerificationGuard } from '#broker/log/transaction-verification.ts'
import { buildEndTransactionMarker } from '#broker/protocol/records/batch-build.ts'
import { asClient, batchOf, Machine, openLog, startWallMs } from './harness.ts'

type Step =
  | { do: 'verify'; producer: number; epoch: number }
  | { do: 'append'; producer: number; epoch: number; guard: number }
  | { do: 'end'; producer: number; epoch: number; commit: boolean }

const producer = fc.integer({ min: 1, max: 2 })
const epoch = fc.integer({ min: 0, max: 2 })
const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('verify' as const), producer, epoch }),
  fc.record({ do: fc.constant('append' as const), producer, epoch, guard: fc.integer({ min: -1, max: 3 }) }),
  fc.record({ do: fc.constant('end' as const), producer, epoch, commit: fc.boolean() }),
)

/** What is known of a producer, by the rule alone. */
interface Known {
  epoch: number
  isOpen: boolean
  sequence: number
  /** The guard that is good for the next beginning. */
  guard: VerificationGuard | undefined
  /** Guards ever given, newest last. */
  readonly guards: VerificationGuard[]
}

function outcomeOf(result: AppendResult): string {
  return 'refused' in result ? result.refused : 'appended'
}

test('records of a transaction need a guard that nothing has outdated', () => {
  fc.assert(
    fc.property(fc.array(steps, { maxLength: 60 }), run => {
      const log = openLog(new Machine())
      const all = new Map<number, Known>()
      for (const step of run) {
        const known = all.get(step.producer) ?? { epoch: -1, isOpen: false, sequence: 0, guard: undefined, guards: [] }
        all.set(step.producer, known)
        const producerId = BigInt(step.producer)
        const isStale = step.epoch < known.epoch
        const isOngoing = known.isOpen && known.epoch === step.epoch
        if (step.do === 'verify') {
          const started = log.startVerification({
            producerId,
            producerEpoch: step.epoch,
            baseSequence: 0x7fffffff,
            supportsEpochBump: false,
          })
          if (isStale)
            deepEqual(
              started === 'ongoing' ? started : 'refused' in started && started.refused,
              'INVALID_PRODUCER_EPOCH',
            )
          else if (isOngoing) deepEqual(started, 'ongoing')
          else {
            if (started === 'ongoing' || 'refused' in started) throw new Error('no guard')
            if (known.guard !== undefined) deepEqual(started === known.guard, true)
            known.guard = started
            known.guards.push(started)
          }
        } else if (step.do === 'append') {
          const guard = step.guard < 0 ? undefined : known.guards.at(-1 - step.guard)
          const sequence = step.epoch === known.epoch ? known.sequence : 0
          const batch = batchOf(['x'], {
            producerId,
            producerEpoch: step.epoch,
            baseSequence: sequence,
            transactional: true,
          })
          const result = outcomeOf(
            log.appendAsLeader(batch, { ...asClient, requireVerification: true, verification: guard }),
          )
          const isVerified = guard !== undefined && guard === known.guard
          const expected = isStale
            ? 'INVALID_PRODUCER_EPOCH'
            : isOngoing || isVerified
              ? 'appended'
              : 'INVALID_TXN_STATE'
          deepEqual(result, expected)
          if (result !== 'appended') continue
          Object.assign(known, { epoch: step.epoch, isOpen: true, sequence: sequence + 1, guard: undefined })
        } else {
          const marker = buildEndTransactionMarker(step.commit ? 'commit' : 'abort', {
            producerId,
            producerEpoch: step.epoch,
            coordinatorEpoch: 0,
            timestamp: startWallMs,
          })
          const result = outcomeOf(
            log.appendAsLeader(marker, { ...asClient, origin: 'coordinator', requireVerification: true }),
          )
          deepEqual(result, isStale ? 'INVALID_PRODUCER_EPOCH' : 'appended')
          if (isStale) continue
          if (step.epoch !== known.epoch) known.sequence = 0
          Object.assign(known, { epoch: step.epoch, isOpen: false, guard: undefined })
        }
      }
    }),
    { numRuns: 300 },
  )
})
