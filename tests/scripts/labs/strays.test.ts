/** A script that goes wrong beside what it awaits, or never ends: its variant is unknown, with the reason, and the next one runs. */
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { allChecks } from '#scripts/checkers/check.ts'
import { simulatedRuntime } from '#scripts/cluster/simulated/runtime.ts'
import { projectRoot } from '#scripts/cluster/state.ts'
import { runLab } from '#scripts/labs/run.ts'
import type { Script } from '#scripts/labs/script.ts'
import { scriptLimits, Strays } from '#scripts/labs/strays.ts'
import { smallLab } from './small-lab.ts'

const quiet: Script = async run => await run.acknowledged(1)

async function troubleOf(script: Script, limits = scriptLimits, signal?: AbortSignal): Promise<string | undefined> {
  const main = { script, checks: allChecks }
  const lab = smallLab(main, { script: quiet, checks: allChecks, expect: ['lost-write'] })
  const options = { runtime: simulatedRuntime, engine: 'faultline', seed: 1, variants: ['main'] } as const
  const { verdict, variants } = await runLab(lab, { ...options, limits, signal })
  expect(verdict).toBe('unknown')
  return variants[0]?.trouble
}

test.each([
  [
    'an error in a timer',
    () =>
      void setTimeout(() => {
        throw new Error('from a timer')
      }, 1),
    'from a timer',
  ],
  ['a rejection that nobody handles', () => void Promise.reject(new Error('left alone')), 'left alone'],
  ['an end of the process', () => process.exit(0), 'process.exit(0) was called'],
  [
    'one that it catches',
    () => {
      try {
        process.exit(3)
      } catch {
        /* as if nothing were */
      }
    },
    'process.exit(3) was called',
  ],
])('%s is the end of the script', async (_, act, text) => {
  const trouble = await troubleOf(async run => {
    await run.acknowledged(5)
    act()
    await run.acknowledged(200)
  })
  expect(trouble).toBe(`the script: ${text}`)
})

test('an error of a node is no error of the script, and nothing is taken when none runs', async () => {
  const strays = new Strays({ hasNodes: true })
  const ofNode = new Error('in a node')
  ofNode.stack = `Error: in a node\n    at append (${pathToFileURL(projectRoot).href}/broker/log/log.ts:1:2)`
  expect(strays.take(new Error('nobody'))).toBe(false)
  let taken: boolean | undefined
  await strays.during(() => {
    taken = strays.take(ofNode)
    return Promise.resolve()
  }, {})
  expect(taken).toBe(false)
  strays.close()
  expect(strays.take(new Error('nobody'))).toBe(false)
})

test('where no node lives in this process, code that scripts share with nodes is theirs', async () => {
  const strays = new Strays({ hasNodes: false })
  const ofDecoder = new Error('in a decoder')
  ofDecoder.stack = `Error: in a decoder\n    at decode (${pathToFileURL(projectRoot).href}/broker/protocol/codec.ts:1:2)`
  const script = async () => {
    expect(strays.take(ofDecoder)).toBe(true)
    await new Promise(() => undefined)
  }
  await expect(strays.during(script, {})).rejects.toBe(ofDecoder)
  strays.close()
})

test('an error in the last moment of a script, and more than one, are not lost', async () => {
  const strays = new Strays({ hasNodes: false })
  const [first, second, own] = ['first', 'second', 'own'].map(text => new Error(text))
  const endsWith = (...errors: unknown[]) =>
    strays.during(() => {
      for (const error of errors) strays.take(error)
      return Promise.resolve()
    }, {})
  await expect(endsWith(first)).rejects.toBe(first)
  expect(strays.leftBehind()).toEqual([])
  await expect(endsWith(first, second)).rejects.toBe(first)
  expect(strays.leftBehind()).toEqual([second])
  const throwing = strays.during(() => {
    strays.take(first)
    return Promise.reject(own)
  }, {})
  await expect(throwing).rejects.toBe(own)
  expect(strays.leftBehind()).toEqual([first])
  strays.close()
})

test('one that was interrupted before it began is over', async () => {
  const strays = new Strays({ hasNodes: false })
  const signal = AbortSignal.abort(new Error('too late'))
  await expect(strays.during(async () => await new Promise(() => undefined), { signal })).rejects.toThrow('too late')
  strays.close()
})

test('what a script leaves is trouble of whatever runs then, and its listener goes with the cluster', async () => {
  const listeners = process.listenerCount('uncaughtException')
  const trouble = await troubleOf(run => {
    setTimeout(() => {
      throw new Error('from what was left')
    }, 10)
    return Promise.resolve(void run)
  })
  expect(trouble).toBe('what a script had left: from what was left')
  expect(process.listenerCount('uncaughtException')).toBe(listeners)
})

test('a script that never ends is ended by a limit of virtual time, and one of real time', async () => {
  const endless: Script = async run => {
    for (;;) await run.acknowledged(1)
  }
  expect(await troubleOf(endless, { ...scriptLimits, virtualMs: 2_000 })).toBe(
    'the script: it has not ended in 2 s of virtual time',
  )
  expect(await troubleOf(endless, { ...scriptLimits, realMs: 500 })).toBe(
    'the script: it has not ended in 0.5 s of real time',
  )
})

test('a script that never ends is interrupted on a simulator too', async () => {
  const stopping = new AbortController()
  const script: Script = async run => {
    await run.acknowledged(5)
    stopping.abort(new Error('enough'))
    for (;;) await run.acknowledged(1)
  }
  await expect(troubleOf(script, scriptLimits, stopping.signal)).rejects.toThrow('enough')
})
