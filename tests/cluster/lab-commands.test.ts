/** Labs as people and CI meet them: at a terminal, from a file of their own, and on a cluster that is not ours. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { projectRoot } from '#scripts/cluster/state.ts'
import { parseActionFile, type YamlMap } from '#tests/scripts/action/action-file.ts'
import { freePort, Toolkit } from './faultline-command.ts'

const toolkit = new Toolkit()
afterAll(() => toolkit.remove())

/** Without CI, where nobody is asked anything. */
function environment(): NodeJS.ProcessEnv {
  const { CI: _, ...rest } = process.env
  return { ...rest, FAULTLINE_HOME: toolkit.home, XDG_STATE_HOME: path.join(toolkit.folder, 'state'), NO_COLOR: '1' }
}

/** What `script` (util-linux) shows of a command at a pseudo-terminal, where each prompt is answered with what `answer` gives. */
async function atTerminal(
  command: string,
  answer: (prompt: string) => string,
): Promise<{ code: number; text: string }> {
  const child = spawn('script', ['-qec', command, '/dev/null'], { cwd: toolkit.folder, env: environment() })
  let text = ''
  let answered = 0
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString()
    const prompt = /(to skip\)|ends the lab|for none\)): /g
    prompt.lastIndex = answered
    for (let found = prompt.exec(text); found !== null; found = prompt.exec(text)) {
      answered = prompt.lastIndex
      child.stdin.write(answer(found[1] ?? ''))
    }
  })
  const [code] = (await once(child, 'exit')) as [number]
  return { code, text }
}

describe('a lab of one’s own', () => {
  const faultline = path.join(projectRoot, 'faultline')
  const step = `${faultline} lab run ./mine.ts --step --variant main --out out`

  test('is written, and found wrong when it is', async () => {
    const env = environment()
    const made = await execa(faultline, ['lab', 'new', 'mine'], { cwd: toolkit.folder, env, reject: false })
    expect(made.stdout).toContain('./mine.ts is a lab that runs as it is')
    const again = await execa(faultline, ['lab', 'new', 'mine.ts'], { cwd: toolkit.folder, env, reject: false })
    expect(again).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('is there already') as string })
    writeFileSync(path.join(toolkit.folder, 'wrong.ts'), 'export default { name: 1 }')
    const wrong = await execa(faultline, ['lab', 'run', './wrong.ts'], { cwd: toolkit.folder, env, reject: false })
    expect(wrong).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('expected a lab as the default export') as string,
    })
  })

  test('asks, shows the logs side by side at every pause, and offers the knob', async () => {
    const { code, text } = await atTerminal(step, prompt => (prompt === 'to skip)' ? '1\r' : '\r'))
    expect(text).toContain('How many acknowledged records are lost?')
    expect(text).toMatch(/high watermark +\d/)
    expect(text).toMatch(/broker \d leads lab-main-0 now \(epoch 1/)
    expect(text).toContain('You predicted: None. So it is.')
    expect(text).toContain('Turn the knob')
    // One variant of two: nobody may call the lab valid, and nothing went wrong.
    expect(text).toContain('PARTIAL')
    expect(code).toBe(0)
  })

  test.each([
    ['q', 'q\r', 0, 'No verdict.'],
    ['Ctrl-C', '\u0003', 130, 'what was started has been taken away'],
  ])('ends at a pause with %s, and leaves nothing', async (_, key, expected, words) => {
    const { code, text } = await atTerminal(step, prompt => (prompt === 'ends the lab' ? key : '\r'))
    expect(text).toContain(words)
    expect(code).toBe(expected)
    expect(toolkit.isEmpty).toBe(true)
  })
})

