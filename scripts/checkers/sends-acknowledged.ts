/**
 * sends-acknowledged: every send was acknowledged in the end, however often its client had to try. Not a promise about records (who gets an error
 * has lost nothing), but about the people who would have to handle it; a lab asks for it where Kafka can be operated without errors.
 */
import { isRecordOperation } from '../history/operation.ts'
import { Anomalies, countOf, entryName, unknown, verdict, type OwnCheck } from './result.ts'

export const sendsAcknowledged: OwnCheck = {
  name: 'sends-acknowledged',
  judge(analysis) {
    const sends = analysis.history.filter(isRecordOperation).filter(({ f, type }) => f === 'send' && type !== 'invoke')
    if (sends.length === 0) return unknown('sends-acknowledged', 'No send was completed.')
    const anomalies = new Anomalies()
    for (const send of sends) {
      if (send.type === 'ok') continue
      const how = send.type === 'fail' ? 'failed' : 'ended with an outcome that nobody knows'
      const why = send.error === undefined ? '' : `: ${send.error.code}, ${send.error.message}`
      anomalies.add(() => ({ explanation: `${entryName(analysis, send.index)} ${how}${why}.`, slice: [send] }))
    }
    return verdict(
      'sends-acknowledged',
      {
        good: `Each of ${countOf(sends.length, 'send')} was acknowledged.`,
        bad: `Of ${countOf(sends.length, 'send')} ${anomalies.count} ended without an acknowledgement.`,
      },
      anomalies,
    )
  },
}
