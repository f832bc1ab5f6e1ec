import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { faultSocketName, keptFaultsName } from '#broker/environment/faulty/control-protocol.ts'
import { faultControl } from '#broker/environment/node/fault-control.ts'
import { nodeEnvironment } from '#broker/environment/node/node-environment.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'faultline-control-'))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const machine = nodeEnvironment({ logTo: () => {} })
const socketPath = (): string => path.join(directory, faultSocketName)

function ask(method: string, url: string, body = ''): Promise<{ status: number; answer: unknown }> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: socketPath(), method, path: url, agent: false }, response => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, answer: JSON.parse(text) as unknown }))
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

test('orders come in through a socket that only its owner may open, and outlive the process', async () => {
  const first = faultControl(machine, 3, directory, [])
  await first.listen()
  expect(statSync(socketPath()).mode & 0o777).toBe(0o600)
  const order = JSON.stringify({ kind: 'disk-error', parameters: { on: 'open', path: 'precious' } })
  expect(await ask('POST', '/faults', order)).toMatchObject({ status: 200, answer: { id: 'disk-error-3-1' } })
  const open = () => first.environment.disk.open(path.join(directory, 'precious'), 'write')
  expect(open).toThrow('EIO')
  expect(JSON.parse(readFileSync(path.join(directory, keptFaultsName), 'utf8'))).toMatchObject({ added: 1 })

  // The next life, at the same place: the socket of the one before is in its way.
  const second = faultControl(machine, 3, directory, [])
  expect(() => second.environment.disk.open(path.join(directory, 'precious'), 'write')).toThrow('EIO')
  await second.listen()
  expect(await ask('GET', '/faults')).toMatchObject({ status: 200, answer: [{ id: 'disk-error-3-1', hits: 1 }] })
  expect(await ask('DELETE', '/faults')).toMatchObject({ status: 200, answer: [{ id: 'disk-error-3-1' }] })
  second.environment.disk.open(path.join(directory, 'precious'), 'write').close()
})

test('a log directory that cannot be one is no reason not to start: nothing is noted of what is not fsynced', () => {
  const file = path.join(directory, 'no-directory')
  writeFileSync(file, '')
  const symlink = path.join(directory, 'circle')
  symlinkSync(symlink, symlink)
  for (const logDir of [file, path.join(file, 'logs'), symlink, path.join(directory, 'x'.repeat(300))]) {
    const lines: string[] = []
    faultControl(nodeEnvironment({ logTo: line => lines.push(line) }), 3, directory, [logDir])
    expect(lines.join()).toContain('cannot lose its power')
  }
  const lines: string[] = []
  faultControl(nodeEnvironment({ logTo: line => lines.push(line) }), 3, directory, [
    path.join(directory, 'new', 'logs'),
  ])
  expect(lines).toEqual([])
})

test('what is wrong with the directory of the control is no reason to go on without', () => {
  expect(() => faultControl(machine, 3, path.join(directory, 'nowhere'), [directory])).toThrow('ENOENT')
})

test('a request that is too long, and nonsense, do not end the node', async () => {
  expect(await ask('POST', '/faults', ' '.repeat(70_000))).toMatchObject({ status: 500 })
  expect(await ask('POST', '/nowhere')).toMatchObject({ status: 400 })
  expect(await ask('GET', '/faults')).toMatchObject({ status: 200, answer: [] })
})

test('what it kept and cannot be read stops the start, with the way out', () => {
  writeFileSync(path.join(directory, keptFaultsName), '{')
  expect(() => faultControl(machine, 3, directory, [])).toThrow(/faults\.json is damaged.*Remove it to start without/)
})