describe('a cluster that is not ours', () => {
  let bootstrap = ''
  beforeAll(async () => {
    const port = await freePort()
    const { bootstrap: addresses } = await toolkit.document(
      'up',
      '--name',
      'theirs',
      '--runtime',
      'process',
      '--port',
      port,
    )
    // One address is enough to find the others.
    bootstrap = addresses.split(',').at(-1) ?? ''
    await toolkit.run('topic', 'create', 'orders', '--name', 'theirs')
  })

  const topics = async () =>
    (JSON.parse((await toolkit.run('topic', 'list', '--name', 'theirs', '--json')).stdout) as { name: string }[]).map(
      ({ name }) => name,
    )

  test('is judged by the step of the action, and is afterwards as it was', async () => {
    const action = parseActionFile(readFileSync(path.join(projectRoot, 'action.yml'), 'utf8'))
    const step = ((action['runs'] as YamlMap)['steps'] as YamlMap[]).find(({ id }) => id === 'labs') as YamlMap
    const defaults = Object.entries(action['inputs'] as Record<string, YamlMap>).map(([name, input]) => [
      name,
      input['default'],
    ])
    const given: Record<string, string> = { labs: '13 07', bootstrap, out: path.join(toolkit.folder, 'action') }
    const inputs = { ...(Object.fromEntries(defaults) as Record<string, string>), ...given }
    const value = (text: string) =>
      text
        .replace('${{ github.action_path }}', projectRoot)
        .replace(/\$\{\{ inputs\.([\w-]+) \}\}/, (_, name: string) => inputs[name] ?? '')
    const env = Object.entries(step['env'] as Record<string, string>).map(([name, text]) => [name, value(text)])
    const files = {
      GITHUB_OUTPUT: path.join(toolkit.folder, 'output'),
      GITHUB_STEP_SUMMARY: path.join(toolkit.folder, 'summary'),
    }
    const { exitCode, stdout } = await execa('bash', ['-eo', 'pipefail', '-c', step['run'] as string], {
      cwd: toolkit.folder,
      env: { ...environment(), ...(Object.fromEntries(env) as Record<string, string>), ...files },
      reject: false,
    })
    expect(stdout).toContain('VALID 13-idempotent-producer')
    expect(stdout).toContain('SKIPPED 07-acks-matrix')
    expect(exitCode).toBe(0)
    expect(readFileSync(files.GITHUB_OUTPUT, 'utf8')).toContain(`junit=${inputs['out']}/junit.xml`)
    expect(readFileSync(files.GITHUB_STEP_SUMMARY, 'utf8')).toMatch(/\| 13-idempotent-producer \| valid,/)
    expect(readFileSync(path.join(inputs['out'] ?? '', 'junit.xml'), 'utf8')).toContain(
      'tests="2" failures="0" errors="0" skipped="1"',
    )
    expect(await topics()).toEqual(['orders'])
  })

  test('stops a lab that would touch what it has not made', async () => {
    writeFileSync(path.join(toolkit.folder, 'greedy.ts'), greedy)
    const args = [
      'lab',
      'run',
      path.join(toolkit.folder, 'greedy.ts'),
      '--bootstrap',
      bootstrap,
      '--yes',
      '--out',
      path.join(toolkit.folder, 'greedy'),
    ]
    const { exitCode, stderr } = await toolkit.start(...args)
    expect(stderr).toContain('it wanted more than is allowed on a cluster that is not ours: DeleteTopics of orders')
    expect(exitCode).toBe(1)
    expect(await topics()).toEqual(['orders'])
    expect(existsSync(path.join(toolkit.folder, 'greedy', 'report.html'))).toBe(false)
  })
})

const greedy = `import { kafkaClient, lab, loseTheUnreplicated, unreplicatedWorkload } from 'faultline/lab'

export default lab({
  name: 'greedy',
  summary: 'Removes a topic of others.',
  question: 'May it?',
  prediction: { choices: ['no', 'yes'], answer: 0 },
  topology: { brokers: 3, controllers: 0, settings: {} },
  needs: [],
  variants: [
    {
      name: 'main',
      summary: 'removes a topic',
      role: 'main',
      workload: { producers: 1, consumers: 0, partitions: 1 },
      script: async run => {
        const admin = kafkaClient(run.cluster, 'greedy').admin()
        await admin.connect()
        try {
          await admin.deleteTopics({ topics: ['orders'] })
        } finally {
          await admin.disconnect()
        }
      },
      checks: ['lost-write'],
      expect: 'valid',
    },
    {
      name: 'control',
      summary: 'never run',
      role: 'control',
      workload: unreplicatedWorkload,
      script: loseTheUnreplicated,
      checks: ['lost-write'],
      expect: ['lost-write'],
    },
  ],
  watch: [],
  explanation: 'It may not.',
  reading: [],
})
`
