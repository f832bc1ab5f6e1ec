/** Commands for all nodes of a cluster none of which runs: what does nothing does not say that it was done. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { faultlineEngine } from '#scripts/cluster/process/faultline-engine.ts'
import { Session } from '#scripts/commands/session.ts'
import { program } from '#scripts/main.ts'
import { Output } from '#scripts/output.ts'
import { ClusterHome } from './cluster-home.ts'

const home = new ClusterHome('faultline-nothing-')
beforeAll(async () => void (await home.record({ name: 'idle', faults: true })))
afterAll(() => home.remove())

class Heard extends Output {
  readonly said: string[] = []
  override readonly progress = (message: string): void => void this.said.push(message)

  override note(message: string): void {
    this.said.push(message)
  }

  override result(): void {}
}

async function run(...args: string[]): Promise<readonly string[]> {
  const output = new Heard(true)
  try {
    await program(new Session(true, output)).parseAsync([...args, '--name', 'idle'], { from: 'user' })
  } catch (error) {
    throw Object.assign(error as Error, { said: output.said })
  }
  return output.said
}

test.each([
  ['slow-disk', ['fault', 'add', 'slow-disk', 'all', '--delay', '5']],
  ['rolling-restart', ['fault', 'add', 'rolling-restart', 'all']],
  ['rolling-upgrade', ['fault', 'add', 'rolling-upgrade', 'all', '--program', '/tmp']],
  ['kill', ['fault', 'add', 'kill', 'all']],
  ['kill', ['kill', 'all']],
  ['stop', ['stop', 'all']],
])('%s of all where none is up is a failure', async (called, args) => {
  await expect(run(...args)).rejects.toMatchObject({
    message: `${called}: no node of idle is in a state for it, so nothing was done.`,
    exitCode: 1,
    said: [1, 2, 3].map(id => `${called}: node ${id} is left out, it is stopped`),
  })
})

test('resume of all where none is frozen is content', async () => {
  expect(await run('resume', 'all')).toContain('resume: there is no node to resume')
})

test('the program of another version is a file', () => {
  expect(() => faultlineEngine.inVersion('/tmp')).toThrow('/tmp is not a file.')
  expect(() => faultlineEngine.inVersion('/tmp/none/such')).toThrow('There is no file /tmp/none/such.')
})
