/**
 * A run as trace events, for ui.perfetto.dev, chrome://tracing and whatever else reads that format.
 *
 * Processes are brokers (pid: the broker's id), clients, and the lab; threads of a broker are its partitions and its role as a node, threads of the
 * clients are the clients. Requests and faults are asynchronous spans, since they overlap; leadership is a span of its broker's thread; offsets
 * and lag are counters; elections are instants; an arrow leads from the acknowledgement of a write to the first read of its record.
 *
 * Source: Trace Event Format (Google), as Perfetto imports it. Times are microseconds.
 */
import type { History } from '../history/operation.ts'
import { encodeRun } from './model/encode.ts'
import { ticksPerMs, type RunData, type Series } from './model/run-data.ts'
import { at, Run } from './model/run.ts'
import { faultLine } from './picture/readout.ts'

export interface TraceEvent {
  readonly name: string
  /** `M` metadata, `X` span of a thread, `b` and `e` ends of an asynchronous span, `C` counter, `i` instant, `s` and `f` ends of an arrow. */
  readonly ph: 'M' | 'X' | 'b' | 'e' | 'C' | 'i' | 's' | 'f'
  readonly pid: number
  readonly tid: number
  readonly ts: number
  readonly dur?: number
  readonly cat?: string
  readonly id?: string
  /** Of an instant: its thread, its process, or everything. */
  readonly s?: 't' | 'p' | 'g'
  /** The arrow ends at the span around it. */
  readonly bp?: 'e'
  readonly args?: Readonly<Record<string, unknown>>
}

export interface Trace {
  readonly displayTimeUnit: 'ms'
  readonly otherData: Readonly<Record<string, string>>
  readonly traceEvents: readonly TraceEvent[]
}

/** Above every broker's id that a test cluster has. */
export const clientsPid = 1_000_000
export const labPid = 1_000_001

const us = (ms: number): number => Math.round(ms * 1_000)

export function traceOf(name: string, history: History): Trace {
  const data = encodeRun(name, history)
  const run = new Run(data)
  const events: TraceEvent[] = [
    ...names(data),
    ...faults(data),
    ...phases(data),
    ...cluster(data),
    ...counters(data),
    ...requests(run),
    ...arrows(run),
  ]
  // Metadata first, everything else in the order of time, as the viewers like it.
  const metadata = events.filter(({ ph }) => ph === 'M')
  const rest = events.filter(({ ph }) => ph !== 'M').sort((a, b) => a.ts - b.ts)
  return { displayTimeUnit: 'ms', otherData: { run: name, madeBy: 'Faultline' }, traceEvents: [...metadata, ...rest] }
}

/** One event per line, so that a trace can be searched with the tools for text. */
export function formatTrace({ traceEvents, ...rest }: Trace): string {
  const head = JSON.stringify(rest).slice(0, -1)
  return `${head},"traceEvents":[\n${traceEvents.map(event => JSON.stringify(event)).join(',\n')}\n]}\n`
}

/** Thread of a broker: 0 is the node, partitions follow. */
const nodeTid = 0
const partitionTid = (partition: number): number => partition + 1

function names(data: RunData): TraceEvent[] {
  const events: TraceEvent[] = []
  const nameOf = (ph: string, pid: number, tid: number, name: string) =>
    events.push({ name: ph, ph: 'M', pid, tid, ts: 0, args: { name } })
  const processes = [
    ...data.brokers.map(({ id }) => [id, `broker ${id}`] as const),
    [clientsPid, 'clients'] as const,
    [labPid, 'lab'] as const,
  ]
  processes.forEach(([pid, name], place) => {
    nameOf('process_name', pid, 0, name)
    events.push({ name: 'process_sort_index', ph: 'M', pid, tid: 0, ts: 0, args: { sort_index: place } })
  })
  for (const { id } of data.brokers) {
    nameOf('thread_name', id, nodeTid, 'node')
    data.partitions.forEach(({ name }, partition) => nameOf('thread_name', id, partitionTid(partition), name))
  }
  data.clients.forEach(({ name }, client) => nameOf('thread_name', clientsPid, client, name))
  nameOf('thread_name', labPid, 0, 'steps')
  nameOf('thread_name', labPid, 1, 'faults')
  return events
}

