import { describe, expect, test } from 'vitest'
import { clientsPid, formatTrace, labPid, traceOf, type TraceEvent } from '#scripts/report/trace.ts'
import { longRun, losingRun } from './sample.ts'

async function eventsOf(): Promise<readonly TraceEvent[]> {
  return traceOf('42-example, acks-1', await losingRun()).traceEvents
}

/** What the Trace Event Format asks of each kind of event. */
const required: Readonly<Record<TraceEvent['ph'], readonly (keyof TraceEvent)[]>> = {
  M: ['args'],
  X: ['dur'],
  b: ['cat', 'id'],
  e: ['cat', 'id'],
  C: ['args'],
  i: ['s'],
  s: ['cat', 'id'],
  f: ['cat', 'id', 'bp'],
}

describe('the trace', () => {
  test('is a JSON object with an array of events that have what the format asks for', async () => {
    const text = formatTrace(traceOf('x', await losingRun()))
    const parsed = JSON.parse(text) as { traceEvents: TraceEvent[]; displayTimeUnit: string }
    expect(parsed.displayTimeUnit).toBe('ms')
    expect(text.split('\n').length).toBeGreaterThan(parsed.traceEvents.length)
    for (const event of parsed.traceEvents) {
      const fields = ['name', 'ph', 'pid', 'tid', 'ts', ...required[event.ph]]
      expect({ event, missing: fields.filter(field => !(field in event)) }).toEqual({ event, missing: [] })
      expect(Number.isInteger(event.ts) && event.ts >= 0 && (event.dur ?? 0) >= 0).toBe(true)
    }
  })

  test('names every process and thread that has events', async () => {
    const events = await eventsOf()
    const named = new Set(events.filter(({ name }) => name === 'thread_name').map(({ pid, tid }) => `${pid}/${tid}`))
    const processes = new Set(events.filter(({ name }) => name === 'process_name').map(({ pid }) => pid))
    for (const { ph, pid, tid, name } of events) {
      const isNamed = processes.has(pid) && (ph === 'M' || ph === 'C' || named.has(`${pid}/${tid}`))
      expect({ name, pid, tid, isNamed }).toEqual({ name, pid, tid, isNamed: true })
    }
  })

  test('is in the order of time behind its metadata', async () => {
    const events = await eventsOf()
    const first = events.findIndex(({ ph }) => ph !== 'M')
    expect(events.slice(first).some(({ ph }) => ph === 'M')).toBe(false)
    const times = events.slice(first).map(({ ts }) => ts)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
  })

  test('has an asynchronous span per request and fault that begins and ends once', async () => {
    const events = await eventsOf()
    const ends = (ph: 'b' | 'e') =>
      events.filter(event => event.ph === ph).map(({ cat, id, pid }) => `${cat} ${id} ${pid}`)
    expect(new Set(ends('b')).size).toBe(ends('b').length)
    expect(ends('b').toSorted()).toEqual(ends('e').toSorted())
    expect(events.filter(({ ph, pid }) => ph === 'b' && pid === clientsPid)).toHaveLength(5)
    const kills = events.filter(({ ph, name }) => ph === 'b' && name === 'kill')
    expect(kills.map(({ pid, ts }) => [pid, ts]).sort(([a = 0], [b = 0]) => a - b)).toEqual([[1, 300_000], [labPid, 300_000]]) // prettier-ignore
  })

  test('shows leadership at the broker, an instant per election, and counters of offsets', async () => {
    const events = await eventsOf()
    const led = events.filter(({ ph, name }) => ph === 'X' && name.startsWith('leader'))
    expect(led.map(({ pid, name, ts }) => [pid, name, ts])).toEqual([
      [1, 'leader, epoch 0', 0],
      [2, 'leader, epoch 1', 900_000],
    ])
    expect(events.filter(({ cat, ph }) => cat === 'election' && ph === 'i').map(({ name }) => name)).toEqual([
      't-0: broker 2 leads, epoch 1',
    ])
    const counters = new Set(events.filter(({ ph }) => ph === 'C').map(({ pid, name }) => `${pid} ${name}`))
    expect([...counters].sort()).toEqual(['1 LEO t-0', '1000001 HW t-0', '2 LEO t-0'])
  })

  test('leads with an arrow from an acknowledgement to the first read of the record, each end inside a span of its thread', async () => {
    const events = await eventsOf()
    const [starts, ends] = (['s', 'f'] as const).map(ph => events.filter(event => event.ph === ph))
    // The lost record has the same offset as the one that was read: the later write is the one that was read.
    expect(starts?.map(({ id }) => id)).toEqual(['record t-0 0', 'record t-0 1', 'record t-0 2'])
    expect(ends?.map(({ id }) => id)).toEqual(starts?.map(({ id }) => id))
    for (const arrow of [...(starts ?? []), ...(ends ?? [])]) {
      const around = events.filter(({ ph, pid, tid, ts, dur = 0 }) => ph === 'X' && pid === arrow.pid && tid === arrow.tid && ts <= arrow.ts && arrow.ts <= ts + dur) // prettier-ignore
      expect(around).toHaveLength(1)
    }
  })

  test('is written for a long run, too', () => {
    expect(traceOf('x', longRun(1_000)).traceEvents.length).toBeGreaterThan(2_000)
  })
})
