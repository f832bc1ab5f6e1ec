/** The report as one HTML file that needs nothing else: no network, no other file. What is shown comes from the result and the histories. */
import { measureAvailability } from '../checkers/availability.ts'
import type { AnomalyCase, CheckResult } from '../checkers/result.ts'
import type { History, Operation } from '../history/operation.ts'
import type { LabResult, VariantResult } from '../labs/result.ts'
import { offsetsSvg } from './offsets-svg.ts'
import { script, style } from './style.ts'
import { describeOperation, duration, escape, grouped } from './text.ts'
import { timelineOf, type Timeline } from './timeline-model.ts'
import { timelineSvg } from './timeline-svg.ts'

export function reportHtml(result: LabResult, histories: readonly History[]): string {
  const variants = result.variants.map((variant, index) => ({ variant, history: histories[index] ?? [] }))
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(`${result.lab}: ${result.verdict}`)}</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<main>
<header><h1>${escape(result.lab)}</h1><span class="where">${where(result)}</span><button id="theme" type="button">light / dark</button></header>
${banner(result)}
${questionCard(result)}
<nav class="tabs" role="tablist">${variants.map(({ variant }, index) => tab(variant, index)).join('')}</nav>
<div class="variants">${variants.map(({ variant, history }, index) => variantSection(variant, history, index)).join('\n')}</div>
${explanationCard(result)}
<footer>Started ${escape(result.startedAt)}, took ${duration(result.durationMs)}. Made by Faultline. The histories lie beside this file as JSON Lines; <code>./faultline lab replay FILE</code> judges one again.</footer>
</main>
<div id="tip"></div>
<script>${script}</script>
</body>
</html>
`
}

const engineNames = { faultline: 'Faultline', 'apache-kafka': 'Apache Kafka', redpanda: 'Redpanda' } as const

function where(result: LabResult): string {
  return escape(
    `${[engineNames[result.engine], result.engineVersion].filter(text => text !== undefined).join(' ')} · runtime ${result.runtime} · seed ${result.seed} · ${duration(result.durationMs)}`,
  )
}

function banner(result: LabResult): string {
  const controls = result.variants.filter(({ role }) => role === 'control').length
  const mains = result.variants.length - controls
  const promise = `${mains} variant${mains === 1 ? '' : 's'} that must hold, ${controls} negative control${controls === 1 ? '' : 's'} that must be caught.`
  return `<div class="verdict ${result.verdict}"><span class="word">${result.verdict.toUpperCase()}</span><span class="reason">${escape(result.reason)}</span><span class="promise">${promise}</span></div>`
}

function questionCard({ question, prediction, watch }: LabResult): string {
  const choices = prediction.choices.map((choice, index) => {
    const chosen = index === prediction.chosen
    const kind = index === prediction.answer ? 'answer' : chosen ? 'wrong' : ''
    return `<li class="${kind}">${escape(choice)}${chosen ? '<em>your prediction</em>' : ''}</li>`
  })
  return `<section class="card"><h2>The question</h2>
<p class="question">${escape(question)}</p>
<ul class="choices">${choices.join('')}</ul>
<h3>What to watch</h3><ul class="prose">${watch.map(line => `<li>${escape(line)}</li>`).join('')}</ul></section>`
}

function explanationCard({ explanation, reading }: LabResult): string {
  const items = reading.map(entry => {
    const [, text = entry, link] = /^(.*?):? (https?:\S+)$/.exec(entry) ?? []
    return `<li>${link === undefined ? escape(text) : `<a href="${escape(link)}">${escape(text)}</a>`}</li>`
  })
  return `<section class="card"><h2>Why</h2><p class="prose">${escape(explanation)}</p><h3>Further reading</h3><ul class="prose">${items.join('')}</ul></section>`
}

function badge(variant: VariantResult): string {
  if (variant.verdict === 'unknown') return '<span class="badge open">unknown</span>'
  if (!variant.asExpected) return `<span class="badge bad">${variant.verdict}, not as expected</span>`
  return `<span class="badge good">${variant.role === 'control' ? 'caught' : 'held'}</span>`
}

function tab(variant: VariantResult, index: number): string {
  return `<button type="button" role="tab" aria-selected="${index === 0}" data-variant="variant-${index}">${escape(variant.name)} ${badge(variant)}</button>`
}

function variantSection(variant: VariantResult, history: History, index: number): string {
  const timeline = timelineOf(history)
  const expected = variant.expected === 'valid' ? 'everything valid' : `a finding of ${variant.expected.join(' or ')}`
  const role = variant.role === 'control' ? 'Negative control' : 'Variant'
  const trouble =
    variant.trouble === undefined ? '' : `<p class="trouble"><b>The run had trouble:</b> ${escape(variant.trouble)}</p>`
  return `<article class="variant" id="variant-${index}"${index === 0 ? '' : ' hidden'}>