function faults(data: RunData): TraceEvent[] {
  return data.faults.flatMap((fault, index): TraceEvent[] => {
    const { kind, brokers, target, fromMs, toMs, mends } = fault
    const args = { brokers, target, says: faultLine(fault) }
    const places = [[labPid, 1] as const, ...brokers.map(id => [id, nodeTid] as const)]
    if (mends) {
      return places.map(([pid, tid]) => ({ name: kind, ph: 'i', s: 't', cat: 'fault', pid, tid, ts: us(fromMs), args }))
    }
    return places.flatMap(([pid, tid]): TraceEvent[] => {
      const common = { name: kind, cat: 'fault', id: `fault-${index}-${pid}`, pid, tid } as const
      return [
        { ...common, ph: 'b', ts: us(fromMs), args },
        { ...common, ph: 'e', ts: us(toMs) },
      ]
    })
  })
}

function phases({ phases, endMs }: RunData): TraceEvent[] {
  return phases.map(([atMs, name], index): TraceEvent => {
    const dur = us(phases[index + 1]?.[0] ?? endMs) - us(atMs)
    const common = { name, cat: 'step', pid: labPid, tid: 0, ts: us(atMs) } as const
    // Viewers leave out spans without a length.
    return dur > 0 ? { ...common, ph: 'X', dur } : { ...common, ph: 'i', s: 't' }
  })
}

/** Who led which partition, who was in sync, who was down, who was the active controller. */
function cluster(data: RunData): TraceEvent[] {
  const known = new Set(data.brokers.map(({ id }) => id))
  const span = (name: string, pid: number, tid: number, fromMs: number, toMs: number): TraceEvent => ({
    name,
    ph: 'X',
    cat: 'cluster',
    pid,
    tid,
    ts: us(fromMs),
    dur: us(toMs) - us(fromMs),
  })
  const events: TraceEvent[] = []
  data.partitions.forEach(({ name, leaders, inSync }, partition) => {
    leaders.forEach(([fromMs, toMs, leader, epoch], index) => {
      if (known.has(leader)) events.push(span(`leader, epoch ${epoch}`, leader, partitionTid(partition), fromMs, toMs))
      if (index === 0) return
      const says = leader < 0 ? `${name} has no leader` : `${name}: broker ${leader} leads, epoch ${epoch}`
      const [pid, tid] = known.has(leader) ? [leader, partitionTid(partition)] : [labPid, 1]
      events.push({ name: says, ph: 'i', s: 'g', cat: 'election', pid, tid, ts: us(fromMs), args: { leader, epoch } })
    })
    inSync.forEach(([atMs, , isr], index) => {
      const before = inSync[index - 1]?.[2]
      if (before === undefined) return
      const says = `${name}: in sync ${isr.join(', ') || 'nobody'}`
      for (const id of known) {
        if (before.includes(id) === isr.includes(id)) continue
        events.push({
          name: says,
          ph: 'i',
          s: 't',
          cat: 'in-sync',
          pid: id,
          tid: partitionTid(partition),
          ts: us(atMs),
        })
      }
    })
  })
  for (const { id, states } of data.brokers)
    for (const [fromMs, toMs, state] of states) if (state !== 'up') events.push(span(state, id, nodeTid, fromMs, toMs))
  data.controllers.forEach(([atMs, , id], index) => {
    if (index > 0 && known.has(id))
      events.push({
        name: `broker ${id} is the active controller`,
        ph: 'i',
        s: 'g',
        cat: 'election',
        pid: id,
        tid: nodeTid,
        ts: us(atMs),
      })
  })
  return events
}

const counterNames: Readonly<Record<string, string>> = { hw: 'HW', lso: 'LSO', start: 'log start' }

