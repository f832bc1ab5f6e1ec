/** What an interrupted command says of what it did. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ownProcess } from '#scripts/cluster/lifecycle.ts'
import { clusterSpec } from '#scripts/cluster/spec.ts'
import { nodeDirectory, writeRecord } from '#scripts/cluster/state.ts'
import { Session } from '#scripts/commands/session.ts'
import { LeftAsItIs, messageOf } from '#scripts/errors.ts'
import { explain, program } from '#scripts/main.ts'
import { Output } from '#scripts/output.ts'
import { takingBack } from '#scripts/settle.ts'

const home = mkdtempSync(path.join(tmpdir(), 'faultline-interrupted-'))
beforeAll(async () => {
  process.env['FAULTLINE_HOME'] = home
  const spec = clusterSpec({ runtime: 'process', name: 'idle', brokers: 3 })
  for (const id of [1, 2, 3]) mkdirSync(nodeDirectory('idle', id), { recursive: true })
  const owner = await ownProcess()
  writeRecord({ version: 1, spec, clusterId: 'AAAAAAAAAAAAAAAAAAAAAA', phase: 'up', owner, foreignData: [] })
})
afterAll(() => {
  delete process.env['FAULTLINE_HOME']
  rmSync(home, { recursive: true, force: true })
})

class Heard extends Output {
  readonly notes: string[] = []
  override readonly progress = (): void => undefined

  override note(message: string): void {
    this.notes.push(message)
  }

  override error(error: unknown): void {
    this.notes.push(`error: ${messageOf(error)}`)
  }
}

const reason = new Error('interrupted by SIGINT')

class Interrupted extends Session {
  override interruptedBy: NodeJS.Signals = 'SIGINT'

  override get signal(): AbortSignal {
    return AbortSignal.abort(reason)
  }
}

test('nodes that a restart did not come to are named, and nothing is said to be taken away', async () => {
  const output = new Heard(false)
  const session = new Interrupted(false, output)
  const restarted = program(session).parseAsync(['restart', '1', '3', '--name', 'idle'], { from: 'user' })
  const error: unknown = await restarted.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(explain(error, session)).toBe(130)
  expect(output.notes.at(-1)).toBe('Interrupted (SIGINT): restart of node 1, 3 was not done.')
})

test('an ending in words stands in place of the taking away', () => {
  const output = new Heard(false)
  const session = new Interrupted(false, output)
  explain(new LeftAsItIs('node 1 is as before', reason), session)
  explain(reason, session)
  session.wasLeft = true
  explain(reason, session)
  expect(output.notes).toEqual([
    'Interrupted (SIGINT): node 1 is as before.',
    'Interrupted (SIGINT); what was started has been taken away.',
    'Interrupted (SIGINT).',
  ])
})

test('what could not be taken back is an error', async () => {
  const output = new Heard(false)
  explain(await takingBack(reason, () => Promise.reject(new Error('no disk'))), new Interrupted(false, output))
  expect(output.notes).toEqual([
    'Interrupted (SIGINT).',
    'error: interrupted by SIGINT\nIt could not be taken back: no disk',
  ])
})
