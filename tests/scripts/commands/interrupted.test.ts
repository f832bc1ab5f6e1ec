/** What an interrupted command says of what it did. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Session } from '#scripts/commands/session.ts'
import { LeftAsItIs, messageOf } from '#scripts/errors.ts'
import { explain, program } from '#scripts/main.ts'
import { Output } from '#scripts/output.ts'
import { takingBack } from '#scripts/settle.ts'
import { ClusterHome } from './cluster-home.ts'

const home = new ClusterHome('faultline-interrupted-')
beforeAll(async () => void (await home.record({ name: 'idle', brokers: 3 })))
afterAll(() => home.remove())

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
