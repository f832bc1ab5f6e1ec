/**
 * How long each fault lasted: from the order that broke something to the one that mended it. The history has both as entries of their own;
 * which belong together is told by their kinds and by the brokers they name.
 */
import type { FaultOperation, History } from '../../history/operation.ts'
import { isFault } from './entries.ts'
import type { FaultData } from './run-data.ts'

/** What mends what. Kinds that are in no list last until something called `heal…` that does not say what it heals, or for a moment. */
const menders: Readonly<Record<string, readonly string[]>> = {
  start: ['kill', 'stop', 'power-failure', 'wipe'],
  resume: ['pause'],
  'heal-partition': ['partition', 'cut-one-way'],
}
const lasting = new Set(Object.values(menders).flat())
const momentary = new Set(['restart', 'wipe'])

function mends(kind: string): boolean {
  return kind in menders || kind.startsWith('heal')
}

/** A fault that is at work, and the brokers it is at work on. */
interface Open {
  readonly fault: Draft
  readonly brokers: Set<number>
}

type Draft = { -readonly [K in keyof FaultData]: FaultData[K] }

export function faultsOf(history: History, endMs: number): FaultData[] {
  const faults: Draft[] = []
  const begun = new Map<string, FaultOperation>()
  let open: Open[] = []
  for (const entry of history) {
    if (!isFault(entry)) continue
    const key = `${entry.f} ${entry.value.brokers.join()} ${entry.value.target}`
    if (entry.type === 'invoke') {
      begun.set(key, entry)
      continue
    }
    const fault = draft(entry, begun.get(key)?.timeMs ?? entry.timeMs)
    begun.delete(key)
    faults.push(fault)
    if (entry.type !== 'ok') continue
    if (fault.mends) open = open.filter(other => !isOver(other, fault))
    else if (!momentary.has(fault.kind)) open.push({ fault, brokers: new Set(fault.brokers) })
  }
  for (const entry of begun.values()) faults.push({ ...draft(entry, entry.timeMs), toMs: endMs })
  // What nothing mends by its kind, and nothing healed, may have been a single blow: it is not said to last.
  for (const { fault } of open) if (lasting.has(fault.kind)) fault.toMs = endMs
  return faults.sort((a, b) => a.fromMs - b.fromMs)
}

function draft(entry: FaultOperation, fromMs: number): Draft {
  const { brokers, target, detail } = entry.value
  return {
    kind: entry.f,
    fromMs,
    doneMs: entry.timeMs,
    toMs: entry.timeMs,
    brokers,
    target,
    ...(detail === undefined ? {} : { detail }),
    mended: false,
    mends: mends(entry.f),
    ...(entry.type === 'ok' ? {} : { failed: entry.error?.message ?? 'it could not be applied' }),
  }
}

/** Ends a fault where the mender is for it: a fault of several brokers is over when the last of them is mended. */
function isOver({ fault, brokers }: Open, by: Draft): boolean {
  const named = menders[by.kind]
  const suits = named ? named.includes(fault.kind) : !lasting.has(fault.kind)
  if (!suits) return false
  if (by.brokers.length === 0) brokers.clear()
  for (const id of by.brokers) brokers.delete(id)
  fault.toMs = by.doneMs
  fault.mended = brokers.size === 0
  return fault.mended
}
