import { spawn, type ChildProcess } from 'node:child_process'
import { afterEach, describe, expect, test } from 'vitest'
import { conditionOf, identify, signalProcess, waitFor } from '#scripts/cluster/process/liveness.ts'

const children: ChildProcess[] = []
afterEach(() => children.splice(0).forEach(child => child.kill('SIGKILL')))

async function sleeper() {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
  children.push(child)
  const handle = child.pid === undefined ? undefined : await identify(child.pid)
  if (handle === undefined) throw new Error('the child is not there')
  return handle
}

describe('a process that was started earlier', () => {
  test('is running, then paused, then gone', async () => {
    const handle = await sleeper()
    expect(await conditionOf(handle)).toBe('running')
    expect(await signalProcess(handle, 'SIGSTOP')).toBe(true)
    expect(await waitFor(handle, 'paused', 60_000)).toBe(true)
    await signalProcess(handle, 'SIGKILL')
    expect(await waitFor(handle, 'gone', 60_000)).toBe(true)
    expect(await conditionOf(handle)).toBe('gone')
  })

  test('is not taken for another one with the same number, and that one is never signalled', async () => {
    const handle = await sleeper()
    const earlier = { ...handle, identity: `${handle.identity}0` }
    expect(await conditionOf(earlier)).toBe('gone')
    expect(await signalProcess(earlier, 'SIGKILL')).toBe(false)
    expect(await conditionOf(handle)).toBe('running')
  })

  test('that never was is nobody', async () => {
    expect(await identify(2 ** 22 + 1)).toBeUndefined()
  })
})
