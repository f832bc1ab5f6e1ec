import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { processRuntime } from '#scripts/cluster/process/runtime.ts'
import { clusterSpec } from '#scripts/cluster/spec.ts'
import { keepStateIn } from '#scripts/cluster/state.ts'

test('a cluster that does not fit into memory is refused before anything is started, with how many would', async () => {
  const home = path.join(mkdtempSync(path.join(tmpdir(), 'faultline-memory-')), 'state')
  onTestFinished(() => rmSync(path.dirname(home), { recursive: true, force: true }))
  keepStateIn(home, 'large')
  vi.spyOn(process, 'availableMemory').mockReturnValue(200 * 2 ** 20)
  await expect(processRuntime.up(clusterSpec({ name: 'large', runtime: 'process' }))).rejects.toMatchObject({
    message: 'Too little memory: 3 nodes of faultline need about 240 MiB, 200 MiB are free.',
    remedy: 'Start fewer nodes (--brokers 2) or close something.',
    exitCode: 3,
  })
  expect(existsSync(home)).toBe(false)
})
