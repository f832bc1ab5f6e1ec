import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { lab, quickFailover, type Lab, type Variant } from '#scripts/labs/lab.ts'
import { parseHeader } from '#scripts/labs/lessons/header.ts'
import { lessonPages, lessonsFolder } from '#scripts/labs/lessons/lessons.ts'
import { indexPage, lessonPage } from '#scripts/labs/lessons/page.ts'
import { listLabs, loadLab } from '#scripts/labs/load.ts'

const pages = await lessonPages()
const labs = await Promise.all((await listLabs()).map(({ name }) => loadLab(name)))

describe('docs/lessons', () => {
  test.each([...pages])('%s is what the labs say (make docs writes it anew)', (file, text) => {
    expect(readFileSync(join(lessonsFolder, file), 'utf8')).toBe(text)
  })

  test('has no page of a lab that is gone', () => {
    expect(readdirSync(lessonsFolder).toSorted()).toEqual([...pages.keys()].toSorted())
  })

  test('is linked from labs/README.md', () => {
    expect(readFileSync(new URL('../../../labs/README.md', import.meta.url), 'utf8')).toContain(
      'docs/lessons/README.md',
    )
  })

  test.each(labs)('$name says what to know, and keeps its answer folded', each => {
    expect(each.lesson?.length).toBeGreaterThan(200)
    expect(each.exercises?.length).toBeGreaterThan(2)
    expect(each.difficulty).toBeDefined()
    const [open = '', ...folds] = (pages.get(`${each.name}.md`) ?? '').split('<details>')
    expect(open).not.toContain(each.explanation)
    expect(open).toContain(each.prediction.choices[each.prediction.answer])
    expect(folds[0]).toContain(`**${each.prediction.choices[each.prediction.answer]}.**`)
  })
})

const variant: Variant = {
  name: 'main',
  summary: 'as it should be | or not',
  role: 'main',
  workload: {},
  script: async () => undefined,
  checks: ['lost-write'],
  expect: 'valid',
}

const example: Lab = lab({
  name: '98-example-lab',
  chapter: 'groups',
  difficulty: 3,
  lesson: 'What to know.',
  exercises: ['First this.', 'Then that.'],
  summary: 'An example.',
  question: 'How many are lost?',
  prediction: { choices: ['none', 'some'], answer: 1 },
  topology: { brokers: 3, controllers: 0, settings: quickFailover },
  needs: ['grow'],
  variants: [
    { ...variant, needs: ['read-log-directory'], expectOn: { 'apache-kafka': ['lost-write'] } },
    { ...variant, name: 'acks-1', role: 'control', expect: ['lost-write'], expectOn: { 'apache-kafka@3.9': 'valid' } },
  ],
  watch: ['The leader.'],
  explanation: 'Because.',
  reading: ['KIP-1, a proposal: with colons: https://example.org/KIP-1', 'A book'],
})
const header = { setup: '3 brokers.', fault: 'none.', expect: 'loss.', control: 'no loss.' }

describe('the page of a lab', () => {
  const page = lessonPage(example, header, [example, ...labs])

  test('has its place, its lesson, and the commands that run it', () => {
    expect(page).toContain('# Lab 98: example lab\n\nChapter 3, groups · hard · [all lessons](README.md)')
    expect(page).toContain('## What to know before\n\nWhat to know.')
    expect(page).toContain('./faultline lab run 98 --variant acks-1')
    expect(page).toContain('1. First this.\n2. Then that.')
    expect(page).toContain('- [KIP-1, a proposal: with colons](https://example.org/KIP-1)\n- A book')
  })

  test('says what is left out where, and what must come out on which release', () => {
    const where = [
      'It runs on the simulator without `main` (no read-log-directory)',
      'on processes',
      'on processes of Apache Kafka',
      'on containers of Apache Kafka without `main` (no read-log-directory).',
    ]
    expect(page).toContain(where.join('; '))
    expect(page).toContain('| variant | what | Faultline | Apache Kafka | Apache Kafka 3.9 |')
    const found = 'found by `lost-write`'
    const inTime = lessonPage({ ...example, needs: ['virtual-time'] }, header, [example])
    expect(inTime).toContain(`| \`acks-1\` (control) | as it should be \\| or not | ${found} | left out | left out |`)
    expect(page).toContain(`| valid | ${found} | ${found} |`)
    expect(page).toContain(`| ${found} | ${found} | valid |`)
    const nowhere = lessonPage({ ...example, needs: ['upgrade'] }, header, [example])
    expect(nowhere).toContain('It runs not on the simulator (no upgrade); on processes')
  })

  test('is in the index, in its chapter', () => {
    const [, groups = ''] = indexPage([example, ...labs]).split('. Groups')
    expect(groups.split('## ')[0]).toContain('| [98-example-lab](98-example-lab.md) | How many are lost? | hard |')
  })
})

describe('the header of a lab', () => {
  test('is read part by part, over lines', () => {
    const source =
      '/**\n * Lab 1: why?\n * Setup: a broker,\n *   and another.\n * Fault: kill.\n * Expect: it: holds.\n * Control: none.\n */\nimport'
    expect(parseHeader(source)).toEqual({
      setup: 'a broker, and another.',
      fault: 'kill.',
      expect: 'it: holds.',
      control: 'none.',
    })
  })

  test('is refused without one of them', () => {
    expect(() => parseHeader('/**\n * Setup: a.\n * Expect: b.\n * Control: c.\n */')).toThrow('has no Fault')
  })
})
