/**
 * sends-acknowledged: every send was acknowledged in the end, however often its client had to try; one in a transaction, with its commit. Not a promise
 * about records (who gets an error has lost nothing), but about the people who would have to handle it; a lab asks for it where Kafka can be operated
 * without errors. Of a send that never ended nobody knows how it ended.
 */
import { isRecordOperation, type History, type RecordOperation } from '../history/operation.ts'
import { Anomalies, countOf, entryName, unknown, verdict, type OwnCheck } from './result.ts'

export const sendsAcknowledged: OwnCheck = {
  name: 'sends-acknowledged',
  judge(analysis) {
    const sends = lastWordsOfSends(analysis.history)
    if (sends.length === 0) return unknown('sends-acknowledged', 'Nothing was sent.')
    const anomalies = new Anomalies()
    for (const send of sends) {
      const { type, error, index } = send
      if (type === 'ok') continue
      const why = error === undefined ? '' : `: ${error.code}, ${error.message}`
      anomalies.add(() => ({
        explanation: `${entryName(analysis, index)} ${ends[type]}${why}.`,
        slice: [send],
      }))
    }
    return verdict(
      'sends-acknowledged',
      {
        good: `Each of ${countOf(sends.length, 'send')} was acknowledged.`,
        bad: `Of ${countOf(sends.length, 'send')} ${anomalies.count} ${anomalies.count === 1 ? 'has' : 'have'} no acknowledgement.`,
      },
      anomalies,
    )
  },
}

const ends = {
  fail: 'failed',
  info: 'ended with an outcome that nobody knows',
  invoke: 'never ended',
} as const

/** Of each operation that sends, its completion, or its invocation if there is none. */
function lastWordsOfSends(history: History): RecordOperation[] {
  const open = new Map<number, RecordOperation>()
  const last: RecordOperation[] = []
  for (const operation of history) {
    if (!isRecordOperation(operation)) continue
    const invocation = open.get(operation.process)
    open.delete(operation.process)
    if (operation.type === 'invoke') {
      if (invocation && isSending(invocation)) last.push(invocation)
      open.set(operation.process, operation)
      // A transaction may learn what it sends from what it polls, and tell nothing of it when it failed.
    } else if (isSending(operation) || (invocation && isSending(invocation))) last.push(operation)
  }
  return [...last, ...[...open.values()].filter(isSending)]
}

function isSending({ f, value }: RecordOperation): boolean {
  return f === 'send' || (f === 'txn' && value.some(([kind]) => kind === 'send'))
}
