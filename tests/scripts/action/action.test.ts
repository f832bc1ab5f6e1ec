/** action.yml against what GitHub documents for composite actions (metadata syntax), and against the script that it runs. */
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { execa } from 'execa'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { projectRoot } from '#scripts/cluster/state.ts'
import { parseActionFile, type YamlMap } from './action-file.ts'

const action = parseActionFile(readFileSync(path.join(projectRoot, 'action.yml'), 'utf8'))
const steps = (action['runs'] as YamlMap)['steps'] as YamlMap[]
const inputs = action['inputs'] as Record<string, YamlMap>

describe('action.yml', () => {
  test('has what an action must have, and no key that is not documented', () => {
    expect(Object.keys(action).sort()).toEqual([
      'author',
      'branding',
      'description',
      'inputs',
      'name',
      'outputs',
      'runs',
    ])
    expect((action['runs'] as YamlMap)['using']).toBe('composite')
    for (const [name, input] of Object.entries(inputs)) {
      expect(name).toMatch(/^[a-z_][\w-]*$/)
      expect(Object.keys(input).sort()).toEqual(['default', 'description', 'required'])
    }
  })

  test('runs each of its commands in a named shell, and needs no action of others', () => {
    const known = ['name', 'id', 'shell', 'run', 'env', 'working-directory', 'if', 'uses', 'with', 'continue-on-error']
    for (const step of steps) {
      expect(Object.keys(step).filter(key => !known.includes(key))).toEqual([])
      expect(step).toMatchObject({ shell: 'bash', run: expect.any(String) as string })
      expect(step).not.toHaveProperty('uses')
    }
  })

  test('gives the text of a workflow to no shell but through the environment', () => {
    for (const step of steps) expect(step['run']).not.toContain('${{')
  })

  test('hands every input on, and gives the outputs that its step has', () => {
    const environment = (steps.find(({ id }) => id === 'labs') as YamlMap)['env'] as Record<string, string>
    const handed = Object.values(environment).flatMap(text => /^\$\{\{ inputs\.([\w-]+) \}\}$/.exec(text)?.[1] ?? [])
    expect(handed.sort()).toEqual(Object.keys(inputs).sort())
    const script = path.join(projectRoot, 'scripts', 'action', 'run-labs.sh')
    accessSync(script, constants.R_OK)
    const source = readFileSync(script, 'utf8')
    for (const name of Object.keys(environment)) expect(source).toContain(`$${name}`)
    for (const [name, { value }] of Object.entries(action['outputs'] as Record<string, YamlMap>)) {
      expect(value).toBe(`\${{ steps.labs.outputs.${name} }}`)
      expect(source).toContain(`${name}=%s`)
    }
  })
})

describe('the script', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'faultline-action-'))
    // One argument a line.
    writeFileSync(path.join(folder, 'faultline'), `#!/bin/sh\nprintf '%s\\n' "$@"\n`, { mode: 0o755 })
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  test.each([
    ['in one line', '00-durability 07-acks-matrix'],
    ['in lines of their own', '00-durability\n07-acks-matrix\n'],
    ['in lines that are indented and empty', '\n  00-durability\n\n\t07-acks-matrix  \n'],
  ])('runs all labs that are named %s', async (_, labs) => {
    const unset = {
      BOOTSTRAP: '',
      COMMAND_CONFIG: '',
      ENGINE: '',
      RUNTIME: '',
      GITHUB_OUTPUT: '',
      GITHUB_STEP_SUMMARY: '',
    }
    const { stdout } = await execa('bash', [path.join(projectRoot, 'scripts', 'action', 'run-labs.sh')], {
      env: { ...unset, LABS: labs, SEED: '1', OUT: path.join(folder, 'out'), ALLOW_SKIPPED: 'true', FAULTLINE: folder },
    })
    expect(stdout.split('\n').slice(0, 5)).toEqual(['lab', 'run', '00-durability', '07-acks-matrix', '--seed'])
  })
})

describe('the reader of that file', () => {
  test.each(['a: |\n  b', 'a: "b"', 'a: b: c', 'a'])('refuses what it does not know: %j', text => {
    expect(() => parseActionFile(text)).toThrow(/not a plain scalar|expected "key: value"/)
  })
})
