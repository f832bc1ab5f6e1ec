/**
 * The report as one HTML file that needs nothing else: no network, no other file. The text is complete without the script; the script adds the
 * pictures. A policy in the page forbids every request, so that it cannot become otherwise by accident.
 */
import { createHash } from 'node:crypto'
import { deflateSync } from 'node:zlib'
import type { CheckResult } from '../checkers/result.ts'
import type { History } from '../history/operation.ts'
import { verdictWord, alsoFound, expectationInWords, type LabResult, type VariantResult } from '../labs/result.ts'
import { environmentSection, whereItRan } from './html-environment.ts'
import { eventsSection } from './html-events.ts'
import { findingsSection } from './html-findings.ts'
import { encodeRun } from './model/encode.ts'
import type { RunData } from './model/run-data.ts'
import { style } from './style.ts'
import { duration, escape, grouped } from './text.ts'
import { tiles } from './html-tiles.ts'

/** @param script  the bundled script of the page (`page-script.ts`); undefined: the report is text alone, and says so */
export function reportHtml(result: LabResult, histories: readonly History[], script: string | undefined): string {
  const variants = result.variants.map((variant, index) => {
    const history = histories[index] ?? []
    return { variant, history, run: encodeRun(variant.name, history) }
  })
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy(script)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(`${result.lab}: ${result.verdict}`)}</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<a class="skip" href="#main">to the verdict</a>
<header><h1>${escape(result.lab)}</h1><span class="where">${escape(whereItRan(result))}</span><button id="theme" type="button" hidden>dark colours</button></header>
<main id="main">
${banner(result)}
${predictionSection(result)}
${variantsTable(result)}
${script === undefined ? '<p class="trouble" role="note">This report has no pictures: esbuild, which bundles their script, is not installed in this checkout. Run <code>make setup</code>, then judge the history again with <code>lab replay</code>.</p>' : ''}
${variants.length === 0 ? '' : `<div class="tabs" role="tablist" aria-label="Variants">${variants.map(({ variant }, index) => tab(variant, index)).join('')}</div>`}
${variants.map(({ variant, history, run }, index) => variantPanel(variant, history, run, index)).join('\n')}
${explanationSection(result)}
${environmentSection(result)}
</main>
<footer>Started ${escape(result.startedAt)}, took ${duration(result.durationMs)}. Made by Faultline. Beside this file: the histories as JSON Lines, <code>result.json</code>, <code>junit.xml</code>, and a trace per variant for <code>ui.perfetto.dev</code>.</footer>
${variants.map(({ run }, index) => `<script type="text/plain" id="run-${index}">${packed(run)}</script>`).join('\n')}
${script === undefined ? '' : `<script type="module">${script}</script>`}
</body>
</html>
`
}

/** Styles are in the file itself, and set by the script; of scripts only the one that is in the file; nothing else, from nowhere. */
function policy(script: string | undefined): string {
  const hash = script === undefined ? "'none'" : `'sha256-${createHash('sha256').update(script).digest('base64')}'`
  return `default-src 'none'; script-src ${hash}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'`
}

/** JSON, deflated, in base64: a hundred thousand operations are a megabyte. */
function packed(run: RunData): string {
  return deflateSync(JSON.stringify(run)).toString('base64')
}

export const verdictMarks = { valid: '✓', invalid: '✗', unknown: '?', skipped: '–' } as const

function banner(result: LabResult): string {
  return `<section class="verdict ${result.verdict}" aria-labelledby="verdict"><h2 id="verdict"><span aria-hidden="true">${verdictMarks[result.verdict]}</span> ${verdictWord(result)}</h2><p class="reason">${escape(result.reason)}</p></section>`
}

function predictionSection({ question, prediction, watch }: LabResult): string {
  const { chosen, answer } = prediction
  const choices = prediction.choices.map((choice, index) => {
    const kind = index === answer ? 'answer' : index === chosen ? 'wrong' : ''
    const notes = [...(index === chosen ? ['your prediction'] : []), ...(index === answer ? ['the answer'] : [])]
    return `<li class="${kind}">${escape(choice)}${notes.length === 0 ? '' : ` <em>${notes.join(', ')}</em>`}</li>`
  })
  const outcome =
    chosen === undefined
      ? 'No prediction was made.'
      : chosen === answer
        ? 'You predicted it.'
        : 'You predicted something else.'
  return `<section class="card" aria-labelledby="question"><h2 id="question">The question</h2>
<p class="question">${escape(question)}</p>
<ul class="choices">${choices.join('')}</ul>
<p>${outcome}</p>
<details><summary>What to watch</summary><ul class="prose">${watch.map(line => `<li>${escape(line)}</li>`).join('')}</ul></details></section>`
}

/** One line per variant: what it had to give and what it gave. A control that was not caught is worth more attention than anything else. */
function variantsTable({ variants, leftOut = [] }: LabResult): string {
  if (variants.length + leftOut.length === 0) return ''
  const rows = variants.map(
    variant =>
      `<tr><th scope="row">${escape(variant.name)}</th><td>${roles[variant.role]}</td><td>${escape(expectationInWords(variant))}</td><td>${badge(variant)}${besides(variant)}</td><td>${escape(variant.summary)}</td></tr>`,
  )
  for (const { name, role, summary, reason } of leftOut)
    rows.push(
      `<tr><th scope="row">${escape(name)}</th><td>${roles[role]}</td><td></td><td><span class="badge open">– left out</span> ${escape(reason)}</td><td>${escape(summary)}</td></tr>`,
    )
  return `<section class="card" aria-labelledby="variants"><h2 id="variants">Variants</h2><div class="scroll" tabindex="0" role="region" aria-labelledby="variants"><table><thead><tr><th scope="col">variant</th><th scope="col">role</th><th scope="col">expected</th><th scope="col">came out</th><th scope="col">what is special</th></tr></thead><tbody>${rows.join('')}</tbody></table></div></section>`
}

