/**
 * Reading the entries of a history without trusting their kind: a history may come from a later version, and a report that breaks on an entry
 * it does not know shows nothing at all.
 */
import type {
  FaultOperation,
  ObserveOperation,
  Operation,
  PhaseOperation,
  ReplicaLogOperation,
} from '../../history/operation.ts'

/** What a client did with records: `send`, `poll`, `txn`, and every other kind that names a client and is none of its relations to partitions. */
export interface ClientEntry {
  readonly index: number
  readonly timeMs: number
  readonly type: Operation['type']
  readonly process: number
  readonly client: string
  readonly f: string
  readonly value: unknown
  readonly error?: { readonly code?: string; readonly message?: string }
  readonly transactionalId?: string
  readonly commits?: unknown
  readonly isolation?: string
}

/** What a client reads, and what it did or was told as the member of a group. */
const relations = new Set(['assign', 'subscribe', 'crash', 'joined', 'revoked', 'lost', 'commit'])

export function clientEntry(operation: Operation): ClientEntry | undefined {
  const entry = operation as unknown as ClientEntry
  if (typeof entry.process !== 'number' || typeof entry.client !== 'string' || relations.has(entry.f)) return undefined
  return entry
}

export function isObservation(operation: Operation): operation is ObserveOperation {
  return operation.process === 'observer' && operation.f === 'observe'
}

export function isReplicaLog(operation: Operation): operation is ReplicaLogOperation {
  return operation.process === 'observer' && operation.f === 'read-replica'
}

/** A fault whose value says what it hit; others are shown as marks. */
export function isFault(operation: Operation): operation is FaultOperation {
  return operation.process === 'nemesis' && Array.isArray((operation.value as { brokers?: unknown } | null)?.brokers)
}

/** A milestone of the run. Facts, which a script measured, have the same process. */
export function isPhase(operation: Operation): operation is PhaseOperation {
  return operation.process === 'lab' && operation.f === 'phase'
}

/** What a removal lets go, in words; undefined: the entry is none. */
export function removalInWords(operation: Operation): string | undefined {
  if (operation.process !== 'lab' || operation.f !== 'removal') return undefined
  const { topic = 'every topic', partition = topic, by } = operation.value
  return `records may be removed from ${partition}: ${by}`
}

/** Records that an operation sent or read in one partition, in order; the offset is null where nobody knows it. */
export interface Records {
  readonly action: 'send' | 'poll'
  readonly partition: string
  readonly records: readonly (readonly [offset: number | null, value: string])[]
}

/** Every micro-operation about records; those of an unknown form are left out. */
export function recordsOf(value: unknown): Records[] {
  if (!Array.isArray(value)) return []
  return value.flatMap((micro: unknown): Records[] => {
    if (!Array.isArray(micro)) return []
    const [action, place, sent] = micro as [unknown, unknown, unknown]
    if (action === 'send' && typeof place === 'string') {
      if (typeof sent === 'string') return [{ action, partition: place, records: [[null, sent]] }]
      return isRecord(sent) ? [{ action, partition: place, records: [sent] }] : []
    }
    if (action !== 'poll' || typeof place !== 'object' || place === null) return []
    return Object.entries(place).flatMap(([partition, records]: [string, unknown]) =>
      Array.isArray(records) ? [{ action, partition, records: records.filter(isRecord) }] : [],
    )
  })
}

function isRecord(value: unknown): value is readonly [number | null, string] {
  if (!Array.isArray(value)) return false
  const [offset, text] = value as unknown[]
  return (typeof offset === 'number' || offset === null) && typeof text === 'string'
}

/** JSON that fits into a line. */
export function brief(value: unknown, most = 240): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
  return text.length > most ? `${text.slice(0, most)}…` : text
}
