/** The real command line, as scripts see it: exit codes, stdout, stderr. No cluster is started here. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clusterSpec } from '#scripts/cluster/spec.ts'
import { loadLab } from '#scripts/labs/load.ts'
import { projectRoot } from '#scripts/cluster/state.ts'

let home = ''
beforeAll(() => {
  home = path.join(mkdtempSync(path.join(tmpdir(), 'faultline-cli-')), 'home')
})
afterAll(() => rmSync(path.dirname(home), { recursive: true, force: true }))

const command = path.join(projectRoot, 'faultline')

const run = async (...args: string[]) => await runWith({}, ...args)

async function runWith(environment: Readonly<Record<string, string>>, ...args: string[]) {
  const { exitCode, stdout, stderr } = await execa(command, args, {
    reject: false,
    env: { FAULTLINE_HOME: home, NO_COLOR: '1', ...environment },
  })
  return { exitCode, stdout, stderr, json: () => JSON.parse(stdout) as unknown }
}

describe('./faultline', () => {
  test.each([
    [
      'up in a folder of clusters that is a file',
      '/dev/null',
      ['up', '--runtime', 'process'],
      '/dev/null, cannot be made',
    ],
    ['down in a folder of clusters that is a file', '/dev/null', ['down'], '/dev/null, cannot be read'],
    ['up in a folder that cannot be made', '/proc/faultline', ['up', '--runtime', 'process'], 'cannot be made'],
  ])('refuses %s in one sentence', async (_, place, args, text) => {
    const { exitCode, stderr } = await execa(command, args, {
      reject: false,
      env: { FAULTLINE_HOME: place, NO_COLOR: '1' },
    })
    expect(stderr).toContain(text)
    expect(stderr).toContain('way out: Choose another place: FAULTLINE_HOME=DIR')
    expect(stderr).not.toContain('    at ')
    expect(exitCode).toBe(1)
  })

  test('refuses to put data where nothing can be made, and no place at all', async () => {
    const there = await run('up', '--runtime', 'process', '--data', '/proc/faultline')
    expect(there.stderr).toContain('The data directory /proc/faultline/node-1 cannot be made: ENOENT')
    expect(there.exitCode).toBe(1)
    const nowhere = await run('up', '--runtime', 'process', '--data', '')
    expect(nowhere.stderr).toContain('--data needs a folder')
    expect(nowhere.exitCode).toBe(2)
  })

  test('without arguments, and with --help, explains itself and is content', async () => {
    for (const args of [[], ['--help'], ['up', '--help']]) {
      const { exitCode, stdout } = await run(...args)
      expect(exitCode).toBe(0)
      expect(stdout).toContain('Usage: faultline')
    }
  })

  test.each([
    ['an unknown command', ['explode'], "unknown command 'explode'"],
    ['an unknown option', ['up', '--brocers', '3'], "unknown option '--brocers'"],
    ['a number that is none', ['up', '--brokers', 'three'], 'Expected a whole number, got "three"'],
    ['a runtime that is none', ['up', '--runtime', 'podman'], '--runtime must be one of process, compose'],
    ['a name that cannot be used', ['status', '--name', 'A B'], 'lower-case letters, digits or dashes'],
    ['a missing argument', ['kill'], "missing required argument 'broker'"],
    ['a setting without a value', ['up', '--runtime', 'process', '--set', 'a'], 'expected key=value'],
    ['a lab without a name', ['lab', 'run', ''], 'Which lab? The name is empty.'],
    ['all labs and one of them', ['lab', 'run', '--all', '01'], 'All labs, or only "01"?'],
    [
      'the same engine twice',
      ['lab', 'run', '01', '--engine', 'faultline,faultline'],
      'names faultline more than once',
    ],
    ['no random lab at all', ['lab', 'random', '--count', '0'], '--count 0 draws no lab'],
    ['a lab that is none', ['lab', 'run', '99-nothing'], 'there is no such lab'],
    [
      'a directory for simulated disks',
      ['up', '--runtime', 'simulated', '--data', '/tmp/x'],
      '--data means nothing here',
    ],
    [
      'a form of histories that is none',
      ['lab', 'export', 'x.jsonl', '--format', 'xml'],
      '--format must be one of kafka, list-append',
    ],
    [
      'a seed of no size that is known',
      ['lab', 'shrink', '999999999999999999999'],
      'The seed 999999999999999999999 is too',
    ],
    ['such a seed to be drawn', ['lab', 'random', '--seed', '999999999999999999999'], 'Expected a whole number up to'],
    ['a variant that is none', ['lab', 'run', '07', '--variant', 'nope'], 'has no variant nope'],
    [
      'a broker setting that is none',
      ['up', '--runtime', 'process', '--set', 'no.such.key=1'],
      'unknown setting no.such.key',
    ],
    ['no broker at all', ['up', '--brokers', '0'], '--brokers must be a whole number from 1 to 99, got 0'],
    ['security that is none', ['up', '--security', 'ssl'], '--security must be one of none, sasl, tls, mtls, sasl-tls'],
    [
      'TLS on a simulated network',
      ['up', '--runtime', 'simulated', '--security', 'mtls'],
      '--security mtls is not there on the runtime simulated',
    ],
    [
      'secrets in virtual time',
      ['lab', 'run', '01', '--runtime', 'simulated', '--security', 'sasl', '--no-predict'],
      'A run in virtual time has no security',
    ],
    [
      'Apache Kafka in the simulator',
      ['up', '--runtime', 'simulated', '--engine', 'apache-kafka'],
      'runs our own broker only, not apache-kafka',
    ],
    ['a cluster where none is named', ['down', 'mine'], 'A cluster is named with --name NAME'],
    ['a name that no topic can have', ['produce', 'a b', 'x'], '"a b" cannot be the name of a topic'],
    ['a time without a unit', ['watch', '--interval', '5'], 'Expected a time like 500ms, 2s or 1m, got "5"'],
    ['a name that would be a directory', ['topic', 'create', '..'], '".." cannot be the name of a topic'],
  ])('takes %s for a usage error: exit code 2 and one error line', async (_, args, message) => {
    const { exitCode, stdout, stderr } = await run(...args)
    expect(stderr).toContain(message)
    expect(stderr).not.toContain('    at ')
    expect(stdout).toBe('')
    expect(exitCode).toBe(2)
  })

  test('with --json, writes exactly one document to stdout, also when it fails', async () => {
    const { exitCode, json, stderr } = await run('status', '--json')
    expect(exitCode).toBe(1)
    expect(json()).toEqual({
      error: {
        message: `There is no cluster named default in ${home}.`,
        remedy: expect.stringMatching(/^\.\/faultline up --name \S+ starts one\.$/),
        exitCode: 1,
      },
    })
    expect(stderr).toContain('error: There is no cluster named default')
  })

  test.each([
    ['lab list', ['lab', 'list', '--json']],
    ['fault list --kinds', ['fault', 'list', '--kinds', '--json']],
    ['doctor', ['doctor', '--json']],
  ])('%s is an array of things with a name and a summary', async (_, args) => {
    const { exitCode, json } = await run(...args)
    expect(exitCode).toBe(0)
    const list = json() as { name: unknown; summary: unknown }[]
    expect(list.length).toBeGreaterThan(0)
    for (const entry of list)
      expect(entry).toMatchObject({ name: expect.any(String) as string, summary: expect.any(String) as string })
  })

  test('gives the summary of a lab, which may say the answer, only to who has run it', async () => {
    const state = path.join(home, '..', 'state')
    const { summary, question } = await loadLab('25')
    const shown = async () => {
      const env = { XDG_STATE_HOME: state }
      const [text, list] = await Promise.all([runWith(env, 'lab', 'show', '25'), runWith(env, 'lab', 'list', '--json')])
      return {
        text: text.stdout,
        listed: (list.json() as { name: string; summary: string }[]).find(({ name }) => name.startsWith('25')),
      }
    }
    const before = await shown()
    expect(before.text).toContain(question)
    expect(before.text).not.toContain(summary)
    expect(before.listed?.summary).toBe(question)
    const run = {
      runs: 1,
      verdict: 'valid',
      engine: 'faultline',
      runtime: 'process',
      lastRunAt: '2026-01-02T03:04:05.000Z',
    }
    mkdirSync(path.join(state, 'faultline'), { recursive: true })
    const document = { format: 'faultline-lab-progress', version: 1, labs: { '25-rolling-upgrade': run } }
    writeFileSync(path.join(state, 'faultline', 'labs.json'), JSON.stringify(document))
    const after = await shown()
    expect(after.text).toContain(summary)
    expect(after.listed?.summary).toBe(summary)
  })

  test('says which port is taken, by what it wanted it, and offers another: exit code 3, nothing left behind', async () => {
    const taken = createServer()
    await new Promise<void>(resolve => taken.listen(0, '127.0.0.1', resolve))
    const { port } = taken.address() as AddressInfo
    try {
      const { exitCode, stderr } = await run(
        'up',
        '--runtime',
        'process',
        '--brokers',
        '1',
        '--port',
        String(Math.min(port, 65_235)),
      )
      expect(stderr).toMatch(/Port taken on 127\.0\.0\.1: \d+ \(clients of broker 1\)/)
      expect(stderr).toMatch(/--port \d+/)
      expect(exitCode).toBe(3)
      expect((await run('down')).stderr).toContain('There is no cluster named default')
    } finally {
      taken.close()
    }
  })

  test('cleans up what an interrupted command left, and says so', async () => {
    mkdirSync(path.join(home, 'cut-off'), { recursive: true })
    const { exitCode, stderr, stdout } = await run('down', '--name', 'cut-off')
    expect(stderr).toContain('removing what an interrupted command left')
    expect(stdout).toContain('cut-off is down.')
    expect(exitCode).toBe(0)
  })

  test('down removes no folder of somebody else that lies where clusters do, and up does not lead there', async () => {
    const thesis = path.join(home, 'documents', 'thesis.txt')
    mkdirSync(path.dirname(thesis), { recursive: true })
    writeFileSync(thesis, 'years')
    for (const args of [['down'], ['up', '--runtime', 'process', '--brokers', '1']]) {
      const { exitCode, stderr } = await run(...args, '--name', 'documents')
      expect(stderr).toContain(`${path.dirname(thesis)} has in it what is not of a cluster: thesis.txt.`)
      expect(stderr).toContain('way out: Use another --name')
      expect(exitCode).toBe(1)
    }
    expect(readFileSync(thesis, 'utf8')).toBe('years')
    rmSync(path.dirname(thesis), { recursive: true })
  })

  test('doctor tells of a cluster that a lab left behind', async () => {
    const spec = { ...clusterSpec({ name: 'orphan', runtime: 'process' }), lab: '07' }
    const record = {
      version: 1,
      spec,
      clusterId: 'id',
      phase: 'up',
      owner: { pid: 1, identity: 'gone' },
      foreignData: [],
    }
    mkdirSync(path.join(home, 'orphan'), { recursive: true })
    writeFileSync(path.join(home, 'orphan', 'cluster.json'), JSON.stringify(record))
    const { json } = await run('doctor', '--json')
    rmSync(path.join(home, 'orphan'), { recursive: true })
    expect(json()).toContainEqual({
      name: 'cluster orphan',
      grade: 'lacking',
      summary: 'was made for the lab 07, which was cut off; it still runs',
      remedy: './faultline down --name orphan',
    })
  })

  test('reads a topology from a file and refuses what it does not know there', async () => {
    const file = path.join(path.dirname(home), 'topology.json')
    writeFileSync(file, '{"brokers": 3, "brockers": 4}')
    const { exitCode, stderr } = await run('up', '--topology', file)
    expect(stderr).toContain(`--topology ${file}: brockers: is not known; expected summary, name, runtime,`)
    expect(exitCode).toBe(2)
  })

  test('refuses a setting that is none, also of a single node', async () => {
    const file = path.join(path.dirname(home), 'settings.json')
    writeFileSync(file, '{"brokers": [{}, {"settings": {"no.such.key": 1}}]}')
    const { exitCode, stderr } = await run('up', '--runtime', 'process', '--topology', file)
    expect(stderr).toContain(`--topology ${file}: brokers[1].settings is not understood: unknown setting no.such.key`)
    expect(exitCode).toBe(2)
  })

  test.each(['replay', 'export'])('lab %s says that a history is not there', async verb => {
    const { exitCode, stderr } = await run('lab', verb, 'nowhere.jsonl')
    expect(stderr).toContain('There is no file nowhere.jsonl.')
    expect(stderr).toContain('way out: A lab leaves its histories')
    expect(stderr).not.toContain('    at ')
    expect(exitCode).toBe(2)
  })

  test('lab replay says that a folder is no history', async () => {
    const folder = path.dirname(home)
    const { exitCode, stderr } = await run('lab', 'replay', folder)
    expect(stderr).toContain(`${folder} is a folder: expected the file of a history.`)
    expect(stderr).toContain('VARIANT.history.jsonl')
    expect(exitCode).toBe(2)
  })

  test('says what is wrong with a file that should be a history', async () => {
    const file = path.join(path.dirname(home), 'no-history.jsonl')
    writeFileSync(file, '{}\n')
    const { exitCode, stderr } = await run('lab', 'replay', file)
    expect(stderr).toContain(`${file}:1: expected a header with format "faultline-history"`)
    expect(stderr).not.toContain('    at ')
    expect(exitCode).toBe(1)
  })

  test('without the packages it needs, says how to get them: exit code 3', async () => {
    const { exitCode, stderr } = await execa(
      'sh',
      ['-c', 'cp "$1" "$2" && "$2/faultline" status', 'sh', command, path.dirname(home)],
      { reject: false },
    )
    expect(stderr).toContain('make setup')
    expect(exitCode).toBe(3)
  })
})
