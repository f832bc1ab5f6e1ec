/** Words and markup that every part of the report needs. */
import {
  isRecordOperation,
  type Observation,
  type Operation,
  type PolledRecords,
  type RecordOperation,
} from '../history/operation.ts'

/** Text made safe inside HTML and SVG, attributes included. */
export function escape(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  }
  return text.replaceAll(/[&<>"']/g, character => entities[character] ?? character)
}

/** `850 ms`, `12.3 s`, `4 min 10 s`. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1_000)} s`
}

export function grouped(count: number): string {
  return Math.round(count)
    .toString()
    .replaceAll(/\B(?=(\d{3})+$)/g, ' ')
}

/** One line of a slice of history: what happened, in words. */
export function describeOperation(operation: Operation): string {
  if (isRecordOperation(operation)) return describeRecords(operation)
  if (operation.process === 'nemesis') {
    const { brokers, target } = operation.value
    return `${operation.f} broker ${brokers.join(', ')} (${target})`
  }
  if (operation.process === 'observer' && operation.f === 'observe') return describeObservation(operation.value)
  if (operation.process === 'lab' && operation.f === 'phase') return `phase: ${operation.value}`
  if (operation.process === 'lab' && operation.f === 'fact') return `${operation.value.name}: ${operation.value.value}`
  return `${operation.f} ${JSON.stringify(operation.value)}`
}

function describeRecords(operation: RecordOperation): string {
  const parts = operation.value.map(micro => {
    if (micro[0] === 'poll') return describePoll(micro[1])
    const [, partition, sent] = micro
    if (typeof sent === 'string') return `${sent} to ${partition}`
    return `${sent[1]} to ${partition}${sent[0] === null ? '' : ` at offset ${sent[0]}`}`
  })
  const error = operation.error ? `: ${operation.error.code}, ${operation.error.message}` : ''
  return `${operation.f} ${parts.filter(part => part !== '').join(', ')}${error}`
}

function describePoll(polled: PolledRecords | undefined): string {
  const partitions = Object.entries(polled ?? {})
  return partitions
    .map(([name, records]) => `${name}: ${records.map(([offset, value]) => `${value} at ${offset}`).join(', ')}`)
    .join('; ')
}

function describeObservation(observation: Observation): string {
  const partitions = Object.entries(observation.partitions).map(
    ([name, { leader, leaderEpoch, isr }]) =>
      `${name} ${leader < 0 ? 'has no leader' : `is led by broker ${leader}`}, epoch ${leaderEpoch}, in sync: ${isr.join(', ') || 'nobody'}`,
  )
  return partitions.join('; ')
}
