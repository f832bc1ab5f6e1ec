/**
 * The timeline as one SVG: steps and faults across the whole picture, below them brokers, leaders with their epochs, in-sync replicas,
 * clients, acknowledgements per moment with their gaps. Colours come from the page's style sheet, so it follows light and dark.
 */
import type { BrokerState, ClientLane, Fault, PartitionLane, Span, Timeline } from './timeline-model.ts'
import { duration, escape, grouped } from './text.ts'

export const chart = { width: 1160, left: 150, right: 16 } as const
const inner = chart.width - chart.left - chart.right
const epochColours = 8

/** Time to x. */
export type Scale = (ms: number) => number

export function scaleOf(endMs: number): Scale {
  return ms => chart.left + (Math.min(ms, endMs) / endMs) * inner
}

/** Draws lane below lane and remembers how far down it is. */
class Sheet {
  readonly parts: string[] = []
  y = 0

  add(markup: string): void {
    this.parts.push(markup)
  }

  heading(text: string): void {
    this.y += 14
    this.add(`<text class="heading" x="0" y="${this.y + 10}">${escape(text)}</text>`)
    this.y += 20
  }

  label(text: string, height: number, hint = ''): void {
    this.add(
      `<text class="label" x="${chart.left - 10}" y="${this.y + height / 2 + 4}" text-anchor="end">${escape(text)}${hint ? `<title>${escape(hint)}</title>` : ''}</text>`,
    )
  }
}

function rect(x1: number, x2: number, y: number, height: number, style: string, tip: string): string {
  const width = Math.max(x2 - x1, 0.8)
  return `<rect class="${style}" x="${round(x1)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" data-tip="${escape(tip)}"/>`
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}

export function timelineSvg(timeline: Timeline): string {
  const x = scaleOf(timeline.endMs)
  const sheet = new Sheet()
  const topOfLanes = steps(sheet, timeline, x)
  brokers(sheet, timeline, x)
  leaders(sheet, timeline.partitions, x)
  clients(sheet, timeline.clients, x)
  acknowledgements(sheet, timeline, x)
  const height = sheet.y + 26
  return `<svg class="timeline" viewBox="0 0 ${chart.width} ${height}" role="img" aria-label="Timeline of the run">
${backdrop(timeline, x, topOfLanes, sheet.y)}
${sheet.parts.join('\n')}
${axis(timeline, x, topOfLanes, sheet.y)}
<line class="cursor" y1="${topOfLanes}" y2="${sheet.y}" x1="-10" x2="-10"/>
</svg>`
}

const quiet = new Set(['final-read-complete', 'workload'])
const stepNames: Readonly<Record<string, string>> = { heal: 'heal', 'final-read': 'final read' }

/** Steps as a staircase of labels, faults as flags; answers where the lanes begin. */
function steps(sheet: Sheet, timeline: Timeline, x: Scale): number {
  const shown = timeline.phases.filter(({ name }) => !quiet.has(name))
  const rows: number[] = []
  for (const [index, { atMs, name }] of shown.entries()) {
    const text = `${index + 1}  ${stepNames[name] ?? name}`
    const from = x(atMs)
    const width = text.length * 6.1 + 14
    const start = Math.min(from, chart.width - width)
    let row = rows.findIndex(end => end < start)
    if (row < 0) row = rows.push(0) - 1
    rows[row] = start + width
    sheet.add(
      `<g class="step" data-tip="${escape(`${duration(atMs)}: ${name}`)}"><rect x="${round(start)}" y="${row * 18}" width="${round(width - 6)}" height="15" rx="3"/><text x="${round(start + 5)}" y="${row * 18 + 11}">${escape(text)}</text></g>`,
    )
  }
  sheet.y = rows.length * 18 + 4
  const top = sheet.y
  flags(sheet, timeline.faults, x)
  return top
}

const mending = new Set(['start', 'resume'])

