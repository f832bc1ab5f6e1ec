/** A node as a process: what its log says of which start, and that it is one. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { NodeProcess } from '#scripts/cluster/process/node-process.ts'
import { eventually } from '#tests/conformance/harness.ts'

/** In a folder of its own, and ended with the test. */
function freshNode(): NodeProcess {
  const home = mkdtempSync(path.join(tmpdir(), 'faultline-process-'))
  process.env['FAULTLINE_HOME'] = home
  const node = new NodeProcess('a', 1)
  mkdirSync(node.directory, { recursive: true })
  onTestFinished(async () => {
    await node.end()
    delete process.env['FAULTLINE_HOME']
    rmSync(home, { recursive: true, force: true })
  })
  return node
}

test('the lines of an earlier start are none of this one', async () => {
  const node = freshNode()
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

test('of two starts at the same time one is refused, and no process stays that its file does not name', async () => {
  const node = freshNode()
  // Tied: one that no file names ends with the test all the same.
  const script = 'console.log(process.pid); process.stdin.once("close", () => process.exit()).resume()'
  const launch = { command: process.execPath, args: ['-e', script], environment: {} }
  const starts = [node, new NodeProcess('a', 1)].map(each => each.start(launch, { tied: true }))
  const refusals = (await Promise.allSettled(starts)).flatMap(each =>
    each.status === 'rejected' ? [String(each.reason)] : [],
  )
  expect(refusals).toEqual(['ToolkitError: Node 1 is running already.'])
  const { pid } = await node.status()
  await eventually('its line', async () => ((await node.tail(1)) === '' ? undefined : true))
  expect(await node.tail(10)).toBe(`${pid}\n`)
  // Whose turn it was is no file of a node that runs.
  expect(readdirSync(node.directory).sort()).toEqual(['broker.log', 'process.json'])
})
