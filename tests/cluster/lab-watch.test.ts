/** `lab run --watch` on a lab of one's own in two files, as somebody edits them. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { projectRoot } from '#scripts/cluster/state.ts'
import { Toolkit } from './faultline-command.ts'

const toolkit = new Toolkit()
afterAll(() => toolkit.remove())

const write = (name: string, text: string) => writeFileSync(path.join(toolkit.folder, name), text)
const words = (text: string) => `export const summary = '${text}'\n`

beforeAll(() => {
  mkdirSync(path.join(toolkit.folder, 'parts'))
  write('parts/words.ts', words('the first words'))
  write('parts/middle.ts', `export { summary } from './words.ts'\n`)
  write(
    'mine.ts',
    `import { lab, quickFailover } from 'faultline/lab'
import { summary } from './parts/middle.ts'
const variant = { summary, workload: { partitions: 1 }, checks: ['unseen' as const], script: async run => run.acknowledged(5) }
export default lab({
  name: 'mine',
  summary,
  question: summary,
  prediction: { choices: ['yes'], answer: 0 },
  topology: { brokers: 3, controllers: 0, settings: quickFailover },
  needs: [],
  variants: [
    { ...variant, name: 'main', role: 'main', expect: 'valid' },
    { ...variant, name: 'control', role: 'control', expect: ['unseen'] },
  ],
  watch: [],
  explanation: '',
  reading: [],
})
`,
  )
})

test('a lab runs again when a file is saved that it imports, by which way ever, also after one that was wrong', async () => {
  const args = ['lab', 'run', '--watch', './mine.ts', '--runtime', 'simulated', '--yes', '--out', 'out']
  const env = { ...process.env, FAULTLINE_HOME: toolkit.home, XDG_STATE_HOME: path.join(toolkit.folder, 'state') }
  const child = spawn(path.join(projectRoot, 'faultline'), args, { cwd: toolkit.folder, env })
  let text = ''
  const shows = async (wanted: string) => {
    while (!text.includes(wanted)) await Promise.race([once(child.stdout, 'data'), once(child.stderr, 'data')])
    text = text.slice(text.indexOf(wanted))
    while (!text.includes('to be saved')) await once(child.stderr, 'data')
    text = text.slice(text.indexOf('to be saved'))
  }
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
  await shows('mine: the first words')
  write('parts/words.ts', words('other words'))
  await shows('mine: other words')
  write('parts/words.ts', 'export const nothing = 1\n')
  await shows('summary')
  write('parts/words.ts', words('the last words'))
  await shows('mine: the last words')
  const exit = once(child, 'exit')
  child.kill('SIGINT')
  expect(await exit).toEqual([130, null])
})