/** Counters hang on the broker for a log end offset, on the lab for what the leader says. */
function counters(data: RunData): TraceEvent[] {
  const samples = (series: Series, pid: number, name: string): TraceEvent[] => {
    let ticks = 0
    return series.time.map((step, index): TraceEvent => {
      ticks += step
      return { name, ph: 'C', pid, tid: 0, ts: us(ticks / ticksPerMs), args: { value: series.value[index] } }
    })
  }
  const ofPartitions = data.partitions.flatMap(({ name, series }) =>
    series.flatMap(one =>
      typeof one.of === 'number'
        ? samples(one, one.of, `LEO ${name}`)
        : samples(one, labPid, `${counterNames[one.of] ?? one.of} ${name}`),
    ),
  )
  return [...ofPartitions, ...data.groups.flatMap(group => samples(group, labPid, `lag ${group.name}`))]
}

function requests(run: Run): TraceEvent[] {
  const events: TraceEvent[] = []
  for (let operation = 0; operation < run.length; operation += 1) {
    const outcome = run.outcomeOf(operation)
    const kind = run.kindOf(operation)
    const common = {
      name: outcome === 'ok' ? kind : `${kind}: ${outcome}`,
      cat: `request,${kind},${outcome}`,
      id: `request-${operation}`,
      pid: clientsPid,
      tid: at(run.client, operation),
    } as const
    const records = run.touchesOf(operation).map(({ action, partition, offset, values }) => ({
      action,
      partition: run.partition(partition)?.name,
      ...(offset < 0 ? {} : { offset }),
      ...(values.length === 1 ? { value: values[0] } : { count: values.length, first: values[0] }),
    }))
    const error = run.errorOf(operation)
    const args = {
      client: run.clientOf(operation),
      process: run.processOf(operation),
      entries: [at(run.invoked, operation), at(run.completed, operation)],
      ...(records.length === 0 ? {} : { records }),
      ...(error === undefined ? {} : { error }),
    }
    events.push({ ...common, ph: 'b', ts: us(at(run.start, operation)), args })
    events.push({ ...common, ph: 'e', ts: us(at(run.end, operation)) })
  }
  return events
}

/** How long the little spans are that arrows begin and end at: arrows bind to spans of threads, and requests are none. */
const anchorUs = 1

/** From every acknowledged write to the first read of its first record in each partition. */
function arrows(run: Run): TraceEvent[] {
  const events: TraceEvent[] = []
  const written = new Map<string, number>()
  const anchor = (name: string, operation: number): TraceEvent => ({
    name,
    ph: 'X',
    cat: 'record',
    pid: clientsPid,
    tid: at(run.client, operation),
    ts: us(at(run.end, operation)),
    dur: anchorUs,
  })
  for (let operation = 0; operation < run.length; operation += 1) {
    if (run.outcomeOf(operation) !== 'ok') continue
    for (const { action, partition, offset } of run.touchesOf(operation))
      if (action === 'send' && offset >= 0) written.set(`${partition} ${offset}`, operation)
  }
  for (let operation = 0; operation < run.length; operation += 1) {
    if (run.outcomeOf(operation) !== 'ok') continue
    let read = false
    for (const { action, partition, offset, values } of run.touchesOf(operation)) {
      if (action !== 'poll') continue
      values.forEach((_, index) => {
        const key = `${partition} ${offset + index}`
        const writer = written.get(key)
        // A read that was answered before the write was: time goes forward in an arrow, so there is none.
        if (writer === undefined || at(run.end, writer) > at(run.end, operation)) return
        written.delete(key)
        const place = `${run.partition(partition)?.name ?? ''} ${offset + index}`
        const common = { name: 'record', cat: 'record', id: `record ${place}`, pid: clientsPid } as const
        const source = anchor(`acknowledged ${place}`, writer)
        events.push(source, { ...common, ph: 's', tid: source.tid, ts: source.ts })
        const target = anchor(`read ${place}`, operation)
        if (!read) events.push(target)
        read = true
        events.push({ ...common, ph: 'f', bp: 'e', tid: target.tid, ts: target.ts })
      })
    }
  }
  return events
}
