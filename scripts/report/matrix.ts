/** Labs × engines as files: `matrix.html` for people, `matrix.md` for pull requests, `matrix.json` for scripts, `junit.xml` for CI. */
import { makeFolder } from '#broker/environment/node/make-folder.ts'
import { verdictWord } from '../labs/result.ts'
import { join, relative } from 'node:path'
import type { Matrix, MatrixCell, MatrixVariant } from '../labs/matrix.ts'
import { replaceFile } from '../replace-file.ts'
import { style } from './style.ts'
import { markdown } from './markdown.ts'
import { duration, escape } from './text.ts'
import { xmlAttribute, xmlText } from './xml.ts'

/** Each file in one step: one that is there stays whole, whatever comes between. */
export function writeMatrix(out: string, matrix: Matrix): void {
  makeFolder(out)
  replaceFile(join(out, 'matrix.html'), matrixHtml(matrix, out))
  replaceFile(join(out, 'matrix.md'), matrixMarkdown(matrix))
  replaceFile(join(out, 'matrix.json'), `${JSON.stringify(matrix, null, 2)}\n`)
  replaceFile(join(out, 'junit.xml'), matrixJunit(matrix))
}

function cellOf({ cells }: Matrix, lab: string, engine: string): MatrixCell | undefined {
  return cells.find(cell => cell.lab === lab && cell.engine === engine)
}

const promise = 'A lab is expected to be valid: its promises hold, and its controls are caught.'

export function matrixMarkdown(matrix: Matrix): string {
  const { labs, engines, cells } = matrix
  const row = (texts: readonly string[]) => `| ${texts.join(' | ')} |`
  const lines = labs.map(lab => row([markdown(lab), ...engines.map(engine => cellWords(cellOf(matrix, lab, engine)))]))
  const notes = cells
    .filter(({ verdict }) => verdict !== 'valid')
    .map(cell => `- ${markdown(`${cell.lab} on ${cell.engine}: ${verdictWord(cell)}. ${cell.reason}`)}`)
  const without = cells.flatMap(({ lab, engine, verdict, leftOut = [] }) =>
    verdict === 'skipped'
      ? []
      : leftOut.map(({ name, reason }) => `- ${markdown(`${lab} on ${engine}, left out: ${name}: ${reason}`)}`),
  )
  return [
    `Runtime ${matrix.runtime}, seed ${matrix.seed}, ${duration(matrix.durationMs)} in all. ${promise}`,
    '',
    row(['lab', ...engines.map(markdown)]),
    row(['---', ...engines.map(() => '---')]),
    ...lines,
    ...(notes.length + without.length === 0 ? [] : ['', ...notes, ...without]),
    '',
  ].join('\n')
}

function cellWords(cell: MatrixCell | undefined): string {
  if (cell === undefined) return 'not run'
  if (cell.verdict === 'skipped') return 'SKIPPED'
  return `${cell.partial === true ? 'partial' : cell.verdict}, ${duration(cell.durationMs)}`
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, ' ')
}

export function matrixHtml(matrix: Matrix, out: string): string {
  const { labs, engines, runtime, seed, startedAt, durationMs } = matrix
  const head = `<tr><th scope="col">lab</th>${engines.map(engine => `<th scope="col">${escape(engine)}</th>`).join('')}</tr>`
  const rows = labs.map(
    lab =>
      `<tr><th scope="row">${escape(lab)}</th>${engines.map(engine => htmlCell(cellOf(matrix, lab, engine), out)).join('')}</tr>`,
  )
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Labs and engines</title>
<link rel="icon" href="data:,">
<style>${style}
table.matrix { border-collapse: collapse; width: 100% } .matrix th, .matrix td { border: 1px solid var(--line); padding: 8px 12px; text-align: left; vertical-align: top }
.matrix ul { margin: 6px 0 0; padding-left: 18px; font-size: 13px; color: var(--soft) }</style>
</head>
<body>
<main>
<header><h1>Labs and engines</h1><span class="where">${escape(`runtime ${runtime} · seed ${seed} · ${duration(durationMs)}`)}</span></header>
<section class="card"><p class="lead">${promise}</p>
<table class="matrix"><thead>${head}</thead><tbody>
${rows.join('\n')}
</tbody></table></section>
<footer>Started ${escape(startedAt)}. Made by Faultline.</footer>
</main>
</body>
</html>
`
}

const badges = { valid: 'good', invalid: 'bad', unknown: 'open', skipped: 'open' } as const

function htmlCell(cell: MatrixCell | undefined, out: string): string {
  if (cell === undefined) return '<td>not run</td>'
  const { verdict, reason, durationMs, variants, leftOut = [] } = cell
  const time = verdict === 'skipped' ? '' : ` ${duration(durationMs)}`
  const link =
    cell.out === undefined ? '' : ` <a href="${escape(join(relative(out, cell.out), 'report.html'))}">report</a>`
  const why = verdict === 'valid' ? '' : `<div>${escape(reason)}</div>`
  const list = variants.map(
    variant => `<li>${variant.asExpected ? '' : '<b>NOT as expected</b> '}${escape(variantWords(variant))}</li>`,
  )
  for (const { name, reason: why } of leftOut) list.push(`<li><b>left out</b> ${escape(`${name}: ${why}`)}</li>`)
  return `<td><span class="badge ${badges[verdict]}">${verdictWord(cell)}</span>${time}${link}${why}${list.length === 0 ? '' : `<ul>${list.join('')}</ul>`}</td>`
}

function variantWords({ name, expected, actual, durationMs, trouble }: MatrixVariant): string {
  const said = trouble === undefined ? '' : `; the run had trouble: ${trouble}`
  return `${name}: expected ${expected}, got ${actual} (${duration(durationMs)})${said}`
}

/** One suite for each engine, one test case for each lab. */
export function matrixJunit(matrix: Matrix): string {
  const suites = matrix.engines.map(engine => {
    const cells = matrix.cells.filter(cell => cell.engine === engine)
    const count = (verdict: MatrixCell['verdict']) =>
      cells.filter(cell => cell.verdict === verdict && cell.partial !== true).length
    const time = seconds(cells.reduce((sum, { durationMs }) => sum + durationMs, 0))
    const name = xmlAttribute(`labs on ${engine}, ${matrix.runtime}`)
    return `  <testsuite name="${name}" tests="${cells.length}" failures="${count('invalid')}" errors="${count('unknown')}" skipped="${count('skipped')}" time="${time}" timestamp="${matrix.startedAt}">
${cells.map(testCase).join('\n')}
  </testsuite>`
  })
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${suites.join('\n')}\n</testsuites>\n`
}

const elements = { invalid: 'failure', unknown: 'error', skipped: 'skipped' } as const

function testCase({ lab, engine, verdict, partial, reason, durationMs, variants, leftOut = [] }: MatrixCell): string {
  const open = `    <testcase classname="${xmlAttribute(engine)}" name="${xmlAttribute(lab)}" time="${seconds(durationMs)}"`
  const without = leftOut.map(({ name, reason: why }) => `left out: ${name}: ${why}`).join('\n')
  const output = without === '' ? '' : `\n      <system-out>${xmlText(without)}</system-out>`
  if (verdict === 'valid' || partial === true) return output === '' ? `${open}/>` : `${open}>${output}\n    </testcase>`
  const details = variants.filter(({ asExpected }) => !asExpected).map(variantWords)
  const element = elements[verdict]
  return `${open}>\n      <${element} message="${xmlAttribute(oneLine(reason))}">${xmlText(details.join('\n'))}</${element}>${output}\n    </testcase>`
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3)
}
