/** Listening on names: which of a name's addresses is bound. */
import type { LookupAddress } from 'node:dns'
import { expect, test, vi } from 'vitest'
import type { Logger } from '#broker/environment/environment.ts'
import { nodeNetwork } from '#broker/environment/node/network.ts'

/** As a container's /etc/hosts has localhost: the IPv6 address first. */
const addresses: readonly LookupAddress[] = [
  { address: '::1', family: 6 },
  { address: '127.0.0.1', family: 4 },
]

vi.mock('node:dns', async importOriginal => ({
  ...(await importOriginal<Record<string, unknown>>()),
  lookup(
    name: string,
    { order }: { order?: string },
    done: (error: Error | null, address?: string, family?: number) => void,
  ) {
    if (name !== 'both.test') {
      done(Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), { code: 'ENOTFOUND' }))
      return
    }
    const found = addresses.find(({ family }) => family === (order === 'ipv4first' ? 4 : 6))
    done(null, found?.address, found?.family)
  },
}))

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent }

test('a name with addresses of both families is bound at its IPv4 address, as Java binds it', async () => {
  const listener = await nodeNetwork(silent).listen({ host: 'both.test', port: 0 }, () => {})
  expect(listener.address.host).toBe('127.0.0.1')
  await listener.close()
})

test('a name that has no address is refused with what is wrong with it', async () => {
  const listening = nodeNetwork(silent).listen({ host: 'nowhere.test', port: 0 }, () => {})
  await expect(listening).rejects.toThrow(
    'Cannot listen on nowhere.test:0: the host name cannot be resolved (ENOTFOUND)',
  )
})
