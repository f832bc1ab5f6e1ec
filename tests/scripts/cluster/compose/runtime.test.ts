/** An `up` that is cut off while Compose makes containers, with an engine that can or cannot take them away again. */
import { existsSync, mkdirSync } from 'node:fs'
import path from 'node:path'
import { expect, test, vi } from 'vitest'
import { clusterSpec } from '#scripts/cluster/spec.ts'
import { NotTakenBack } from '#scripts/settle.ts'
import { useStateFolder } from '../written-cluster.ts'

/** What Compose was asked for, and what it answers to its end. */
const engine = vi.hoisted(() => ({ asked: [] as string[], goneWrong: undefined as Error | undefined }))
const interrupted = new Error('interrupted')

vi.mock(import('#scripts/cluster/compose/docker.ts'), async original => ({
  ...(await original()),
  dockerAvailable: () => Promise.resolve({ available: true }),
  ensureImage: () => Promise.resolve(),
  runDocker(words: readonly string[]) {
    const verb = words.find(word => ['up', 'down', 'rm'].includes(word))!
    engine.asked.push(verb)
    if (verb === 'up') return Promise.reject(interrupted)
    return engine.goneWrong === undefined ? Promise.resolve() : Promise.reject(engine.goneWrong)
  },
}))

vi.mock(import('#scripts/cluster/compose/sweep.ts'), async original => ({
  ...(await original()),
  sweepProject: () => Promise.resolve(),
}))

const { composeRuntime } = await import('#scripts/cluster/compose/runtime.ts')

const name = 'cut-off'
const home = useStateFolder(name)
const hasState = () => existsSync(path.join(home(), name, 'compose.yaml'))

async function failureOfUp(goneWrong: Error | undefined): Promise<unknown> {
  engine.asked.length = 0
  engine.goneWrong = goneWrong
  return await composeRuntime.up(clusterSpec({ name, runtime: 'compose', port: 0 })).then(
    () => expect.fail('it is up'),
    (error: unknown) => error,
  )
}

test('what was made is taken away, and the error is what it was', async () => {
  expect(await failureOfUp(undefined)).toBe(interrupted)
  expect(engine.asked).toEqual(['up', 'down'])
  expect(hasState()).toBe(false)
  // The folder of clusters has gone with the last of them, and is the test's.
  mkdirSync(home())
})

test('what cannot be taken away is said to be there still, and is found by its files', async () => {
  const error = await failureOfUp(new Error('no engine answers'))
  expect(error).toBeInstanceOf(NotTakenBack)
  expect(error).toMatchObject({
    message: 'interrupted\nIt could not be taken back: no engine answers',
    cause: interrupted,
  })
  expect(hasState()).toBe(true)
})
