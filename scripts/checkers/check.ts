/**
 * All checkers together: history in, verdict out. A pure function, so a recorded history can be judged again at any time.
 *
 * A checker that throws makes its own result `unknown`, never the others', and never a pass.
 */
import type { History } from '../history/operation.ts'
import { analyse, type Analysis } from './analysis.ts'
import { availability, progress } from './availability.ts'
import { committedOffsets } from './committed-offsets.ts'
import { compaction } from './compaction.ts'
import { cyclesOfReads, cyclesOfWrites } from './cycles.ts'
import { groupOwnership, rebalancePause } from './groups.ts'
import { duplicate, inconsistentOffsets } from './log-shape.ts'
import { garbageRead, logOrder } from './log-order.ts'
import { logStart } from './log-start.ts'
import { lostWrite } from './lost-write.ts'
import { pollOrder } from './poll-order.ts'
import { replicaDivergence } from './replica-divergence.ts'
import { unknown, type CheckResult, type OwnCheck, type Validity } from './result.ts'
import { keyOrder, sendOrder } from './send-order.ts'
import { precommittedRead, tornTransaction } from './transactions.ts'
import { abortedRead, unseen, vanished } from './unseen.ts'

/** Name of each check → the function that answers it (some answer several from one walk). */
const checkers = {
  'lost-write': analysis => [lostWrite(analysis)],
  unseen: analysis => [unseen(analysis)],
  vanished: analysis => [vanished(analysis)],
  'log-start': analysis => [logStart(analysis)],
  'torn-transaction': analysis => [tornTransaction(analysis)],
  compaction: analysis => [compaction(analysis)],
  duplicate: analysis => [duplicate(analysis)],
  'inconsistent-offsets': analysis => [inconsistentOffsets(analysis)],
  'log-order': analysis => [logOrder(analysis)],
  'garbage-read': analysis => [garbageRead(analysis)],
  'aborted-read': analysis => [abortedRead(analysis)],
  'precommitted-read': analysis => [precommittedRead(analysis)],
  G1c: cyclesOfReads,
  'G1c-process': cyclesOfReads,
  'G1c-realtime': cyclesOfReads,
  'int-nonmonotonic-poll': pollOrder,
  'int-poll-skip': pollOrder,
  'nonmonotonic-poll': pollOrder,
  'poll-skip': pollOrder,
  'int-nonmonotonic-send': sendOrder,
  'nonmonotonic-send': sendOrder,
  'key-order': analysis => [keyOrder(analysis)],
  'group-ownership': analysis => [groupOwnership(analysis)],
  'committed-offsets': analysis => [committedOffsets(analysis)],
  'replica-divergence': analysis => [replicaDivergence(analysis)],
  progress: analysis => [progress()(analysis)],
  'int-send-skip': sendOrder,
  G0: cyclesOfWrites,
  'G0-process': cyclesOfWrites,
  'G0-realtime': cyclesOfWrites,
  'G1c-ww': cyclesOfWrites,
  'G1c-ww-process': cyclesOfWrites,
  'G1c-ww-realtime': cyclesOfWrites,
  'rebalance-pause': analysis => [rebalancePause(analysis)],
  availability: analysis => [availability(analysis)],
} satisfies Record<string, (analysis: Analysis) => CheckResult[]>

export type CheckName = keyof typeof checkers

/** Every check there is, in the order of the report: what was lost first, figures last. Many need what only some workloads write down. */
export const everyCheck = Object.keys(checkers) as CheckName[]

/** What Kafka allows, or what is only measured: counted and shown, never invalid. */
export const figureChecks: readonly CheckName[] = [
  'int-send-skip',
  'G0',
  'G0-process',
  'G0-realtime',
  'G1c-ww',
  'G1c-ww-process',
  'G1c-ww-realtime',
  'rebalance-pause',
  'availability',
]

/** What a replicated log promises to every client, whatever happens: the default of a lab. */
export const allChecks: readonly CheckName[] = [
  'lost-write',
  'unseen',
  'vanished',
  'log-start',
  'duplicate',
  'inconsistent-offsets',
  'log-order',
  'garbage-read',
  'aborted-read',
  'G1c',
  'G1c-process',
  'G1c-realtime',
  'int-nonmonotonic-poll',
  'int-poll-skip',
  'nonmonotonic-poll',
  'poll-skip',
  'int-nonmonotonic-send',
  'nonmonotonic-send',
  'key-order',
  'replica-divergence',
  'availability',
]

/** For workloads with transactions: all that a log promises, and what transactions promise on top; shown is also what Kafka allows them. */
export const transactionChecks: readonly CheckName[] = [
  ...allChecks.slice(0, -1),
  'torn-transaction',
  'precommitted-read',
  'int-send-skip',
  'G0',
  'G1c-ww',
  'availability',
]

/**
 * For compacted topics, where superseded records may go: `compaction` stands for the checks that miss records. Replicas clean their logs each at
 * its own time, so they are not compared either.
 */
export const compactedChecks: readonly CheckName[] = [
  'compaction',
  ...allChecks.filter(
    name => !['lost-write', 'unseen', 'vanished', 'int-poll-skip', 'poll-skip', 'replica-divergence'].includes(name),
  ),
]

/** What a consumer group promises, beside what its topics do; for workloads that write down what members are told and what they commit. */
export const groupChecks: readonly CheckName[] = ['group-ownership', 'committed-offsets', 'rebalance-pause']

export type { OwnCheck } from './result.ts'

export type Check = CheckName | OwnCheck

export interface Verdict {
  readonly valid: Validity
  readonly results: readonly CheckResult[]
}

/** Judges a history by the given checks. Invalid wins over unknown, unknown over valid. */
export function check(history: History, checks: readonly Check[] = allChecks): Verdict {
  let analysis: Analysis
  try {
    analysis = analyse(history)
  } catch (error) {
    return { valid: 'unknown', results: checks.map(each => failed(nameOf(each), error)) }
  }
  const answers = new Map<(analysis: Analysis) => CheckResult[], CheckResult[] | Error>()
  const results = checks.map(each => {
    const name = nameOf(each)
    const checker: (analysis: Analysis) => CheckResult[] =
      typeof each === 'string' ? checkers[each] : asked => [each.judge(asked)]
    let answer = answers.get(checker)
    if (!answer) {
      answer = guarded(checker, analysis)
      answers.set(checker, answer)
    }
    if (answer instanceof Error) return failed(name, answer)
    return answer.find(result => result.name === name) ?? failed(name, new Error('it gave no answer'))
  })
  return { valid: combine(results.map(result => result.valid)), results }
}

function nameOf(each: Check): string {
  return typeof each === 'string' ? each : each.name
}

/** Runs a checker; an exception becomes a value, because it must not hide what the others found. */
export function guarded(checker: (analysis: Analysis) => CheckResult[], analysis: Analysis): CheckResult[] | Error {
  try {
    return checker(analysis)
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

export function combine(verdicts: readonly Validity[]): Validity {
  if (verdicts.includes(false)) return false
  return verdicts.length === 0 || verdicts.includes('unknown') ? 'unknown' : true
}

function failed(name: string, error: unknown): CheckResult {
  return unknown(
    name,
    `The checker could not judge this history: ${error instanceof Error ? error.message : String(error)}`,
  )
}
