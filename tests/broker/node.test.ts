/** A node that cannot start leaves its directories as a clean stop does. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { parseBrokerConfig } from '#broker/config/parse.ts'
import { nodeEnvironment } from '#broker/environment/node/node-environment.ts'
import { Node } from '#broker/node.ts'
import { StartupError } from '#broker/startup-error.ts'

test('a port that is in use costs no recovery at the next start', async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'faultline-node-'))
  const server = createServer()
  await new Promise<void>(resolve => server.listen({ host: '127.0.0.1', port: 0 }, resolve))
  onTestFinished(() => {
    server.close()
    rmSync(directory, { recursive: true, force: true })
  })
  const { port } = server.address() as AddressInfo
  const { config } = parseBrokerConfig(
    new Map([
      ['process.roles', 'broker'],
      ['node.id', '1'],
      ['cluster.id', 'AAAAAAAAAAAAAAAAAAAABA'],
      ['controller.quorum.voters', '100@127.0.0.1:1'],
      ['controller.listener.names', 'CONTROLLER'],
      ['listeners', `PLAINTEXT://127.0.0.1:${port}`],
      ['log.dirs', directory],
    ]),
  )
  const node = new Node({ config, environment: nodeEnvironment({ logLevel: 'error', logFormat: 'json' }) })
  await expect(node.start()).rejects.toThrow(StartupError)
  expect(existsSync(path.join(directory, '.kafka_cleanshutdown'))).toBe(true)
})
