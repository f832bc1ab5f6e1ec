/** The broker as a process: what it says when it ends by a bug. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'

const main = path.join(import.meta.dirname, '../../broker/main.ts')

/** Throws as a bug would, in a turn of its own, once the broker runs. */
const bug = `data:text/javascript,${encodeURIComponent(`const timer = setInterval(() => {
  if (process.listenerCount('SIGTERM') === 0) return
  clearInterval(timer)
  throw new Error('planted')
}, 5)`)}`

test('an error that nothing handles ends the node with one line that says what to do', async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'faultline-main-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const settings = {
    'process.roles': 'broker',
    'node.id': '1',
    'cluster.id': 'AAAAAAAAAAAAAAAAAAAABA',
    'controller.quorum.voters': '100@127.0.0.1:1',
    'controller.listener.names': 'CONTROLLER',
    listeners: 'PLAINTEXT://127.0.0.1:0',
    'log.dirs': path.join(directory, 'data'),
  }
  const file = path.join(directory, 'server.properties')
  writeFileSync(
    file,
    Object.entries(settings)
      .map(setting => setting.join('='))
      .join('\n'),
  )
  const child = spawn(process.execPath, ['--import', bug, main, file], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (piece: Buffer) => (said += piece.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  expect(code).toBe(1)
  const errors = said.split('\n').filter(line => line.includes(' ERROR '))
  expect(errors).toHaveLength(1)
  expect(errors[0]).toMatch(/nothing handles: a bug\. Start it again.*planted/)
})
