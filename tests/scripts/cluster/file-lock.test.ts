/** Commands that change the same thing, as processes of their own. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { inTurnOfFile } from '#scripts/cluster/file-lock.ts'
import { projectRoot, writeJson } from '#scripts/cluster/state.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'faultline-turns-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** Adds one to a number in a file, and gives others a chance between reading and writing. */
const program = `
  import { readFileSync, writeFileSync } from 'node:fs'
  import { setTimeout } from 'node:timers/promises'
  import { inTurnOfFile } from '#scripts/cluster/file-lock.ts'
  const [folder] = process.argv.slice(-1)
  for (let round = 0; round < 20; round++)
    await inTurnOfFile(folder + '/lock', async () => {
      const count = Number(readFileSync(folder + '/count', 'utf8'))
      await setTimeout(1)
      writeFileSync(folder + '/count', String(count + 1))
    })
`

/** As on a file system without links. */
const withoutLinks = `
  import fs from 'node:fs'
  import { syncBuiltinESMExports } from 'node:module'
  fs.linkSync = () => {
    throw Object.assign(new Error('EPERM: operation not permitted, link'), { code: 'EPERM' })
  }
  syncBuiltinESMExports()
`

test.each([
  ['', ''],
  [', without links, too', withoutLinks],
])('each has its turn, and what another has written is there%s', async (_, before) => {
  writeFileSync(path.join(folder, 'count'), '0')
  const commands = Array.from({ length: 3 }, () =>
    spawn(process.execPath, ['--input-type=module-typescript', '-e', before + program, folder], {
      cwd: projectRoot,
      stdio: ['ignore', 'inherit', 'inherit'],
    }),
  )
  const ended = await Promise.all(commands.map(command => once(command, 'exit')))
  expect(ended.map(([code]) => code as unknown)).toEqual([0, 0, 0])
  expect(readFileSync(path.join(folder, 'count'), 'utf8')).toBe('60')
  expect(readdirSync(folder)).toEqual(['count'])
})

test('a file that does not say yet whose it is is somebody’s', async () => {
  const lock = path.join(folder, 'lock')
  writeFileSync(lock, '')
  const refused = inTurnOfFile(
    lock,
    () => Promise.resolve(),
    pid => new Error(`process ${pid} has it`),
  )
  await expect(refused).rejects.toThrow('process undefined has it')
  expect(readdirSync(folder)).toEqual(['lock'])
})

/** Takes turns; whenever nobody has one, somebody takes it and is killed at once. */
const amongDead = `
  import { linkSync, rmSync, writeFileSync } from 'node:fs'
  import { setImmediate } from 'node:timers/promises'
  import { inTurnOfFile } from '#scripts/cluster/file-lock.ts'
  const [folder] = process.argv.slice(-1)
  for (let round = 0; round < 200; round++) {
    await inTurnOfFile(folder + '/lock', async () => {
      writeFileSync(folder + '/inside', '', { flag: 'wx' })
      for (let turn = 0; turn < 3; turn++) await setImmediate()
      rmSync(folder + '/inside')
    })
    for (const turn of [round + '-1', round + '-2', round + '-3']) {
      const dead = folder + '/dead-' + process.pid
      writeFileSync(dead, JSON.stringify({ pid: process.pid, identity: 'of an earlier process', turn }))
      try {
        linkSync(dead, folder + '/lock')
      } catch (error) {
        if (error.code !== 'EEXIST') throw error
      }
      rmSync(dead)
    }
  }
`

test('of many who find one that was killed in its turn, one has the next', async () => {
  const commands = Array.from({ length: 8 }, () =>
    spawn(process.execPath, ['--input-type=module-typescript', '-e', amongDead, folder], {
      cwd: projectRoot,
      stdio: ['ignore', 'inherit', 'inherit'],
    }),
  )
  const ended = await Promise.all(commands.map(command => once(command, 'exit')))
  expect(ended.map(([code]) => code as unknown)).toEqual(commands.map(() => 0))
  await inTurnOfFile(path.join(folder, 'lock'), () => Promise.resolve())
  expect(readdirSync(folder)).toEqual([])
})

test('a turn whose file is gone ends as any other, and takes nobody else his', async () => {
  const lock = path.join(folder, 'lock')
  const text = JSON.stringify({ pid: 1, identity: 'of somebody else', turn: '' })
  expect(
    await inTurnOfFile(lock, async () => {
      rmSync(lock)
      writeFileSync(lock, text)
      return await Promise.resolve('done')
    }),
  ).toBe('done')
  expect(readFileSync(lock, 'utf8')).toBe(text)
})

test('a command that was killed in its turn does not keep others from theirs', async () => {
  const lock = path.join(folder, 'lock')
  writeJson(lock, { pid: process.pid, identity: 'of an earlier process with this number' })
  const turns = await Promise.all([1, 2, 3].map(turn => inTurnOfFile(lock, () => Promise.resolve(turn))))
  expect(turns).toEqual([1, 2, 3])
  expect(readdirSync(folder)).toEqual([])
})

test('work that fails ends its turn, and says why', async () => {
  const lock = path.join(folder, 'lock')
  await expect(inTurnOfFile(lock, () => Promise.reject(new Error('no rules')))).rejects.toThrow('no rules')
  expect(await inTurnOfFile(lock, () => Promise.resolve('next'))).toBe('next')
})
