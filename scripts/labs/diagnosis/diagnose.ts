/** From symptoms to the fault behind them, and both in words. */
import { median, type BrokerSymptoms, type Symptoms } from './symptoms.ts'

/** What may be wrong with a broker, in the words of a diagnosis. */
export const ailments = {
  dead: 'its process is dead',
  frozen: 'it is frozen',
  'cut off': 'it is cut off from the other nodes',
  'slow disk': 'its disk is slow',
  'full disk': 'its disk is full',
  'wrong clock': 'its clock is wrong',
} as const
export type Ailment = keyof typeof ailments

/** `nothing`: all brokers are well. `unclear`: more than one is not. */
export type Diagnosis =
  { readonly ailment: Ailment; readonly broker: number } | { readonly ailment: 'nothing' | 'unclear' }

const storageError = 56
/** A write of a healthy broker takes some milliseconds, on a busy machine some more: slow is what takes much longer than usual, and than others now. */
const slowMs = 120
const slowTimes = 4
/** Clocks that are set by NTP are apart by milliseconds. */
const aheadMs = 60_000

/** One broker with an ailment, and the others well: everything else is not told apart here. */
export function diagnose({ brokers, usualWriteMs }: Symptoms): Diagnosis {
  const found = brokers.flatMap(each => {
    const ailment = ailmentOf(each, brokers, usualWriteMs)
    return ailment === undefined ? [] : [{ ailment, broker: each.broker }]
  })
  const [first, second] = found
  if (first === undefined) return { ailment: 'nothing' }
  return second === undefined ? first : { ailment: 'unclear' }
}

function ailmentOf(broker: BrokerSymptoms, all: readonly BrokerSymptoms[], usualWriteMs: number): Ailment | undefined {
  const { answers, isAliveToOthers, write } = broker
  if (answers === 'refuses') return 'dead'
  if (answers === 'is silent') return 'frozen'
  // It answers us, and those who decide have not heard of it for a session.
  if (isAliveToOthers === false) return 'cut off'
  if (write === undefined) return undefined
  if (write.errorCode === storageError) return 'full disk'
  if (write.aheadMs !== undefined && Math.abs(write.aheadMs) > aheadMs) return 'wrong clock'
  const others = all.flatMap(each => (each === broker || each.write === undefined ? [] : [each.write.tookMs]))
  const now = median(others)
  if (now === undefined) return undefined
  const isSlow = write.tookMs >= Math.max(slowMs, slowTimes * usualWriteMs, slowTimes * now)
  return isSlow ? 'slow disk' : undefined
}

/** Whoever answers and is not in sync is cut off, whoever does not answer is dead: two questions of three. */
export function diagnoseHastily({ brokers, partitions }: Symptoms): Diagnosis {
  const odd = brokers.find(({ answers, inSyncIn }) => answers !== 'yes' || inSyncIn < partitions)
  if (odd === undefined) return { ailment: 'nothing' }
  return { ailment: odd.answers === 'yes' ? 'cut off' : 'dead', broker: odd.broker }
}

/** As `diagnose`, by somebody who wrote nothing to the brokers. */
export function diagnoseWithoutWrites(symptoms: Symptoms): Diagnosis {
  return diagnose({ ...symptoms, brokers: symptoms.brokers.map(broker => ({ ...broker, write: undefined })) })
}

export function diagnosisText(diagnosis: Diagnosis): string {
  if ('broker' in diagnosis) return `broker ${diagnosis.broker}: ${ailments[diagnosis.ailment]}`
  return diagnosis.ailment === 'nothing' ? 'nothing is wrong' : 'more than one broker has symptoms'
}

/** What there is to see, a line for each broker, and nothing of what it means. */
export function symptomLines({ brokers, partitions }: Symptoms): string[] {
  return brokers.map(each => {
    const { broker, answers, isAliveToOthers, sees, inSyncIn, leads, write } = each
    const known =
      isAliveToOthers === undefined ? 'nobody tells of it' : `the others call it ${isAliveToOthers ? 'alive' : 'gone'}`
    const place = `in sync in ${inSyncIn} of ${partitions} partitions, leads ${leads}`
    const self = {
      yes: `answers and sees ${sees.join(', ') || 'nobody'} alive`,
      refuses: 'no connection',
      'is silent': 'takes a connection and never answers',
    }[answers]
    return `broker ${broker}: ${[self, known, place, ...writeWords(write)].join('; ')}`
  })
}

function writeWords(write: BrokerSymptoms['write']): string[] {
  if (write === undefined) return []
  const { errorCode, tookMs, aheadMs: ahead } = write
  if (errorCode !== 0) return [`refuses a write with error ${errorCode} after ${tookMs} ms`]
  const seconds = Math.round((ahead ?? 0) / 1000)
  const clock =
    seconds === 0 ? '' : `, dated ${Math.abs(seconds)} s ${seconds > 0 ? 'later' : 'earlier'} than by the others`
  return [`a write takes ${tookMs} ms${clock}`]
}
