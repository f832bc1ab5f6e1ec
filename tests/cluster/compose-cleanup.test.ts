/** Commands on containers that are cut off, by Ctrl-C or for good, at moments that chance picks: nothing is left behind, or `down` finds it. */
import { randomInt } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ensureImage } from '#scripts/cluster/compose/docker.ts'
import { seededRandom } from '#scripts/cluster/random.ts'
import { describeWith } from '../machine.ts'
import { leftOf } from './containers.ts'
import { freePort, Toolkit } from './faultline-command.ts'

const seed = Number(process.env['SEED'] ?? randomInt(1_000_000))
const random = seededRandom(seed)

describeWith(['docker'], 'a command on containers that is cut off', () => {
  const toolkit = new Toolkit()
  const cluster = `cut-${process.pid}`
  const name = ['--name', cluster]
  let port = ''
  const shape = () => ['--runtime', 'compose', '--brokers', '1', '--faults', '--proxy', '--port', port]
  beforeAll(async () => {
    await ensureImage(() => {}, undefined)
    port = await freePort({ proxy: true })
  })
  afterAll(() => toolkit.remove())

  /** The command gets the signal within so many ms, or has ended by then. */
  async function cutOff(signal: 'SIGINT' | 'SIGKILL', withinMs: number, ...words: string[]) {
    const momentMs = random.below(withinMs)
    const command = toolkit.start(...words, ...name)
    await Promise.race([command, delay(momentMs)])
    command.kill(signal)
    const { exitCode, signal: endedBy, stderr } = await command
    return { ok: exitCode === 0, how: { seed, signal, momentMs, exitCode, endedBy, stderr } }
  }

  test.each([0, 1, 2])('up, by Ctrl-C, leaves nothing, attempt %i', async () => {
    const { ok, how } = await cutOff('SIGINT', 4_000, 'up', ...shape())
    // It was too late for the signal.
    if (ok) await toolkit.run('down', ...name)
    expect({ ...how, left: await leftOf(cluster), isEmpty: toolkit.isEmpty }).toMatchObject({ left: [], isEmpty: true })
  })

  test.each([0, 1])('up, killed, leaves what down takes away, attempt %i', async () => {
    const { how } = await cutOff('SIGKILL', 4_000, 'up', ...shape())
    // Before it had begun, there is nothing to take away.
    if (!toolkit.isEmpty) await toolkit.run('down', ...name)
    expect({ ...how, left: await leftOf(cluster), isEmpty: toolkit.isEmpty }).toMatchObject({ left: [], isEmpty: true })
  })

  test('fault add, killed, leaves what heal finds; and down, killed, what the next one takes away', async () => {
    await toolkit.run('up', ...name, ...shape())
    for (const words of [
      ['slow-disk', '1', '--delay', '50'],
      ['latency', '--from', 'client', '--to', '1', '--delay', '50'],
    ]) {
      const { how } = await cutOff('SIGKILL', 1_500, 'fault', 'add', ...words)
      await toolkit.run('fault', 'heal', '--all', ...name)
      const { stdout } = await toolkit.run('fault', 'list', ...name, '--json')
      expect({ ...how, faults: JSON.parse(stdout) as unknown }).toMatchObject({ faults: [] })
    }
    const { how } = await cutOff('SIGKILL', 2_000, 'down')
    if (!toolkit.isEmpty) await toolkit.run('down', ...name)
    expect({ ...how, left: await leftOf(cluster), isEmpty: toolkit.isEmpty }).toMatchObject({ left: [], isEmpty: true })
  })
})
