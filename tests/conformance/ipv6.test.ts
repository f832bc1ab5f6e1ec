/** A listener on the loopback address of IPv6, which is what `localhost` is first on many machines. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWith } from '#tests/machine.ts'
import { chosenEngine } from './engine.ts'
import { BrokerProcess, freePort, sizedSettings } from './harness.ts'

describeWith(['kcat', 'ipv6'], 'a broker at ::1', () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'faultline-ipv6-'))
  let broker: BrokerProcess
  const kcat = (args: readonly string[], input = ''): string =>
    execFileSync('kcat', ['-b', `[::1]:${broker.port}`, ...args], {
      input,
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'ignore'],
      timeout: 60_000,
    })
  beforeAll(async () => {
    const ports = [await freePort(), await freePort(), await freePort()] as const
    const engine = chosenEngine()
    broker = new BrokerProcess(1, directory, ports, engine)
    const clusterId = 'MkU3OEVBNTcwNTJENDM2Qg'
    broker.configure({
      ...sizedSettings(1),
      'process.roles': 'broker,controller',
      'node.id': '1',
      'cluster.id': clusterId,
      'controller.quorum.voters': `1@[::1]:${broker.controllerPort}`,
      listeners: `PLAINTEXT://[::1]:${broker.port},CONTROLLER://[::1]:${broker.controllerPort}`,
      'advertised.listeners': `PLAINTEXT://[::1]:${broker.port}`,
      'controller.listener.names': 'CONTROLLER',
      'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    })
    await engine.format([broker.files], clusterId)
    await broker.start()
  })
  afterAll(async () => {
    await broker.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  test('names itself with its brackets in no field, and takes and gives records', () => {
    expect(kcat(['-L'])).toMatch(new RegExp(`broker 1 at \\[?::1\\]?:${broker.port}`))
    kcat(['-P', '-t', 'letters'], 'a\n')
    expect(kcat(['-C', '-t', 'letters', '-e', '-q'])).toBe('a\n')
  })
})
