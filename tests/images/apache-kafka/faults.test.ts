/** The library that breaks Apache Kafka from inside, in front of small programs of this machine. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { formatRules, parseState, type RuleEntry } from '#scripts/cluster/apache-kafka/fault-rules.ts'
import { projectRoot } from '#scripts/cluster/state.ts'
import { describeWith } from '../../machine.ts'

describeWith(['cc'], 'the library', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'faultline-library-'))
  const library = path.join(folder, 'libfaults.so')
  const orders = path.join(folder, 'orders')
  const state = () => parseState(readFileSync(path.join(orders, 'state')))
  beforeAll(() => {
    const sources = ['faults.c', 'durable.c'].map(name => path.join(projectRoot, 'images', 'apache-kafka', name))
    const flags = ['-O2', '-Wall', '-Wextra', '-Werror', '-shared', '-fPIC', '-Wl,-z,defs']
    execFileSync('cc', [...flags, '-o', library, ...sources, '-ldl', '-lpthread'])
  })
  beforeEach(() => {
    rmSync(orders, { recursive: true, force: true })
    mkdirSync(orders)
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const entry = (slot: number, kind: string, parameters: RuleEntry['parameters']): RuleEntry => ({
    id: `${kind}-${slot}`,
    kind,
    parameters,
    slot,
    born: slot + 1,
  })

  /** Runs a program with faults at work, and its data in these directories. */
  function run(entries: readonly RuleEntry[], data: string, command: string, ...words: string[]): string {
    writeFileSync(path.join(orders, 'rules'), formatRules({ generation: 1, added: entries.length, entries }))
    const { stdout, stderr } = spawnSync(command, words, {
      encoding: 'utf8',
      env: {
        PATH: process.env['PATH'],
        LC_ALL: 'C',
        LD_PRELOAD: library,
        FAULTLINE_FAULTS: orders,
        FAULTLINE_DATA: data,
        FAULTLINE_ONCE: '1',
      },
    })
    return stdout + stderr
  }

  const readFails = [entry(0, 'disk-error', { on: 'read', code: 'EIO' })]
  const openFails = [entry(0, 'disk-error', { on: 'open', code: 'EIO' })]

  test.each([
    ['one directory', '/first', ['first/a/0.log'], ['first-2/0.log', 'firs/0.log', 'second/0.log']],
    ['one with a slash at its end', '/first/', ['first/a/0.log'], ['first-2/0.log']],
    ['several', '/first/ , /second//,', ['first/0.log', 'second/a/0.log'], ['first-2/0.log', 'secondary/0.log']],
  ])('breaks what is in %s, and nothing beside', (_, list, inside, outside) => {
    const data = list.replace(/\/(first|second)/g, `${folder}/$1`)
    const files = [...inside, ...outside].map(file => path.join(folder, file))
    for (const file of files) {
      mkdirSync(path.dirname(file), { recursive: true })
      writeFileSync(file, 'content')
    }
    for (const rules of [readFails, openFails])
      expect(files.map(file => run(rules, data, 'cat', file).replace(/^.*: /s, ''))).toEqual([
        ...inside.map(() => 'Input/output error\n'),
        ...outside.map(() => 'content'),
      ])
  })

  test('breaks what is reached through a symbolic link, under the name that Kafka has for it', () => {
    const [real, link] = [path.join(folder, 'disk'), path.join(folder, 'linked')]
    mkdirSync(real)
    symlinkSync(real, link)
    writeFileSync(path.join(link, 'a.log'), 'content')
    const failing = (file: string) => [entry(0, 'disk-error', { on: 'read', code: 'EIO', path: `^${file}$` })]
    const said = (rules: readonly RuleEntry[]) => run(rules, link, 'cat', path.join(link, 'a.log'))
    expect(said(failing(path.join(link, 'a.log')))).toMatch(/Input\/output error\n$/)
    expect(said(failing(path.join(real, 'a.log')))).toBe('content')
  })

  test('tells what each fault of the clock made of the time, apart from the others', () => {
    const hour = 3_600_000
    const faults = [
      entry(2, 'clock-jump', { offset: 2 * hour }),
      entry(5, 'clock-drift', { rate: 100 }),
      entry(7, 'clock-strobe', { offset: -hour, period: 10_000_000 }),
      entry(9, 'slow-disk', { delay: 1 }),
    ]
    const [jump, drift, strobe, disk] = faults as [RuleEntry, RuleEntry, RuleEntry, RuleEntry]
    const told = (): number => Number(run(faults, folder, 'date', '+%s%3N'))
    const ahead = (): number => told() - Date.now()
    // The drift begins with it.
    const first = ahead()
    expect(Math.round(first / hour)).toBe(1)
    const { offsetMs, sinceMs } = state().clockOf(drift)!
    expect(offsetMs).toBe(Math.floor(sinceMs / 10))
    expect([jump, strobe].map(each => state().clockOf(each)?.offsetMs)).toEqual([2 * hour, -hour])
    expect(state().clockOf(disk)).toBeUndefined()
    expect(state().clockOf({ slot: 2, born: 99 })).toBeUndefined()
  })
})
