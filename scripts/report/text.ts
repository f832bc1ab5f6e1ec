/** Words and markup that every part of the report needs. */
import type { Observation, Operation } from '../history/operation.ts'
import {
  brief,
  clientEntry,
  isFault,
  isObservation,
  isPhase,
  recordsOf,
  removalInWords,
  type ClientEntry,
} from './model/entries.ts'

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
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)} s`
  const seconds = Math.round(ms / 1_000)
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}

export function grouped(count: number): string {
  return Math.round(count)
    .toString()
    .replaceAll(/\B(?=(\d{3})+$)/g, ' ')
}

/** One line of a slice of history: what happened, in words. Entries of a kind that this version does not know are shown as they are. */
export function describeOperation(operation: Operation): string {
  const entry = clientEntry(operation)
  if (entry) return describeRecords(entry)
  if (isFault(operation)) {
    const { brokers, target } = operation.value
    return `${operation.f} broker ${brokers.join(', ')} (${target})`
  }
  if (isObservation(operation)) return describeObservation(operation.value)
  if (isPhase(operation)) return `phase: ${operation.value}`
  if (operation.process === 'lab' && operation.f === 'fact') return `${operation.value.name}: ${operation.value.value}`
  return removalInWords(operation) ?? `${operation.f} ${brief(operation.value)}`
}

function describeRecords({ f, value, error }: ClientEntry): string {
  const records = recordsOf(value)
  const sent = records
    .filter(({ action }) => action === 'send')
    .flatMap(({ partition, records }) =>
      records.map(([offset, value]) => `${value} to ${partition}${offset === null ? '' : ` at offset ${offset}`}`),
    )
  const polled = records
    .filter(({ action }) => action === 'poll')
    .map(
      ({ partition, records }) =>
        `${partition}: ${records.map(([offset, value]) => `${value} at ${offset}`).join(', ')}`,
    )
  const parts = [sent.join(', '), polled.join('; ')].filter(part => part !== '')
  const known = f === 'send' || f === 'poll' || f === 'txn'
  const what = parts.length > 0 || known ? parts.join('; ') : brief(value)
  return `${f} ${what}${error ? `: ${error.code}, ${error.message}` : ''}`
}

function describeObservation(observation: Observation): string {
  const partitions = Object.entries(observation.partitions).map(
    ([name, { leader, leaderEpoch, isr }]) =>
      `${name} ${leader < 0 ? 'has no leader' : `is led by broker ${leader}`}, epoch ${leaderEpoch}, in sync: ${isr.join(', ') || 'nobody'}`,
  )
  return partitions.join('; ')
}
