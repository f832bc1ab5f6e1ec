/** What the labs came to, lab by lab and variant by variant, on every engine and runtime that they were run on: docs/lab-results.md. */
import { markdown } from '../../report/markdown.ts'
import { duration } from '../../report/text.ts'
import type { Matrix, MatrixCell, MatrixVariant } from '../matrix.ts'

interface Column {
  readonly title: string
  readonly begun: readonly string[]
  readonly cells: ReadonlyMap<string, MatrixCell>
}

/**
 * The page, with a column for each runtime and engine.
 *
 * @param matrices  runs of labs over engines, as `lab run --all --out DIR` leaves them in DIR/matrix.json; what a later one ran takes the place of
 *   what an earlier one did
 * @param machine   in words, where they ran
 */
export function resultsPage(matrices: readonly Matrix[], machine: string): string {
  const columns = columnsOf(matrices)
  const labs = [...new Set(columns.flatMap(({ cells }) => [...cells.keys()]))].sort()
  const lines = labs.flatMap(lab => labRows(lab, columns))
  const notes = labs.flatMap(lab => columns.flatMap(({ title, cells }) => cellNotes(title, cells.get(lab))))
  return [
    '# What do the labs come to, and where?',
    '',
    `Written by \`node scripts/labs/lessons/write-results.ts\` from runs of \`./faultline lab run --all\`; do not edit. On ${machine}.`,
    ...columns.map(({ title, begun }) => `- ${title}: ${begun.join('; ')}`),
    '',
    '✓: as expected, and how long it took. The first row of a lab is the lab with all its variants: their promises hold, and their controls are',
    'caught. ✗: not as expected; what was found instead is said. Of variants in the simulator the time is virtual; everywhere else a machine that has',
    'something else to do as well takes longer.',
    '',
    row(['lab', 'variant', 'expected', ...columns.map(({ title }) => markdown(title))]),
    row(['---', '---', '---', ...columns.map(() => '---')]),
    ...lines,
    ...(notes.length === 0 ? [] : ['', ...notes]),
    '',
  ].join('\n')
}

function row(texts: readonly string[]): string {
  return `| ${texts.join(' | ')} |`
}

function columnsOf(matrices: readonly Matrix[]): Column[] {
  const columns = new Map<string, { title: string; begun: string[]; cells: Map<string, MatrixCell> }>()
  for (const { runtime, engines, seed, startedAt, cells } of matrices) {
    for (const engine of engines) {
      const title = `${engine}, ${runtime}`
      const column = columns.get(title) ?? { title, begun: [] as string[], cells: new Map<string, MatrixCell>() }
      columns.set(title, column)
      column.begun.push(`seed ${seed}, begun ${startedAt.slice(0, 16).replace('T', ' ')} UTC`)
      for (const cell of cells) if (cell.engine === engine) column.cells.set(cell.lab, cell)
    }
  }
  return [...columns.values()]
}

function labRows(lab: string, columns: readonly Column[]): string[] {
  const cells = columns.map(column => column.cells.get(lab))
  const variants = [...new Set(cells.flatMap(cell => cell?.variants.map(({ name }) => name) ?? []))]
  const page = `[${markdown(lab)}](lessons/${lab}.md)`
  return [
    row([page, '', '', ...cells.map(labWords)]),
    ...variants.map(name => {
      const found = cells.map(cell => cell?.variants.find(variant => variant.name === name))
      const expected = [...new Set(found.flatMap(variant => (variant === undefined ? [] : [variant.expected])))]
      // Versions of Kafka may be expected to differ; then each cell says what was expected of it.
      const [only] = expected
      const common = expected.length === 1 ? only : undefined
      return row([
        '',
        markdown(name),
        common === undefined ? 'differs' : markdown(common),
        ...found.map(variant => variantWords(variant, common)),
      ])
    }),
  ]
}

function labWords(cell: MatrixCell | undefined): string {
  if (cell === undefined) return ''
  if (cell.verdict === 'skipped') return 'skipped'
  const isGood = cell.verdict === 'valid'
  return `${isGood ? '✓' : `✗ ${cell.verdict}`} ${duration(cell.durationMs)}`
}

function variantWords(variant: MatrixVariant | undefined, common: string | undefined): string {
  if (variant === undefined) return '–'
  const { asExpected, expected, durationMs } = variant
  // What was found besides is in the report of the run.
  const actual = asExpected ? variant.actual.replace(/; also found: .*$/, '') : variant.actual
  const wanted = common === undefined ? `, expected ${expected}` : ''
  return `${asExpected ? '✓' : '✗'} ${markdown(`${actual}${wanted}`)} ${duration(durationMs)}`
}

function cellNotes(title: string, cell: MatrixCell | undefined): string[] {
  if (cell === undefined) return []
  const place = `${cell.lab} on ${title}`
  const left = cell.verdict === 'skipped' ? [] : (cell.leftOut ?? [])
  return [
    ...(cell.verdict === 'valid' ? [] : [`- ${markdown(`${place}: ${cell.verdict}. ${cell.reason}`)}`]),
    ...left.map(({ name, reason }) => `- ${markdown(`${place}, left out: ${name}: ${reason}`)}`),
  ]
}