function flags(sheet: Sheet, faults: readonly Fault[], x: Scale): void {
  sheet.label('faults', 18, 'What was done to the cluster')
  const rows: number[] = []
  for (const fault of faults) {
    const text = `${fault.kind} ${fault.value.brokers.join(',')}`
    const from = x(fault.fromMs)
    const width = text.length * 6 + 10
    const start = Math.min(from, chart.width - width)
    let row = rows.findIndex(end => end < start)
    if (row < 0) row = rows.push(0) - 1
    rows[row] = start + width + 2
    const y = sheet.y + row * 18
    const tip = `${fault.kind} of broker ${fault.value.brokers.join(', ')} (${fault.value.target}) at ${duration(fault.fromMs)}, took ${duration(fault.toMs - fault.fromMs)}`
    sheet.add(
      `<g class="flag ${mending.has(fault.kind) ? 'mends' : 'breaks'}" data-tip="${escape(tip)}"><rect x="${round(start)}" y="${y + 1}" width="${round(width)}" height="16" rx="3"/><text x="${round(start + 5)}" y="${y + 13}">${escape(text)}</text></g>`,
    )
  }
  sheet.y += Math.max(1, rows.length) * 18 + 2
}

const stateWords: Readonly<Record<BrokerState, string>> = {
  up: 'up and answering',
  starting: 'up, but not answering',
  paused: 'frozen',
  down: 'down',
}

function brokers(sheet: Sheet, timeline: Timeline, x: Scale): void {
  sheet.heading('Brokers')
  for (const { id, states } of timeline.brokers) {
    sheet.label(`broker ${id}`, 16)
    for (const { fromMs, toMs, value } of states) {
      sheet.add(
        rect(
          x(fromMs),
          x(toMs),
          sheet.y,
          16,
          `state ${value}`,
          `broker ${id}: ${stateWords[value]}, ${duration(fromMs)} to ${duration(toMs)}`,
        ),
      )
    }
    for (const span of timeline.controllers) {
      if (span.value === id)
        sheet.add(
          rect(
            x(span.fromMs),
            x(span.toMs),
            sheet.y + 6,
            4,
            'controller',
            `broker ${id} was the active controller, ${range(span)}`,
          ),
        )
    }
    sheet.y += 20
  }
}

function range({ fromMs, toMs }: Span<unknown>): string {
  return `${duration(fromMs)} to ${duration(toMs)}`
}

function leaders(sheet: Sheet, partitions: readonly PartitionLane[], x: Scale): void {
  sheet.heading('Leaders (colour: leader epoch) and in-sync replicas')
  for (const partition of partitions) {
    sheet.label(partition.name.replace(/^lab-/, ''), 18)
    for (const span of partition.leaders) {
      const { leader, leaderEpoch } = span.value
      const [from, to] = [x(span.fromMs), x(span.toMs)]
      const led = leader >= 0
      const tip = led
        ? `${partition.name}: led by broker ${leader}, epoch ${leaderEpoch}, ${range(span)}`
        : `${partition.name}: no leader, ${range(span)}`
      sheet.add(rect(from, to, sheet.y, 18, led ? `epoch e${leaderEpoch % epochColours}` : 'leaderless', tip))
      const text =
        to - from > 84 ? `broker ${leader} · e${leaderEpoch}` : to - from > 46 ? `${leader} · e${leaderEpoch}` : ''
      if (led && text) sheet.add(`<text class="on-epoch" x="${round(from + 5)}" y="${sheet.y + 13}">${text}</text>`)
    }
    sheet.y += 20
    for (const [row, broker] of partition.replicas.entries()) {
      for (const span of partition.inSync) {
        const inSync = span.value.includes(broker)
        const y = sheet.y + row * 5
        sheet.add(
          rect(
            x(span.fromMs),
            x(span.toMs),
            y,
            3.5,
            inSync ? 'in-sync' : 'out-of-sync',
            `broker ${broker} ${inSync ? 'in sync' : 'NOT in sync'} with ${partition.name}, ${range(span)}`,
          ),
        )
      }
    }
    sheet.y += partition.replicas.length * 5 + 7
  }
}

const outcomeWords = { ok: 0, info: 1, fail: 2 } as const

/** Operations as ticks; those that share a pixel become one, the worst outcome wins. */
function clients(sheet: Sheet, lanes: readonly ClientLane[], x: Scale): void {
  sheet.heading('Clients')
  for (const lane of lanes) {
    sheet.label(lane.name, 14)
    sheet.add(`<rect class="lane" x="${chart.left}" y="${sheet.y}" width="${inner}" height="14"/>`)
    for (const { from, to, outcome, count, what } of binned(lane, x)) {
      const tip = count > 1 ? `${lane.name}: ${count} operations, the worst ${what}` : `${lane.name}: ${what}`
      sheet.add(rect(from, to, sheet.y + 1, 12, `operation ${lane.kind} ${outcome}`, tip))
    }
    for (const atMs of lane.retiredAtMs) {
      sheet.add(
        `<circle class="retired" cx="${round(x(atMs))}" cy="${sheet.y + 7}" r="3" data-tip="${escape(`${lane.name}: this client was given up at ${duration(atMs)}, a new one took over`)}"/>`,
      )
    }
    sheet.y += 18
  }
}

