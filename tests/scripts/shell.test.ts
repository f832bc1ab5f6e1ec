import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { commandNotFound, sh } from '#scripts/shell.ts'

test('what is interpolated reaches the command as it is', async () => {
  const odd = ['a b', '$HOME', '*', "it's", '']
  const { ok, stdout } = await sh()`printf ${'<%s>'} ${odd}`
  expect({ ok, stdout }).toEqual({ ok: true, stdout: "<a b><$HOME><*><it's><>" })
})

test('a command that fails is a value with its exit code and all it said', async () => {
  const { ok, exitCode, stdall } = await sh()`echo one; echo two >&2; exit 3`
  expect({ ok, exitCode, said: stdall.split('\n').toSorted() }).toEqual({
    ok: false,
    exitCode: 3,
    said: ['', 'one', 'two'],
  })
})

test('a command that is not there is told from one that fails', async () => {
  expect((await sh()`no-such-command-anywhere -version`).exitCode).toBe(commandNotFound)
})

test('the folder and the variables are those asked for, beside our own', async () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'faultline-shell-')))
  try {
    const { stdout } = await sh({
      cwd: folder,
      env: { FAULTLINE_ODD: '1 2' },
    })`pwd; echo "$FAULTLINE_ODD"; echo "$PATH"`
    expect(stdout.trimEnd().split('\n')).toEqual([folder, '1 2', process.env['PATH']])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('an aborted command ends, with what it started', async () => {
  const abort = new AbortController()
  const running = sh({ signal: abort.signal })`echo begun; sleep 600 & wait`
  for await (const chunk of running.stdout) if (String(chunk).includes('begun')) break
  abort.abort()
  expect(await running).toMatchObject({ ok: false, signal: 'SIGTERM' })
})
