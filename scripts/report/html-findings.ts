/** The explained anomalies as text and tables, with what leads from each to the timeline. */
import type { History, Operation } from '../history/operation.ts'
import type { VariantResult } from '../labs/result.ts'
import { findingsOf, type Finding, type LogExcerpt } from './findings.ts'
import { clientEntry } from './model/entries.ts'
import { describeOperation, escape, grouped } from './text.ts'

export function findingsSection(variant: VariantResult, history: History, index: number): string {
  const broken = variant.results.filter(({ valid }) => valid === false)
  if (broken.length === 0) return ''
  const findings = findingsOf(variant.results, history)
  const [first] = findings
  const blocks = broken.map(({ name, count, explanation }) => {
    const shown = findings.filter(({ check }) => check === name)
    const more = count - shown.length
    return `<section class="finding" aria-label="${escape(name)}"><h4><span class="mark" aria-hidden="true">✗</span> ${escape(name)}: ${grouped(count)}</h4><p>${escape(explanation)}</p>
${shown.map(finding => findingCase(finding, index, finding === first)).join('\n')}${more > 0 && shown.length > 0 ? `<p class="soft">And ${grouped(more)} more of the same kind; <code>result.json</code> has some of them.</p>` : ''}</section>`
  })
  return `<section aria-labelledby="findings-${index}"><h3 id="findings-${index}">Findings</h3>${blocks.join('\n')}</section>`
}

/** The first is open; the others would only push everything else out of sight. */
function findingCase(finding: Finding, variant: number, isOpen: boolean): string {
  const { explanation, slice, fate, entries, partition, offsets, excerpt } = finding
  const place = partition === undefined ? '' : ` data-partition="${escape(partition)}" data-offsets="${offsets.join()}"`
  const show =
    entries.length === 0
      ? ''
      : `<button type="button" class="show" data-variant="${variant}" data-entries="${entries.join()}"${place}>show in the timeline</button>`
  return `<details class="case"${isOpen ? ' open' : ''}><summary>${escape(explanation)}</summary>
<p>${fate === undefined ? '' : `<span class="badge bad">✗ ${fate}</span> `}${show}</p>
${slice.length === 0 ? '' : `<div class="scroll" tabindex="0" role="region" aria-label="What happened"><table class="slice"><caption>What happened, in order</caption><thead><tr><th scope="col">entry</th><th scope="col">time</th><th scope="col">who</th><th scope="col">what</th></tr></thead><tbody>${slice.map(operation => sliceRow(operation, variant)).join('')}</tbody></table></div>`}
${excerpt === undefined ? '' : excerptTable(excerpt)}</details>`
}

function sliceRow(operation: Operation, variant: number): string {
  const isClient = clientEntry(operation) !== undefined
  const who = 'client' in operation ? `${operation.client} (process ${operation.process})` : operation.process
  const type = isClient ? `<span class="type ${operation.type}">${operation.type}</span> ` : ''
  const number = isClient
    ? `<button type="button" class="entry" data-variant="${variant}" data-entries="${operation.index}">#${operation.index}</button>`
    : `#${operation.index}`
  const kind = typeof operation.process === 'string' ? operation.process : 'client'
  return `<tr class="${escape(kind)}"><td class="number">${number}</td><td class="number">${(operation.timeMs / 1000).toFixed(2)} s</td><td class="who">${escape(who)}</td><td class="what">${type}${escape(describeOperation(operation))}</td></tr>`
}

/** The log around the offsets that matter, as each source has it. A hole where others have a record is where it was lost. */
function excerptTable({ partition, columns, rows }: LogExcerpt): string {
  const head = columns.map(column => `<th scope="col">${escape(column)}</th>`).join('')
  const body = rows.map(({ offset, cells, concerned, differs }) => {
    const texts = cells.map(values =>
      values.length === 0 ? '<td class="hole">–</td>' : `<td>${escape(values.join(' / '))}</td>`,
    )
    const note = differs ? ' <span class="mark" role="img" aria-label="contested">✕</span>' : ''
    return `<tr class="${concerned ? 'concerned' : ''}"><th scope="row">${offset}${concerned ? ' ◀' : ''}${note}</th>${texts.join('')}</tr>`
  })
  return `<div class="scroll" tabindex="0" role="region" aria-label="The log around it"><table class="log"><caption>The log of ${escape(partition)} around it: ◀ offsets of this finding, ✕ the sources do not agree, – nothing there</caption><thead><tr><th scope="col">offset</th>${head}</tr></thead><tbody>${body.join('')}</tbody></table></div>`
}
