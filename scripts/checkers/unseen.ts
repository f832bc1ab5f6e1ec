/**
 * Three ways in which reads and writes do not fit together.
 *
 * unseen: a record was acknowledged and in the end nobody had read it. Other than a lost write it needs no later record that was read,
 * so it also catches a log whose tail vanished, a stuck consumer, and writes that nobody promised to keep (acks=0).
 *
 * vanished: a record had been read, and a full read at the end, from the beginning, no longer finds it. Jepsen has no such check, because
 * there a record that anyone ever read counts as safe; whoever reads the log a second time will disagree.
 *
 * aborted-read (G1a): a consumer read a record whose write had definitely failed.
 *
 * Source: jepsen.tests.kafka, unseen and g1a-cases.
 */
import { expired, mustHaveCommitted, type Analysis } from './analysis.ts'
import { asCommitted, wasReadIn } from './final-read.ts'
import { Anomalies, countOf, entryName, sliceOf, unknown, verdict, type CheckResult } from './result.ts'
import { Whereabouts } from './whereabouts.ts'

export function unseen(analysis: Analysis): CheckResult {
  const name = 'unseen'
  if (analysis.acknowledged === 0) return unknown(name, 'No write was acknowledged, so there was nothing to see.')
  if (analysis.finalRead === 'incomplete') {
    return unknown(
      name,
      'The final read did not reach the end of every partition, so a record that nobody read may only be late.',
    )
  }
  const where = new Whereabouts(analysis)
  const wasRead = wasReadIn(analysis)
  const anomalies = new Anomalies()
  for (const facts of analysis.partitions.values()) {
    for (const write of facts.writes) {
      const value = write.seen
      if (write.outcome !== 'ok' || wasRead(value)) continue
      const offset = value.offsets.at(-1)
      if (offset !== undefined && expired(analysis, facts.name, offset)) continue
      anomalies.add(() => ({
        partition: facts.name,
        explanation: `${write.value} was acknowledged by ${entryName(analysis, write.completed as number)} ${offset === undefined ? 'without an offset' : `at offset ${offset}`} of ${facts.name}, and nobody ever read it${asCommitted(value)}. ${where.fate(facts.name, write.value).sentence}`,
        slice: sliceOf(analysis, facts.name, [write.invoked, write.completed, analysis.finalReadFrom], [write.value]),
      }))
    }
  }
  return verdict(
    name,
    {
      good: `All ${countOf(analysis.acknowledged, 'acknowledged record')} had been read when the run ended.`,
      bad: `${countOf(anomalies.count, 'acknowledged record')} of ${analysis.acknowledged} had not been read by anyone when the run ended.`,
    },
    anomalies,
  )
}

export function vanished(analysis: Analysis): CheckResult {
  const name = 'vanished'
  const { finalReadFrom } = analysis
  if (finalReadFrom === undefined || analysis.finalRead === 'incomplete') {
    return unknown(name, 'There was no complete read of everything at the end to compare with.')
  }
  const where = new Whereabouts(analysis)
  const wasRead = wasReadIn(analysis)
  const anomalies = new Anomalies()
  let compared = 0
  for (const facts of analysis.partitions.values()) {
    for (const value of facts.values.values()) {
      if (value.firstRead === undefined || value.lastRead === undefined) continue
      // Of a transaction that a reader of uncommitted records saw, the end may be an abort.
      if (
        value.write?.transactional === true &&
        value.firstCommittedRead === undefined &&
        !mustHaveCommitted(value.write)
      )
        continue
      compared += 1
      if (
        (value.lastRead >= finalReadFrom && wasRead(value)) ||
        expired(analysis, facts.name, value.offsets.at(-1) as number)
      )
        continue
      const [first, last] = [value.firstRead, value.lastRead]
      anomalies.add(() => ({
        partition: facts.name,
        explanation: `${value.value} was read at offset ${value.offsets[0]} of ${facts.name} by ${entryName(analysis, first)}, but the full read at the end does not find it. ${where.fate(facts.name, value.value).sentence}`,
        slice: sliceOf(
          analysis,
          facts.name,
          [value.write?.invoked, value.write?.completed, first, last, finalReadFrom],
          [value.value],
        ),
      }))
    }
  }
  if (compared === 0) return unknown(name, 'Nothing was read.')
  return verdict(
    name,
    {
      good: `Each of ${countOf(compared, 'record')} that anybody had read was still there at the end.`,
      bad: `${countOf(anomalies.count, 'record')} of ${compared} had been read and ${anomalies.count === 1 ? 'was' : 'were'} gone at the end.`,
    },
    anomalies,
  )
}

export function abortedRead(analysis: Analysis): CheckResult {
  const anomalies = new Anomalies()
  let failed = 0
  for (const facts of analysis.partitions.values()) {
    for (const write of facts.writes) {
      if (write.outcome !== 'fail') continue
      failed += 1
      const value = write.seen
      // Whoever reads uncommitted may see what a transaction writes before it is aborted, but never what a send failed to write.
      const reader = write.transactional ? value.firstCommittedRead : value.firstRead
      if (reader === undefined) continue
      anomalies.add(() => ({
        partition: facts.name,
        explanation: `The write of ${write.value} to ${facts.name} had definitely failed in ${entryName(analysis, write.completed as number)}, yet ${entryName(analysis, reader)} read it at offset ${value.offsets[0]}.`,
        slice: sliceOf(analysis, facts.name, [write.invoked, write.completed, reader], [write.value]),
      }))
    }
  }
  return verdict(
    'aborted-read',
    {
      good:
        failed === 0
          ? 'No write failed for certain.'
          : `None of ${countOf(failed, 'write')} that definitely failed was ever read.`,
      bad: `${countOf(anomalies.count, 'record')} whose write had definitely failed ${anomalies.count === 1 ? 'was' : 'were'} read.`,
    },
    anomalies,
  )
}
