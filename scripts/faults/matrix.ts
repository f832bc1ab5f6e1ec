/** Which fault is there on which runtime and engine, and why not where it is not. From the catalogue alone; docs/faults.md shows it. */
import type { LackHere } from '../cluster/cluster.ts'
import type { FaultKind, Place } from './kind.ts'

/** Every combination that a cluster can have. */
export const places: readonly Place[] = [
  { runtime: 'process', engine: 'faultline' },
  { runtime: 'process', engine: 'apache-kafka' },
  { runtime: 'compose', engine: 'faultline' },
  { runtime: 'compose', engine: 'apache-kafka' },
  { runtime: 'simulated', engine: 'faultline' },
]

/** What a machine lacks for a place. */
export type LackAt = Place & LackHere

/** @param lacks  of a machine that is looked at; left out: of no machine in particular */
export function describePlaces(kind: FaultKind, lacks: readonly LackAt[] = []) {
  return places.map(place => {
    const lack = lacks.find(({ runtime, engine }) => runtime === place.runtime && engine === place.engine)
    const isHit = kind.needs.some(capability => lack?.capabilities.includes(capability))
    const reason = kind.impossible(place) ?? (lack && isHit ? `${lack.missing}. ${lack.remedy}` : undefined)
    return { ...place, possible: reason === undefined, ...(reason === undefined ? {} : { reason }) }
  })
}

const heads: Readonly<Record<string, string>> = {
  'process/faultline': 'processes, Faultline',
  'process/apache-kafka': 'processes, Apache Kafka',
  'compose/faultline': 'Compose, Faultline',
  'compose/apache-kafka': 'Compose, Apache Kafka',
  'simulated/faultline': 'simulated, Faultline',
}

/** Markdown: one row per kind, one column per place. */
export function matrixTable(kinds: readonly FaultKind[]): string {
  const head = ['fault', ...places.map(({ runtime, engine }) => heads[`${runtime}/${engine}`] ?? runtime)]
  const rows = kinds.map(kind => [
    `\`${kind.name}\``,
    ...describePlaces(kind).map(({ possible, reason }) => (possible ? '✓' : `– ${reason}`)),
  ])
  return [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n')
}

/** Markdown: what each kind does, what to expect, and its parameters. */
export function kindTable(kinds: readonly FaultKind[]): string {
  const rows = kinds.map(({ name, summary, expect, heals, parameters }) => [
    `\`${name}\``,
    summary,
    parameters.map(parameterText).join(', '),
    expect,
    heals,
  ])
  const head = ['fault', 'what happens', 'parameters (default)', 'what to expect', 'healed']
  return [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.map(escape).join(' | ')} |`).join('\n')
}

function parameterText(parameter: FaultKind['parameters'][number]): string {
  const unit =
    parameter.type === 'number' && !['count', 'port', 'probability'].includes(parameter.unit) ? parameter.unit : ''
  const fallback = parameter.default === undefined || parameter.type === 'flag' ? '' : `${parameter.default}`
  const inside = [fallback, unit].filter(part => part !== '').join(' ')
  return `\`--${parameter.name}\`${inside === '' ? '' : ` (${inside})`}`
}

function escape(text: string): string {
  return text.replaceAll('|', '\\|')
}
