/** `lab list` and `lab show`: the labs in the order in which they are taught, what was done of them, and the lesson of one. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { chapterOf, difficulties, difficultyOf, inOrder } from '../labs/chapters.ts'
import type { Lab } from '../labs/lab.ts'
import { listLabs, loadLab } from '../labs/load.ts'
import { isDone, readProgress, type LabProgress, type Progress } from '../labs/progress.ts'
import { installation } from '../installation/here.ts'
import { paint } from '../output.ts'
import { table } from './describe.ts'
import type { CommonOptions } from './options.ts'
import type { Session } from './session.ts'

export async function listAllLabs(_: CommonOptions, session: Session): Promise<void> {
  const progress = readProgress()
  const all = await Promise.all((await listLabs()).map(({ name }) => loadLab(name)))
  const ordered = inOrder(all)
  const document = ordered.flatMap(({ labs }) => labs.map(lab => listed(lab, progress)))
  const text = await listText(ordered, progress)
  session.output.result(document, () => text)
}

function listed(lab: Lab, progress: Progress) {
  const { name, summary, question, needs, variants } = lab
  return {
    name,
    // It may give the answer away; who has not run the lab yet is to predict first.
    summary: progress[name] === undefined ? question : summary,
    question,
    chapter: chapterOf(lab),
    difficulty: difficulties[difficultyOf(lab)],
    needs,
    variants: variants.map(variant => variant.name),
    done: isDone(progress[name]),
    progress: progress[name] ?? null,
  }
}

async function listText(ordered: ReturnType<typeof inOrder<Lab>>, progress: Progress): Promise<string> {
  const blocks = await Promise.all(
    ordered.map(async ({ chapter, labs }, index) => {
      const done = labs.filter(({ name }) => isDone(progress[name])).length
      const rows = labs.map(lab => [
        isDone(progress[lab.name]) ? paint.green('✓') : ' ',
        lab.name,
        difficulties[difficultyOf(lab)],
        shortened(lab.question),
        progressWords(progress[lab.name]),
      ])
      const head = `${paint.bold(`${index + 1}. ${chapter[0]?.toUpperCase()}${chapter.slice(1)}`)} ${paint.dim(`(${done} of ${labs.length} done)`)}`
      return `${head}\n${await table(['', 'lab', 'difficulty', 'question', 'last run'], rows)}`
    }),
  )
  return `${blocks.join('\n\n')}\n\n${installation.command} lab show LAB tells more, ${installation.command} lab run LAB runs it.`
}

const questionMax = 90

/** `lab show` has all of it. */
function shortened(question: string): string {
  return question.length <= questionMax ? question : `${question.slice(0, questionMax - 1).trimEnd()}…`
}

function progressWords(progress: LabProgress | undefined): string {
  if (progress === undefined) return ''
  const { verdict, engine, prediction } = progress
  const predicted = prediction === undefined ? '' : `, predicted ${prediction}`
  return `${verdict} on ${engine}${predicted}`
}

export async function showLab(name: string, _: CommonOptions, session: Session): Promise<void> {
  const lab = await loadLab(name)
  const progress = readProgress()[lab.name]
  // Who has not run it yet is to predict first: no answer without a run.
  const isRun = progress !== undefined
  const { lesson, question, prediction, watch, explanation, exercises, reading, summary, topology } = lab
  const page = pageOf(lab)
  const document = {
    ...listed(lab, progress === undefined ? {} : { [lab.name]: progress }),
    lesson: lesson ?? null,
    choices: prediction.choices,
    ...(isRun ? { answer: prediction.answer, explanation } : {}),
    topology,
    watch,
    exercises: exercises ?? [],
    reading,
    page: page ?? null,
    controls: lab.variants.filter(({ role }) => role === 'control').map(variant => variant.name),
  }
  session.output.result(document, () =>
    [
      `${paint.bold(lab.name)}  ${paint.dim(`${chapterOf(lab)}, ${difficulties[difficultyOf(lab)]}`)}${isRun ? `\n${summary}` : ''}`,
      ...(lesson === undefined ? [] : [lesson.trim()]),
      `${paint.bold('Question')}\n${question}\n${prediction.choices.map((choice, index) => `  ${index + 1}. ${choice}`).join('\n')}`,
      section('Watch', watch),
      isRun
        ? `${paint.bold('Explanation')}\n${prediction.choices[prediction.answer] ?? ''}. ${explanation}`
        : `${paint.bold('Explanation')}\nAfter the first run: ${installation.command} lab run ${lab.name}`,
      section(
        'Turn the knob',
        lab.variants
          .filter(({ role }) => role === 'control')
          .map(variant => `--variant ${variant.name}: ${variant.summary}`),
      ),
      section('Exercises', exercises ?? []),
      section('Reading', reading),
      ...(page === undefined ? [] : [`${paint.bold('Page')}\n  ${page}`]),
      ...(progress === undefined ? [] : [`Last run: ${progressWords(progress)}, ${progress.lastRunAt}`]),
    ]
      .filter(block => block !== '')
      .join('\n\n'),
  )
}

/** Where the lesson can be read and linked to; the package brings no pages, and labs of one's own have none. */
function pageOf({ name }: Lab): string | undefined {
  const page = join('docs', 'lessons', `${name}.md`)
  return existsSync(join(installation.root, page)) ? page : undefined
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : `${paint.bold(title)}\n${lines.map(line => `  - ${line}`).join('\n')}`
}
