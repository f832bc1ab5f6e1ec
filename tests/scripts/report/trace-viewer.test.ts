/** The trace in a viewer that we did not write: speedscope, which reads the Trace Event Format and says what it understood. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { formatTrace, traceOf, type TraceEvent } from '#scripts/report/trace.ts'
import { describeWith } from '#tests/machine.ts'
import { useChromium } from './browser.ts'
import { losingRun } from './sample.ts'

/** As speedscope exports what it has read. */
interface Exported {
  readonly shared: { readonly frames: readonly { readonly name: string }[] }
  readonly profiles: readonly {
    readonly name: string
    readonly unit: string
    readonly events: readonly { readonly type: 'O' | 'C'; readonly frame: number; readonly at: number }[]
  }[]
}

const viewer = path.join(
  path.dirname(createRequire(import.meta.url).resolve('speedscope/package.json')),
  'dist/release/index.html',
)

/** Thread, as the viewer names it → its spans in the order in which they begin: name and duration in microseconds. */
function spansWritten(events: readonly TraceEvent[]): Map<string, string[]> {
  const named = (what: string) =>
    new Map(
      events.flatMap(({ name, pid, tid, args }) =>
        name === what ? [[what === 'process_name' ? `${pid}` : `${pid}/${tid}`, String(args?.['name'])] as const] : [],
      ),
    )
  const [processes, threads] = [named('process_name'), named('thread_name')]
  const spans = new Map<string, string[]>()
  for (const { ph, name, pid, tid, dur } of events) {
    if (ph !== 'X') continue
    const thread = `${processes.get(`${pid}`)} (pid ${pid}), ${threads.get(`${pid}/${tid}`)} (tid ${tid})`
    spans.set(thread, [...(spans.get(thread) ?? []), `${name}: ${dur}`])
  }
  return spans
}

function spansRead({ shared, profiles }: Exported): Map<string, string[]> {
  return new Map(
    profiles.map(({ name, unit, events }) => {
      expect(unit).toBe('microseconds')
      const spans: string[] = []
      const open: { readonly at: number; readonly place: number }[] = []
      for (const { type, frame, at } of events) {
        if (type === 'O') open.push({ at, place: spans.push('') - 1 })
        else {
          const begun = open.pop()!
          spans[begun.place] = `${shared.frames[frame]!.name}: ${at - begun.at}`
        }
      }
      return [name, spans]
    }),
  )
}

describeWith(['chromium'], 'speedscope', () => {
  const chromium = useChromium()

  test('finds every thread of a trace, with its spans as long as they are', { timeout: 60_000 }, async () => {
    const trace = traceOf('42-example, acks-1', await losingRun())
    const page = await chromium.blank()
    await page.goto(pathToFileURL(viewer).href)
    const file = { name: 'run.trace.json', mimeType: 'application/json', buffer: Buffer.from(formatTrace(trace)) }
    await page.locator('input[type=file]').first().setInputFiles(file)
    await page.getByText('Time Order').waitFor()
    expect(await page.title()).toContain('run.trace.json')
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByText('Export').click()])
    const read = spansRead(JSON.parse(readFileSync(await download.path(), 'utf8')) as Exported)
    const written = spansWritten(trace.traceEvents)
    expect(written.size).toBeGreaterThan(5)
    expect(read).toEqual(written)
  })
})