<p class="lead"><b>${role} ${escape(variant.name)}:</b> ${escape(variant.summary)}. Expected: ${escape(expected)}. ${badge(variant)}</p>
${trouble}
${tiles(variant, history, timeline)}
<h3>Timeline</h3>
${legend}
<div class="scroll">${timelineSvg(timeline)}</div>
<h3>Checks</h3>
${variant.results.map(checkRow).join('\n')}
${offsetsBlock(timeline)}
</article>`
}

function tiles(variant: VariantResult, history: History, timeline: Timeline): string {
  const measured = measureAvailability(history)
  const failing =
    variant.results.find(({ name, valid }) => valid === false && name === 'lost-write') ??
    variant.results.find(({ valid }) => valid === false)
  const epochs = timeline.partitions.reduce(
    (sum, { leaders }) => sum + Math.max(0, leaders.filter(({ value }) => value.leader >= 0).length - 1),
    0,
  )
  const tile = (figure: string, text: string, kind = '') =>
    `<div class="${kind}"><b>${figure}</b><span>${text}</span></div>`
  return `<div class="tiles">${[
    tile(grouped(variant.acknowledged), 'records acknowledged'),
    failing ? tile(grouped(failing.count), escape(failing.name), 'bad') : tile('0', 'anomalies'),
    tile(duration(measured.gaps[0]?.lastedMs ?? 0), 'longest time without an acknowledgement'),
    tile(
      duration(measured.latencyMs.median),
      `latency of a send, median (worst ${duration(measured.latencyMs.worst)})`,
    ),
    tile(String(timeline.faults.length), 'faults and repairs'),
    tile(String(epochs), 'changes of leader'),
    tile(
      grouped(measured.unknownSends + measured.failedSends),
      `sends failed (${measured.failedSends}) or unknown (${measured.unknownSends})`,
    ),
  ].join('')}</div>`
}

const legend = `<div class="legend">${[
  ['up', 'broker up'],
  ['starting', 'not answering yet'],
  ['paused', 'frozen'],
  ['down', 'down'],
  ['controller', 'active controller'],
  ['in-sync', 'replica in sync'],
  ['out-of-sync', 'replica out of sync'],
  ['producer', 'send acknowledged'],
  ['consumer', 'poll'],
  ['paused', 'send of unknown outcome'],
  ['down', 'send failed'],
]
  .map(([colour, text]) => `<span><i style="background:var(--${colour})"></i>${text}</span>`)
  .join('')}</div>`

const marks = { true: '✓', false: '✗', unknown: '?' } as const

function checkRow(result: CheckResult): string {
  const key = String(result.valid) as keyof typeof marks
  const figures = result.figures
    ? `<div class="more figures">${escape(
        Object.entries(result.figures)
          .map(([name, value]) => `${name}: ${typeof value === 'number' ? grouped(value) : value}`)
          .join(' · '),
      )}</div>`
    : ''
  const more = result.count - result.cases.length
  const cases =
    result.cases.length === 0
      ? ''
      : `<div class="more"><details${result.cases.length > 0 && result.name === 'lost-write' ? ' open' : ''}><summary>${result.cases.length === 1 ? 'the case' : `${result.cases.length} cases`}${more > 0 ? ` of ${grouped(result.count)}` : ''}</summary>${shown(result).map(anomaly).join('')}</details></div>`
  return `<div class="check ${key}"><span class="mark">${marks[key]}</span><span class="name">${escape(result.name)}</span><span class="says">${escape(result.explanation)}</span>${figures}${cases}</div>`
}

/** Three cases are enough to understand; the rest is in the JSON. */
function shown(result: CheckResult): readonly AnomalyCase[] {
  return result.cases.slice(0, 3)
}

function anomaly({ explanation, slice }: AnomalyCase): string {
  const rows = slice.map(sliceRow).join('')
  return `<div class="case"><p>${escape(explanation)}</p>${rows === '' ? '' : `<table>${rows}</table>`}</div>`
}

function sliceRow(operation: Operation): string {
  const who = 'client' in operation ? `${operation.client} (process ${operation.process})` : operation.process
  const type =
    operation.process === 'lab' || operation.process === 'observer'
      ? ''
      : `<span class="type ${operation.type}">${operation.type}</span> `
  return `<tr class="${typeof operation.process === 'string' ? operation.process : 'client'}"><td class="number">#${operation.index}</td><td class="number">${(operation.timeMs / 1000).toFixed(2)} s</td><td class="who">${escape(who)}</td><td class="what">${type}${escape(describeOperation(operation))}</td></tr>`
}

function offsetsBlock(timeline: Timeline): string {
  if (timeline.partitions.length === 0) return ''
  const brokers = timeline.brokers.map(
    ({ id }) => `<span><i style="background:var(--r${(id - 1) % 5})"></i>log end offset on broker ${id}</span>`,
  )
  const line = (words: string) =>
    `<span><i style="background:var(--ink);height:2px;vertical-align:3px"></i>${words}</span>`
  const hasStable = timeline.partitions.some(({ offsets }) => offsets.has('last stable offset'))
  const lines = line('high watermark (dashed)') + (hasStable ? line('last stable offset (dotted)') : '')
  return `<h3>Offsets</h3><div class="legend">${brokers.join('')}${lines}</div>
<div class="scroll">${timeline.partitions.map(partition => offsetsSvg(timeline, partition)).join('\n')}</div>`
}