const roles = { main: 'must hold', control: 'negative control' } as const

/** What was found beside what was looked for, and trouble with the run: nobody is to think that all was as planned. */
function besides(variant: VariantResult): string {
  const others = alsoFound(variant)
  const found = others.length === 0 || variant.expected === 'valid' ? [] : [`also found: ${others.join(', ')}`]
  const lines = [...found, ...(variant.trouble === undefined ? [] : [`trouble: ${variant.trouble}`])]
  return lines.map(line => `<br><span class="soft">${escape(line)}</span>`).join('')
}

function badge(variant: VariantResult): string {
  if (variant.verdict === 'unknown') return '<span class="badge open">? unknown</span>'
  if (variant.asExpected) return `<span class="badge good">✓ ${variant.role === 'control' ? 'caught' : 'held'}</span>`
  return `<span class="badge bad">✗ ${variant.role === 'control' ? 'not caught' : 'broken'}</span>`
}

function tab(variant: VariantResult, index: number): string {
  return `<button type="button" role="tab" id="tab-${index}" aria-controls="variant-${index}" aria-selected="${index === 0}" data-name="${escape(variant.name)}"${index === 0 ? '' : ' tabindex="-1"'}>${escape(variant.name)} ${badge(variant)}</button>`
}

function variantPanel(variant: VariantResult, history: History, run: RunData, index: number): string {
  const trouble =
    variant.trouble === undefined ? '' : `<p class="trouble"><b>The run had trouble:</b> ${escape(variant.trouble)}</p>`
  return `<div class="variant" role="tabpanel" id="variant-${index}" aria-labelledby="tab-${index}">
<h2>${variant.role === 'control' ? 'Negative control' : 'Variant'} ${escape(variant.name)}</h2>
<p>${escape(variant.summary)}. Expected: ${escape(expectationInWords(variant))}. ${badge(variant)}</p>
${trouble}
${tiles(variant, history, run)}
${findingsSection(variant, history, index)}
<section aria-labelledby="pictures-${index}"><h3 id="pictures-${index}">Timeline, latency, throughput</h3>
${legend(run)}
<div class="explorer" id="explorer-${index}"><p class="soft">The script of this page draws the pictures when this variant is looked at.</p></div></section>
<section aria-labelledby="checks-${index}"><h3 id="checks-${index}">All checks</h3>
${variant.results.map(checkRow).join('\n')}</section>
${eventsSection(run, index)}
</div>`
}

/** Colour never stands alone: what it says is also a height, a pattern, a shape or a word. */
function legend(run: RunData): string {
  const item = (picture: string, text: string) => `<li><i class="${picture}" aria-hidden="true"></i>${text}</li>`
  const sign = (mark: string, text: string) => `<li><b aria-hidden="true">${mark}</b>${text}</li>`
  const brokers = run.brokers.map(({ id }) =>
    item(`key b${(id - 1) % 8}`, `broker ${id}: leader, in sync, log end offset`),
  )
  return `<details class="legend"><summary>Legend</summary><ul>${[
    item('key send low', 'send, ok (low bar)'),
    item('key poll low', 'poll, ok (low bar)'),
    item('key info striped', 'outcome unknown, or no answer (striped, ◆)'),
    item('key fail dotted', 'failed (full height, ✕)'),
    sign('✕', 'a client process ended: it crashed, or nobody knows what came of its last operation'),
    sign('○', 'a client was given partitions, or crashed'),
    sign('▼', 'operation of the chosen finding, and the chosen operation'),
    item('key fault striped', 'fault at work: a bar at the top, a shade over everything'),
    item('key down striped', 'broker down'),
    item('key paused dotted', 'broker frozen'),
    item('key controller', 'active controller'),
    ...brokers,
    item('key b0 odd', 'every other leader epoch is striped'),
    item('line out', 'replica out of sync'),
    item('line hw', 'high watermark (dashed)'),
    item('line lso', 'last stable offset (dotted)'),
    item('line start', 'log start offset (dash and dot)'),
  ].join('')}</ul></details>`
}

const marks = { true: '✓', false: '✗', unknown: '?' } as const
const validities = { true: 'valid', false: 'invalid', unknown: 'unknown' } as const

function checkRow(result: CheckResult): string {
  const key = String(result.valid) as keyof typeof marks
  const figures = result.figures
    ? `<span class="figures">${escape(
        Object.entries(result.figures)
          .map(([name, value]) => `${name}: ${typeof value === 'number' ? grouped(value) : value}`)
          .join(' · '),
      )}</span>`
    : ''
  return `<div class="check ${key}"><span class="mark" role="img" aria-label="${validities[key]}">${marks[key]}</span><span class="name">${escape(result.name)}</span><span class="says">${escape(result.explanation)} ${figures}</span></div>`
}

function explanationSection({ explanation, reading }: LabResult): string {
  const items = reading.map(entry => {
    const [, text = entry, link] = /^(.*?):? (https?:\S+)$/.exec(entry) ?? []
    return `<li>${link === undefined ? escape(text) : `<a href="${escape(link)}">${escape(text)}</a>`}</li>`
  })
  return `<section class="card" aria-labelledby="why"><h2 id="why">Why</h2><p class="prose">${escape(explanation)}</p><h3>Further reading</h3><ul class="prose">${items.join('')}</ul></section>`
}
