/** What a cut-off command leaves of a fault that a process of the toolkit carries out, and that healing finds all of it. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { conditionOf, identify } from '#scripts/cluster/process/liveness.ts'
import { stateDirectory } from '#scripts/cluster/state.ts'
import {
  faultRecords,
  readFaultProgress,
  removeFaultRecord,
  writeFaultProgress,
  writeFaultRecord,
  type FaultRecord,
} from '#scripts/faults/records.ts'
import { endRecordedFault } from '#scripts/faults/restart-loop.ts'

const record: FaultRecord = {
  id: 'restart-loop-2',
  nonce: 'the first',
  kind: 'restart-loop',
  node: 2,
  summary: 'node 2 is killed again and again',
  parameters: { up: 60_000, down: 0 },
}
let home: string
const earlier = process.env['FAULTLINE_HOME']
beforeEach(() => {
  home = mkdtempSync(path.join(tmpdir(), 'faultline-records-'))
  process.env['FAULTLINE_HOME'] = home
})
afterEach(() => {
  if (earlier === undefined) delete process.env['FAULTLINE_HOME']
  else process.env['FAULTLINE_HOME'] = earlier
  rmSync(home, { recursive: true, force: true })
})

const left = () => readdirSync(path.join(stateDirectory('c'), 'faults'))

test('an order without a process is found and taken away', async () => {
  writeFaultRecord('c', record)
  expect(faultRecords('c')).toEqual([record])
  await endRecordedFault('c', record.id)
  expect(faultRecords('c')).toEqual([])
  expect(left()).toEqual([])
})

test('the process that carries it out ends with its order, and cannot bring it back', async () => {
  writeFaultRecord('c', record)
  const main = path.join(import.meta.dirname, '../../../scripts/faults/restart-loop-main.ts')
  const child = spawn(process.execPath, [main, 'c', record.id, record.nonce], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const ended = new Promise<number | null>(resolve => {
    child.once('exit', resolve)
  })
  await expect.poll(() => readFaultProgress('c', record.id), { timeout: 120_000 }).toMatchObject({ hits: 0 })
  const handle = readFaultProgress('c', record.id)!.process
  expect(handle.pid).toBe(child.pid)
  // Before its first step: it has no cluster to act on, and would fail.
  await endRecordedFault('c', record.id)
  expect(await conditionOf(handle)).toBe('gone')
  expect(await ended).toBe(0)
  expect(left()).toEqual([])
})

test('the process that carries it out ends also when the next order of the same kind is there before it looks', async () => {
  writeFaultRecord('c', { ...record, parameters: { up: 60_000, down: 0 } })
  const main = path.join(import.meta.dirname, '../../../scripts/faults/restart-loop-main.ts')
  const child = spawn(process.execPath, [main, 'c', record.id, record.nonce], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const ended = new Promise<number | null>(resolve => {
    child.once('exit', resolve)
  })
  await expect.poll(() => readFaultProgress('c', record.id), { timeout: 120_000 }).toMatchObject({ hits: 0 })
  const next = { ...record, nonce: 'the second' }
  const handle = await identify(process.pid)
  writeFaultProgress('c', record.id, { process: handle!, hits: 3 })
  writeFaultRecord('c', next)
  expect(await ended).toBe(0)
  expect(faultRecords('c')).toEqual([next])
  expect(readFaultProgress('c', record.id)).toEqual({ process: handle, hits: 3 })
})

test('a process that died leaves an order that can be taken away', async () => {
  writeFaultRecord('c', record)
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
  const handle = await identify(child.pid ?? 0)
  writeFaultProgress('c', record.id, { process: handle!, hits: 4 })
  child.kill('SIGKILL')
  await endRecordedFault('c', record.id)
  expect(left()).toEqual([])
})

test('what was taken away is no error', () => {
  removeFaultRecord('c', 'never-there')
  expect(faultRecords('c')).toEqual([])
})
