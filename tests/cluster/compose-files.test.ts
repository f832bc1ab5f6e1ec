/** Files of `compose/` with plain `docker compose`, as people use them who have no toolkit. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { poll } from '#scripts/cluster/clock.ts'
import { ensureImage } from '#scripts/cluster/compose/docker.ts'
import { projectRoot } from '#scripts/cluster/state.ts'
import { readyTopologies } from '#scripts/cluster/topology/load.ts'
import { describeWith } from '../machine.ts'
import { freePort } from './faultline-command.ts'

describeWith(['docker'], 'the files of compose/', () => {
  test.each(readyTopologies())('%s.yaml is one that Compose understands', async name => {
    const file = path.join(projectRoot, 'compose', `${name}.yaml`)
    const { stderr } = await execa('docker', ['compose', '-f', file, 'config', '--quiet'])
    expect(stderr).toBe('')
  })
})

describeWith(['docker', 'kcat'], 'compose/secured.yaml', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'faultline-compose-'))
  const file = path.join(folder, 'secured.yaml')
  const secrets = path.join(folder, 'secrets')
  const project = `faultline-secured-${process.pid}`
  const compose = async (...args: string[]): Promise<string> =>
    (await execa('docker', ['compose', '-p', project, '-f', file, ...args])).stdout
  const kcat = (...args: string[]): string =>
    execFileSync('kcat', args, { cwd: secrets, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'], timeout: 180_000 })
  beforeAll(async () => {
    await ensureImage(() => {}, undefined)
    // The same file with other ports on this machine, which may have a cluster of its own at the usual ones.
    const port = Number(await freePort())
    const text = readFileSync(path.join(projectRoot, 'compose', 'secured.yaml'), 'utf8')
    const there = (_: string, digit: string): string => `127.0.0.1:${port + Number(digit) - 2}`
    writeFileSync(file, text.replaceAll(/127\.0\.0\.1:909(\d)/g, there))
  })
  afterAll(async () => {
    await compose('down', '-v', '--timeout', '0')
    rmSync(folder, { recursive: true, force: true })
  })

  test('makes its users and keys by itself, and comes up healthy', async () => {
    await compose('up', '--wait', '--quiet-pull')
    expect((await compose('ps', '--format', '{{.Service}} {{.Health}}')).split('\n').sort()).toEqual([
      'broker-1 healthy',
      'broker-2 healthy',
      'broker-3 healthy',
    ])
  })

  test('hands clients their files, from the service that made them', async () => {
    await compose('cp', 'security:/mnt/shared/config/.', secrets)
    expect(kcat('-F', 'admin.kcat.conf', '-L')).toContain('3 brokers:')
    execFileSync('kcat', ['-F', 'admin.kcat.conf', '-P', '-t', 'letters'], {
      cwd: secrets,
      input: 'a\n',
      timeout: 180_000,
    })
    expect(kcat('-F', 'admin.kcat.conf', '-C', '-e', '-q', '-t', 'letters')).toBe('a\n')
  })

  test.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'])('takes and gives records that are compressed with %s', codec => {
    const input = Array.from({ length: 20 }, (_, index) => `${codec} ${index}\n`).join('')
    const topic = `codec-${codec}`
    execFileSync('kcat', ['-F', 'admin.kcat.conf', '-P', '-z', codec, '-t', topic], {
      cwd: secrets,
      input,
      timeout: 180_000,
    })
    expect(kcat('-F', 'admin.kcat.conf', '-C', '-e', '-q', '-t', topic)).toBe(input)
  })

  test('keeps its users and records when its containers are made anew', async () => {
    await compose('down', '--timeout', '30')
    // Alone it does not know the names of the others, which it waits for.
    await compose('up', '-d', '--quiet-pull', 'broker-1')
    const named = async () =>
      (await compose('logs', 'broker-1')).includes('The host name of a voter of the metadata quorum means no address')
        ? true
        : undefined
    expect(await poll(named, { everyMs: 300, timeoutMs: 120_000 })).toBe(true)
    await compose('up', '--wait', '--quiet-pull')
    expect(kcat('-F', 'admin.kcat.conf', '-C', '-e', '-q', '-t', 'letters')).toBe('a\n')
  })

  test('says who owns a volume that it cannot write to, and what to do', async () => {
    const image = /image: (\S+)/.exec(readFileSync(file, 'utf8'))?.[1] ?? ''
    const volume = `${project}-foreign`
    const run = ['run', '--rm', '--network', 'none', '-v', `${volume}:/var/lib/kafka/data`]
    // Docker gives an empty volume the owner that the directory has in the image.
    const disown = 'touch /var/lib/kafka/data/there && chown 0:0 /var/lib/kafka/data && chmod 755 /var/lib/kafka/data'
    await execa('docker', [...run, '--user', '0', image, 'sh', '-c', disown])
    const { exitCode, all } = await execa('docker', [...run, image], { all: true, reject: false, timeout: 300_000 })
    await execa('docker', ['volume', 'rm', volume])
    expect(all).toContain('/var/lib/kafka/data belongs to user 0 and group 0, and this container runs as user 1000')
    expect(exitCode).not.toBe(0)
  })

  test('turns away who does not log in', () => {
    const bootstrap = /bootstrap.servers=(.*)/.exec(readFileSync(path.join(secrets, 'admin.kcat.conf'), 'utf8'))?.[1]
    expect(() => kcat('-b', bootstrap ?? '', '-L', '-m', '5')).toThrow()
  })
})
