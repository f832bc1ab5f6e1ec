/** The choice of what is shown: client, partition, kind, outcome; and a search for a value or an entry. */
import type { Run } from '../model/run.ts'
import { outcomes } from '../model/run-data.ts'
import type { Filter } from '../picture/filter.ts'
import { outcomeWords } from '../picture/words.ts'
import { element } from './dom.ts'

export interface FilterBar {
  readonly root: HTMLElement
  clear(): void
}

export function filterBar(
  run: Run,
  id: string,
  on: { changed: (filter: Filter) => void; found: (operation: number) => void },
): FilterBar {
  const { clients, partitions, operations } = run.data
  const selects = {
    client: choice(
      `${id}-client`,
      'client',
      clients.map(({ name }) => name),
    ),
    partition: choice(
      `${id}-partition`,
      'partition',
      partitions.map(({ name }) => name),
    ),
    kind: choice(`${id}-kind`, 'type', operations.kinds),
    outcome: choice(
      `${id}-outcome`,
      'outcome',
      outcomes.map(outcome => outcomeWords[outcome] ?? outcome),
    ),
  }
  const changed = () =>
    on.changed(
      Object.fromEntries(
        Object.entries(selects).flatMap(([name, { select }]) =>
          select.value === '' ? [] : [[name, Number(select.value)]],
        ),
      ),
    )
  for (const { select } of Object.values(selects)) select.addEventListener('change', changed)
  return {
    root: element(
      'span',
      { class: 'filters' },
      ...Object.values(selects).map(({ label }) => label),
      search(run, id, on.found),
    ),
    clear: () => {
      for (const { select } of Object.values(selects)) select.value = ''
      changed()
    },
  }
}

function choice(
  id: string,
  name: string,
  values: readonly string[],
): { label: HTMLElement; select: HTMLSelectElement } {
  const options = values.map((value, index) => element('option', { value: index }, value))
  const select = element('select', { id }, element('option', { value: '' }, 'all'), ...options)
  return { select, label: element('label', { for: id }, `${name} `, select) }
}

/** Enter looks for the next operation with the value, or for `#ENTRY`. */
function search(run: Run, id: string, found: (operation: number) => void): HTMLElement {
  const input = element('input', { id: `${id}-search`, type: 'search', placeholder: 'value or #entry', size: 14 })
  let last = -1
  input.addEventListener('keydown', event => {
    if (event.key !== 'Enter') return
    event.preventDefault()
    const text = input.value.trim()
    const entry = /^#(\d+)$/.exec(text)?.[1]
    const operation = entry === undefined ? run.findValue(text, last + 1) : run.operationOfEntry(Number(entry))
    input.setAttribute('aria-invalid', String(text !== '' && operation === undefined))
    input.setCustomValidity(operation === undefined ? `Nothing has ${text}.` : '')
    input.reportValidity()
    if (operation === undefined) return
    last = operation
    found(operation)
  })
  input.addEventListener('input', () => input.setCustomValidity(''))
  return element('label', { for: `${id}-search` }, 'find ', input)
}
