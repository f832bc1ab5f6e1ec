/** Completion of the command line: the scripts are run by the shells that they are for, where these are there. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { completionScript } from '#scripts/commands/completion.ts'
import { Session } from '#scripts/commands/session.ts'
import { program } from '#scripts/main.ts'

const root = program(new Session(false))

/** What bash offers after these words, the last of which is being typed. */
function offered(...words: string[]): string[] {
  const line = ['faultline', ...words].map(word => `'${word}'`).join(' ')
  const script = `${completionScript(root, 'bash')}
COMP_WORDS=(${line}); COMP_CWORD=${words.length}; _faultline; printf '%s\\n' "\${COMPREPLY[@]}"`
  return execFileSync('bash', ['-c', script], { encoding: 'utf8' })
    .split('\n')
    .filter(word => word !== '')
}

describe('completion', () => {
  test('offers commands, their own commands and their options', () => {
    expect(offered('')).toEqual(expect.arrayContaining(['up', 'down', 'fault', 'lab', 'completion']))
    expect(offered('pa')).toEqual(['pause'])
    expect(offered('fault', '')).toEqual(expect.arrayContaining(['add', 'list', 'heal']))
    expect(offered('up', '--top')).toEqual(['--topology'])
    expect(offered('fault', 'add', 'latency', '--fr')).toEqual(['--from'])
    expect(offered('up', '--topology', 'package-l')).toEqual(['package-lock.json'])
  })

  test('offers what an option or an argument may be', () => {
    expect(offered('sca')).toEqual(['scale'])
    expect(offered('scale', '--b')).toEqual(['--by'])
    expect(offered('fault', 'add', 'slow-d')).toEqual(['slow-disk'])
    expect(offered('up', '--runtime', '')).toEqual(['process', 'compose', 'simulated'])
    expect(offered('up', '--engine', 'red')).toEqual(['redpanda'])
    expect(offered('completion', 'z')).toEqual(['zsh'])
  })

  test('offers the clusters that there are', () => {
    const home = mkdtempSync(path.join(tmpdir(), 'faultline-completion-'))
    process.env['FAULTLINE_HOME'] = home
    try {
      for (const name of ['first', 'second', 'empty']) mkdirSync(path.join(home, name))
      for (const name of ['first', 'second']) writeFileSync(path.join(home, name, 'cluster.json'), '{}')
      expect(offered('down', '--name', '')).toEqual(['first', 'second'])
    } finally {
      delete process.env['FAULTLINE_HOME']
      rmSync(home, { recursive: true })
    }
  })

  test('is the same for zsh, by its completion of bash', () => {
    expect(completionScript(root, 'zsh')).toContain('bashcompinit')
    expect(completionScript(root, 'zsh')).toContain(completionScript(root, 'bash'))
  })

  test('knows for fish every command and option, with what it is for', () => {
    const script = completionScript(root, 'fish')
    expect(script).toContain("-n '__fish_use_subcommand' -a up -d 'start a cluster;")
    expect(script).toContain("-n '__fish_seen_subcommand_from fault; and __fish_seen_subcommand_from add' -l from -r")
    expect(script).toContain("-l runtime -x -a 'process compose simulated'")
    expect(script).toContain("-l name -x -a '(__faultline_clusters)'")
    expect(script).toContain(' -a slow-disk -d ')
  })

  test('refuses a shell that it does not know', () => {
    expect(() => completionScript(root, 'cmd')).toThrow('completion cmd: expected one of bash, zsh, fish.')
  })
})
