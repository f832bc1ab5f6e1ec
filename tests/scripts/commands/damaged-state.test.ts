/** A file of a cluster that holds no JSON: the commands that look and clean up say so, and do the rest. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { execa } from 'execa'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ownProcess } from '#scripts/cluster/lifecycle.ts'
import { clusterSpec } from '#scripts/cluster/spec.ts'
import { nodeDirectory, projectRoot, stateDirectory, writeRecord } from '#scripts/cluster/state.ts'
import { ClusterHome } from './cluster-home.ts'

let home: ClusterHome
let properties = ''
beforeEach(async () => {
  home = new ClusterHome('faultline damaged-')
  for (const name of ['hurt', 'sound']) await home.record({ name, brokers: 1 })
  properties = path.join(nodeDirectory('hurt', 1), 'server.properties')
  writeFileSync(properties, '')
})
afterEach(() => home.remove())

async function run(...args: string[]) {
  return await execa(path.join(projectRoot, 'faultline'), args, {
    reject: false,
    env: { FAULTLINE_HOME: home.folder, NO_COLOR: '1', DOCKER_HOST: `unix://${path.join(home.folder, 'none.sock')}` },
  })
}

describe.each(['cluster.json', 'node-1/process.json'])('a damaged %s', file => {
  beforeEach(() => writeFileSync(path.join(stateDirectory('hurt'), file), '{'))

  test('is one line of doctor among the others', async () => {
    const { stdout } = await run('doctor', '--json')
    const found = JSON.parse(stdout) as { name: string; grade: string; summary: string; remedy?: string }[]
    expect(found).toContainEqual({
      name: 'cluster hurt',
      grade: 'bad',
      summary: expect.stringContaining(`${file} is damaged`) as string,
      remedy: './faultline down --name hurt ends what it finds of it',
    })
    expect(found).toContainEqual(expect.objectContaining({ name: 'cluster sound', grade: 'good' }))
    expect(found.length).toBeGreaterThan(5)
  })

  test('does not keep down from ending the processes of the cluster, and nobody else', async () => {
    const node = spawn(process.execPath, ['-e', 'setInterval(Date,1e3)', properties], { stdio: 'ignore' })
    const reader = spawn('tail', ['-f', properties], { stdio: 'ignore' })
    await Promise.all([once(node, 'spawn'), once(reader, 'spawn')])
    try {
      const ended = once(node, 'exit')
      const { exitCode, stderr } = await run('down', '--name', 'hurt')
      expect(stderr).toContain(`${file} is damaged`)
      expect(stderr).toContain(`The processes ${node.pid} of hurt could be found`)
      expect(exitCode).toBe(0)
      expect(await ended).toEqual([null, 'SIGKILL'])
      expect(reader.exitCode ?? reader.signalCode).toBeNull()
      expect(existsSync(stateDirectory('hurt'))).toBe(false)
      expect(existsSync(stateDirectory('sound'))).toBe(true)
    } finally {
      for (const child of [node, reader]) child.kill('SIGKILL')
    }
  })

  test('is told of by down --keep-data, which changes nothing', async () => {
    const { exitCode, stderr } = await run('down', '--name', 'hurt', '--keep-data')
    expect(stderr).toContain(`${file} is damaged`)
    expect(exitCode).toBe(1)
    expect(existsSync(properties)).toBe(true)
  })
})

test('down leaves a folder alone in which something else lies, and the processes that are started with it', async () => {
  const folder = stateDirectory('hurt')
  const drawing = path.join(folder, 'faults', 'drawing.svg')
  for (const file of [path.join(folder, 'cluster.json'), path.join(folder, 'package.json'), drawing]) {
    mkdirSync(path.dirname(file), { recursive: true })
    writeFileSync(file, '{')
  }
  const program = spawn(process.execPath, ['-e', 'setInterval(Date,1e3)', folder], { stdio: 'ignore' })
  await once(program, 'spawn')
  try {
    const { exitCode, stderr } = await run('down', '--name', 'hurt')
    expect(stderr).toContain(`${folder} has in it what is not of a cluster: package.json.`)
    expect(exitCode).toBe(1)
    expect(existsSync(drawing)).toBe(true)
    expect(program.exitCode ?? program.signalCode).toBeNull()
  } finally {
    program.kill('SIGKILL')
  }
})

describe('down --all, with some that cannot be taken down,', () => {
  beforeEach(async () => {
    await home.record({ name: 'tall', brokers: 1 })
    for (const name of ['hurt', 'tall'])
      for (const file of ['cluster.json', 'notes.txt']) writeFileSync(path.join(stateDirectory(name), file), '{')
  })

  test('takes down the others, and names those that stay', async () => {
    const { exitCode, stderr } = await run('down', '--all')
    expect(existsSync(stateDirectory('sound'))).toBe(false)
    expect(stderr).toContain('sound is down.')
    expect(stderr).toMatch(/^tall is not down: .* is not of a cluster: notes\.txt/m)
    expect(stderr).toMatch(/^error: Not down: hurt, tall\. hurt: .* is not of a cluster: notes\.txt/m)
    expect(stderr).toContain('way out: Use another --name')
    expect(exitCode).toBe(1)
  })

  test('says so in one document with --json', async () => {
    const { stdout } = await run('down', '--all', '--json')
    expect(JSON.parse(stdout)).toMatchObject({
      error: { message: expect.stringMatching(/^Not down: hurt, tall\./) as string, exitCode: 1 },
    })
  })
})

test('a cluster that cannot be looked at just now is not to be taken away', async () => {
  const owner = await ownProcess()
  const spec = clusterSpec({ runtime: 'compose', name: 'sound', brokers: 1 })
  const record = { spec, clusterId: 'AAAAAAAAAAAAAAAAAAAAAA', phase: 'up', owner, foreignData: [] } as const
  writeRecord({ ...record, version: 1 })
  writeRecord({ ...record, version: 2 as 1, spec: { ...spec, name: 'hurt' } })
  const { stdout } = await run('doctor', '--json')
  expect(JSON.parse(stdout)).toContainEqual({
    name: 'cluster sound',
    grade: 'lacking',
    summary: 'No Docker engine answers, so nothing is known of the containers.',
    remedy: 'Start Docker.',
  })
  expect(JSON.parse(stdout)).toContainEqual({
    name: 'cluster hurt',
    grade: 'lacking',
    summary: expect.stringContaining('was written by another version of the toolkit') as string,
    remedy: expect.stringMatching(/^Use the version that started the cluster/) as string,
  })
})
