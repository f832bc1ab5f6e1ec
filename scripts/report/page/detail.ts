/** One operation in full: who, when, what came of it, which records, and who else touched the same offsets. */
import { at, type Run } from '../model/run.ts'
import { offsetsText, outcomeWords, timeText } from '../picture/words.ts'
import { button, element } from './dom.ts'

const recordsMax = 40
const othersMax = 12

export type Pick = (operation: number) => void

export function operationDetail(run: Run, operation: number, pick: Pick): HTMLElement {
  const fact = (name: string, value: string | Node) => [element('dt', {}, name), element('dd', {}, value)]
  const [invoked, completed] = [at(run.invoked, operation), at(run.completed, operation)]
  const start = at(run.start, operation)
  const lasted = at(run.end, operation) - start
  const error = run.errorOf(operation)
  const note = run.noteOf(operation)
  const outcome = run.outcomeOf(operation)
  return element(
    'div',
    { class: 'operation' },
    element(
      'h4',
      {},
      `${run.kindOf(operation)} by ${run.clientOf(operation)} `,
      element('span', { class: `type ${outcome}` }, outcomeWords[outcome] ?? outcome),
    ),
    element(
      'dl',
      {},
      ...fact('entries', invoked === completed ? `#${invoked}` : `#${invoked}, answered by #${completed}`),
      ...fact('process', String(run.processOf(operation))),
      ...fact('time', `${timeText(start)} to ${timeText(start + lasted)}, ${timeText(lasted)}`),
      ...(error === undefined ? [] : fact('error', error)),
      ...(note === undefined ? [] : fact('carried', note)),
    ),
    records(run, operation),
    others(run, operation, pick),
  )
}

function records(run: Run, operation: number): HTMLElement {
  const rows = run
    .touchesOf(operation)
    .flatMap(({ action, partition, offset, values }) =>
      values.map((value, index) => [
        action,
        run.partition(partition)?.name ?? '',
        offset < 0 ? 'unknown' : String(offset + index),
        value,
      ]),
    )
  if (rows.length === 0) return element('p', { class: 'soft' }, 'No records.')
  const head = element(
    'tr',
    {},
    ...['', 'partition', 'offset', 'value'].map(name => element('th', { scope: 'col' }, name)),
  )
  const shown = rows.slice(0, recordsMax).map(cells => element('tr', {}, ...cells.map(cell => element('td', {}, cell))))
  return element(
    'div',
    { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Records of the operation' },
    element('table', {}, element('thead', {}, head), element('tbody', {}, ...shown)),
    ...(rows.length > recordsMax
      ? [element('p', { class: 'soft' }, `and ${rows.length - recordsMax} more records`)]
      : []),
  )
}

/** The journey of the first record: who wrote it, who read it. */
function others(run: Run, operation: number, pick: Pick): HTMLElement {
  const touch = run.touchesOf(operation).find(({ offset }) => offset >= 0)
  if (!touch) return element('div')
  const { partition, offset } = touch
  const found = run.operationsAt(partition, offset, othersMax).filter(other => other !== operation)
  const where = `${run.partition(partition)?.name ?? ''} at offset ${offsetsText(offset, 1)}`
  if (found.length === 0) return element('p', { class: 'soft' }, `Nobody else touched ${where}.`)
  return element('div', {}, element('p', {}, `Who else touched ${where}:`), operationList(run, found, pick))
}

/** Operations as buttons that choose them. */
export function operationList(run: Run, operations: readonly number[], pick: Pick): HTMLElement {
  return element(
    'ul',
    { class: 'picks' },
    ...operations.map(operation => {
      const title = `#${at(run.completed, operation)} ${run.kindOf(operation)} by ${run.clientOf(operation)}, ${timeText(at(run.end, operation))}, ${outcomeWords[run.outcomeOf(operation)] ?? ''}`
      return element(
        'li',
        {},
        button(title, `show ${title}`, () => pick(operation)),
      )
    }),
  )
}
