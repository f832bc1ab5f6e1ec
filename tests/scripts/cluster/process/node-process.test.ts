/** A node as a process: what its log says of which start. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { NodeProcess } from '#scripts/cluster/process/node-process.ts'
import { eventually } from '#tests/conformance/harness.ts'

test('the lines of an earlier start are none of this one', async () => {
  const home = mkdtempSync(path.join(tmpdir(), 'faultline-process-'))
  process.env['FAULTLINE_HOME'] = home
  const node = new NodeProcess('a', 1)
  mkdirSync(node.directory, { recursive: true })
  onTestFinished(async () => {
    await node.end()
    delete process.env['FAULTLINE_HOME']
    rmSync(home, { recursive: true, force: true })
  })
  const run = async (line: string): Promise<void> => {
    const script = `console.error(${JSON.stringify(line)}); setInterval(() => {}, 1e6)`
    await node.start({ command: process.execPath, args: ['-e', script], environment: {} }, { tied: false })
    await eventually(`the line "${line}"`, async () => ((await node.tail(1)) === `${line}\n` ? true : undefined))
  }
  await run('first')
  expect(await node.tailOfStart(10)).toBe('first\n')
  // What is wanted of it is written down again; where its log begins is kept.
  await node.kill()
  expect(await node.tailOfStart(10)).toBe('first\n')
  await run('second')
  expect([await node.tailOfStart(10), await node.tail(10)]).toEqual(['second\n', 'first\nsecond\n'])
})