function binned(lane: ClientLane, x: Scale) {
  const bins: {
    from: number
    to: number
    outcome: ClientLane['operations'][number]['outcome']
    count: number
    what: string
  }[] = []
  for (const { fromMs, toMs, outcome, what } of lane.operations) {
    const [from, to] = [x(fromMs), x(toMs)]
    const last = bins.at(-1)
    const text = `${what} in ${duration(toMs - fromMs)}`
    if (!last || from > last.to + 0.4 || to - from > 3) {
      bins.push({ from, to, outcome, count: 1, what: text })
      continue
    }
    last.to = Math.max(last.to, to)
    last.count += 1
    if (outcomeWords[outcome] > outcomeWords[last.outcome]) Object.assign(last, { outcome, what: text })
  }
  return bins
}

const binCount = 240
const gapShownMs = 400

function acknowledgements(sheet: Sheet, timeline: Timeline, x: Scale): void {
  sheet.heading('Acknowledged records')
  const height = 64
  const binMs = timeline.endMs / binCount
  const bins = Array.from({ length: binCount }, () => 0)
  for (const { atMs, records } of timeline.acknowledged) {
    const bin = Math.min(binCount - 1, Math.floor(atMs / binMs))
    bins[bin] = (bins[bin] ?? 0) + records
  }
  const most = Math.max(1, ...bins)
  const base = sheet.y + height
  const points = bins.flatMap((records, bin) => {
    const y = round(base - (records / most) * (height - 8))
    return [`${round(x(bin * binMs))},${y}`, `${round(x((bin + 1) * binMs))},${y}`]
  })
  sheet.label(`${grouped((most / binMs) * 1000)}/s`, 16, 'The highest rate of acknowledged records')
  sheet.add(
    `<polygon class="rate" points="${chart.left},${base} ${points.join(' ')} ${round(x(timeline.endMs))},${base}"/>`,
  )
  for (const gap of timeline.gaps) {
    if (gap.lastedMs < gapShownMs) continue
    const [from, to] = [x(gap.fromMs), x(gap.toMs)]
    const cause = gap.faults.length > 0 ? `, around ${gap.faults.join(', ')}` : ''
    sheet.add(rect(from, to, sheet.y, height, 'gap', `no acknowledgement for ${duration(gap.lastedMs)}${cause}`))
    if (to - from > 26)
      sheet.add(
        `<text class="gap-text" x="${round((from + to) / 2)}" y="${sheet.y + 38}" text-anchor="middle">${duration(gap.lastedMs)}</text>`,
      )
  }
  sheet.y = base + 4
}

/** Bands behind the steps and a line down from each fault. */
function backdrop(timeline: Timeline, x: Scale, top: number, bottom: number): string {
  const shown = timeline.phases.filter(({ name }) => !quiet.has(name))
  const bands = shown.map(({ atMs }, index) => {
    const to = shown[index + 1]?.atMs ?? timeline.endMs
    return index % 2 === 0
      ? ''
      : `<rect class="band" x="${round(x(atMs))}" y="${top}" width="${round(x(to) - x(atMs))}" height="${bottom - top}"/>`
  })
  const lines = timeline.faults.map(
    ({ fromMs, kind }) =>
      `<line class="fault-line ${mending.has(kind) ? 'mends' : 'breaks'}" x1="${round(x(fromMs))}" x2="${round(x(fromMs))}" y1="${top}" y2="${bottom}"/>`,
  )
  return [...bands, ...lines].join('\n')
}

/** Ticks at a round number of seconds. */
export function axis(timeline: { readonly endMs: number }, x: Scale, top: number, bottom: number): string {
  const stepMs =
    [100, 250, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000].find(
      step => timeline.endMs / step <= 14,
    ) ?? 1_200_000
  const ticks: string[] = []
  for (let ms = 0; ms <= timeline.endMs; ms += stepMs) {
    const at = round(x(ms))
    ticks.push(
      `<line class="tick" x1="${at}" x2="${at}" y1="${top}" y2="${bottom + 4}"/><text class="tick-text" x="${at}" y="${bottom + 17}" text-anchor="middle">${ms / 1000} s</text>`,
    )
  }
  return `<g class="axis">${ticks.join('')}</g>`
}
