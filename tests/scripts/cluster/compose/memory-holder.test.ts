/** How the memory is counted that a process beside Apache Kafka holds. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { residentOf } from '#scripts/cluster/compose/memory-holder.ts'
import { describeWith } from '../../../machine.ts'

describeWith(['proc'], 'the memory of a group of processes', () => {
  test.each([4_096, 16_384, 65_536])('is counted in pages of %i bytes where the machine has such', async bytes => {
    const folder = mkdtempSync(path.join(tmpdir(), 'faultline-memory-'))
    const holder = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' })
    onTestFinished(async () => {
      holder.kill()
      await once(holder, 'exit')
      rmSync(folder, { recursive: true, force: true })
    })
    await once(holder, 'spawn')
    const [file, getconf] = [path.join(folder, 'memory.pid'), path.join(folder, 'getconf')]
    writeFileSync(file, `${holder.pid}\n`)
    writeFileSync(getconf, `#!/bin/sh\n[ "$1" = PAGESIZE ] && echo ${bytes}\n`)
    chmodSync(getconf, 0o755)
    const env = { PATH: `${folder}:${process.env['PATH']}`, LC_ALL: 'C' }
    const pages = (): number => Number(readFileSync(`/proc/${holder.pid}/stat`, 'utf8').split(') ')[1]!.split(' ')[21])
    // Pages come while it starts.
    const difference = (): number | undefined => {
      const before = pages()
      const kib = Number(execFileSync('sh', ['-c', residentOf(file)], { env, encoding: 'utf8' }))
      return pages() === before && before > 0 ? kib - (before * bytes) / 1_024 : undefined
    }
    await expect.poll(difference, { timeout: 120_000 }).toBe(0)
  })
})
