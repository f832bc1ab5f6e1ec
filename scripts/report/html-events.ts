/** What happened to the cluster, in words: for whoever does not see the timeline, for paper, and for searching in the page. */
import type { RunData } from './model/run-data.ts'
import { faultLine } from './picture/readout.ts'
import { escape } from './text.ts'

interface Event {
  readonly atMs: number
  readonly kind: 'step' | 'fault' | 'leader' | 'in sync' | 'controller' | 'other'
  readonly text: string
}

const eventsMax = 400

export function eventsOf(run: RunData): Event[] {
  const events: Event[] = [
    ...run.phases.map(([atMs, name]): Event => ({ atMs, kind: 'step', text: name })),
    ...run.faults.map((fault): Event => ({ atMs: fault.fromMs, kind: 'fault', text: faultLine(fault) })),
    ...run.controllers.map(([atMs, , id]): Event => ({
      atMs,
      kind: 'controller',
      text: id < 0 ? 'no active controller is known' : `broker ${id} is the active controller`,
    })),
    ...run.marks
      .filter(({ client }) => client === undefined)
      .map(({ atMs, text }): Event => ({ atMs, kind: 'other', text })),
  ]
  for (const { name, leaders, inSync } of run.partitions) {
    for (const [atMs, , leader, epoch] of leaders)
      events.push({
        atMs,
        kind: 'leader',
        text: leader < 0 ? `${name} has no leader` : `${name}: broker ${leader} leads, epoch ${epoch}`,
      })
    inSync.forEach(([atMs, , isr], index) => {
      const before = inSync[index - 1]?.[2]
      const change = before === undefined ? '' : isr.length < before.length ? ' (shrunk)' : ' (grown)'
      events.push({ atMs, kind: 'in sync', text: `${name}: in sync ${isr.join(', ') || 'nobody'}${change}` })
    })
  }
  return events.sort((a, b) => a.atMs - b.atMs)
}

export function eventsSection(run: RunData, index: number): string {
  const events = eventsOf(run)
  const rows = events
    .slice(0, eventsMax)
    .map(
      ({ atMs, kind, text }) =>
        `<tr><td class="number"><button type="button" class="entry" data-variant="${index}" data-time="${atMs}">${(atMs / 1000).toFixed(2)} s</button></td><td>${kind}</td><td>${escape(text)}</td></tr>`,
    )
  const more = events.length > eventsMax ? `<p class="soft">And ${events.length - eventsMax} more.</p>` : ''
  return `<details class="events"><summary>What happened to the cluster, in words (${events.length})</summary><div class="scroll" tabindex="0" role="region" aria-label="What happened to the cluster"><table><thead><tr><th scope="col">time</th><th scope="col">kind</th><th scope="col">what happened</th></tr></thead><tbody>${rows.join('')}</tbody></table></div>${more}</details>`
}
