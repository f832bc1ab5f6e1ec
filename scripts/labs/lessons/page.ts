/** The page of a lab, and the index of all: Markdown from the labs themselves, with the answers folded away. */
import { chapterOf, difficulties, difficultyOf, inOrder } from '../chapters.ts'
import type { Lab } from '../lab.ts'
import type { LabHeader } from './header.ts'
import { columnsOf, expectedText, lackingAt, places } from './verdicts.ts'

const made = (source: string) => `<!-- Made from ${source} by "make docs": change it there. -->`
const linkTo = ({ name }: Pick<Lab, 'name'>) => `[${name}](${name}.md)`

/** docs/lessons/README.md */
export function indexPage(labs: readonly Lab[]): string {
  const chapters = inOrder(labs).flatMap(({ chapter, labs: found }, index) => [
    `## ${index + 1}. ${chapter[0]?.toUpperCase()}${chapter.slice(1)}`,
    table(
      ['lab', 'question', 'difficulty'],
      found.map(lab => [linkTo(lab), lab.question, difficulties[difficultyOf(lab)]]),
    ),
  ])
  return page([
    made('the labs'),
    '# Lessons',
    'One page for each lab, chapter by chapter, the easy ones first. Read what to know, choose an answer, run the lab, and only then unfold the explanation.',
    '```sh\n./faultline lab list        # the same list, with what you have done\n./faultline lab run 01      # asks for your prediction, runs, judges, and offers the next knob\n```',
    'How a lab is judged is in [labs/README.md](../../labs/README.md), how labs are run and written in [docs/labs.md](../labs.md).',
    ...chapters,
  ])
}

/** docs/lessons/NAME.md */
export function lessonPage(lab: Lab, header: LabHeader, labs: readonly Lab[]): string {
  const { name, summary, question, prediction, lesson, watch, exercises = [], reading, explanation } = lab
  const controls = lab.variants.filter(({ role }) => role === 'control')
  const answer = `**${prediction.choices[prediction.answer]}.**\n\n${summary}\n\n${explanation.trim()}`
  const verdicts = [verdictTable(lab), `Expected: ${header.expect}`, `Control: ${header.control}`].join('\n\n')
  return page([
    made(`labs/${name}.ts`),
    `# Lab ${name.slice(0, 2)}: ${name.slice(3).replaceAll('-', ' ')}`,
    wayOf(lab, labs),
    ...(lesson === undefined ? [] : ['## What to know before', lesson.trim()]),
    '## Question',
    question,
    numbered(prediction.choices),
    '## Setup',
    header.setup,
    `**Fault**: ${header.fault}`,
    '## Run it',
    commandsOf(lab),
    placesOf(lab),
    '## What to watch',
    bullets(watch),
    '## Turn the knob',
    'The same with one thing changed so that it goes wrong, which must be found:',
    bullets(controls.map(control => `\`--variant ${control.name}\`: ${control.summary}`)),
    ...(exercises.length === 0 ? [] : ['## Exercises', numbered(exercises)]),
    '## Answer',
    folded('After your prediction and your run', answer),
    folded('What must come out, by engine', verdicts),
    '## Reading',
    bullets(reading.map(linked)),
  ])
}

/** Where the lab is among the others. */
function wayOf(lab: Lab, labs: readonly Lab[]): string {
  const chapters = inOrder(labs)
  const all = chapters.flatMap(chapter => chapter.labs)
  const at = all.findIndex(({ name }) => name === lab.name)
  const [before, after] = [all[at - 1], all[at + 1]]
  const number = chapters.findIndex(({ chapter }) => chapter === chapterOf(lab)) + 1
  const parts = [
    `Chapter ${number}, ${chapterOf(lab)}`,
    difficulties[difficultyOf(lab)],
    '[all lessons](README.md)',
    ...(before === undefined ? [] : [`before: ${linkTo(before)}`]),
    ...(after === undefined ? [] : [`next: ${linkTo(after)}`]),
    `[the lab](../../labs/${lab.name}.ts)`,
  ]
  return parts.join(' · ')
}

function commandsOf({ name, variants }: Lab): string {
  const run = `./faultline lab run ${name.slice(0, 2)}`
  const control = variants.find(({ role }) => role === 'control')?.name ?? ''
  const rows = [
    [run, 'processes in real time; asks for your prediction'],
    [`${run} --step`, 'virtual time that stands still while you look at the logs of all replicas'],
    [`${run} --runtime simulated --seed 7`, 'the same run for the same seed, in seconds'],
    [`${run} --engine apache-kafka`, 'the same question to Apache Kafka'],
    [`${run} --variant ${control}`, 'a control alone'],
  ] as const
  const width = Math.max(...rows.map(([command]) => command.length))
  return ['```sh', ...rows.map(([command, what]) => `${command.padEnd(width)}  # ${what}`), '```'].join('\n')
}

/** Where it runs, and which variants are left out where. */
function placesOf(lab: Lab): string {
  const words = places.map(place => {
    const lacking = lackingAt(place, lab)
    if (lacking.length > 0) return `not on ${place.words} (no ${lacking.join(', ')})`
    const without = lab.variants.filter(variant => lackingAt(place, lab, variant).length > 0)
    if (without.length === 0) return `on ${place.words}`
    const needs = [...new Set(without.flatMap(variant => lackingAt(place, lab, variant)))]
    const names = without.map(({ name }) => `\`${name}\``)
    return `on ${place.words} without ${names.join(', ')} (no ${needs.join(', ')})`
  })
  return `It runs ${words.join('; ')}.`
}

function verdictTable(lab: Lab): string {
  const columns = columnsOf(lab)
  return table(
    ['variant', 'what', ...columns.map(({ words }) => words)],
    lab.variants.map(variant => [
      `\`${variant.name}\`${variant.role === 'control' ? ' (control)' : ''}`,
      variant.summary,
      ...columns.map(column => expectedText(lab, variant, column)),
    ]),
  )
}

/** `Title: address` as a link. */
function linked(entry: string): string {
  const parts = /^(.*): (https?:\/\/\S+)$/.exec(entry)
  return parts === null ? entry : `[${parts[1]}](${parts[2]})`
}

function folded(title: string, text: string): string {
  return `<details>\n<summary>${title}</summary>\n\n${text}\n\n</details>`
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => '---'), ...rows]
  return lines.map(cells => `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`).join('\n')
}

const bullets = (lines: readonly string[]) => lines.map(line => `- ${line}`).join('\n')
const numbered = (lines: readonly string[]) => lines.map((line, index) => `${index + 1}. ${line}`).join('\n')
const page = (blocks: readonly string[]) => `${blocks.join('\n\n')}\n`
