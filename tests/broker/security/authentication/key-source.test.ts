/** The keys of an identity provider: when they are read, read again, and what is used while they cannot be had. */
import { describe, expect, it } from 'vitest'
import type { Environment } from '#broker/environment/environment.ts'
import { NetworkError } from '#broker/environment/environment.ts'
import { KeySource } from '#broker/security/authentication/key-source.ts'
import { FakeTime } from '#tests/broker/controller/fakes.ts'

const keySet = (...ids: string[]) => JSON.stringify({ keys: ids.map(kid => ({ kid, kty: 'EC' })) })

class Provider {
  readonly time = new FakeTime()
  readonly source: KeySource
  reads = 0
  /** What it answers with; undefined: it does not. */
  body: string | undefined = keySet('k1')

  constructor() {
    const download = (): Promise<Buffer> => {
      this.reads++
      const { body } = this
      return body === undefined
        ? Promise.reject(new NetworkError('ECONNREFUSED', 'nobody there'))
        : Promise.resolve(Buffer.from(body))
    }
    const environment = { ...this.time.environment, network: { download } } as unknown as Environment
    const url = 'https://issuer.example/jwks'
    this.source = new KeySource({ environment, url, refreshMs: 60_000, retryBackoffMs: 100, retryBackoffMaxMs: 300 })
  }

  async ids(wanted?: string): Promise<(string | undefined)[]> {
    return (await this.source.keys(wanted)).keys.map(({ kid }) => kid)
  }
}

describe('the keys of an identity provider', () => {
  it('are read on first use, by everybody who asks meanwhile at once', async () => {
    const provider = new Provider()
    expect(provider.reads).toBe(0)
    expect(await Promise.all([provider.ids('k1'), provider.ids('k2'), provider.ids()])).toEqual([
      ['k1'],
      ['k1'],
      ['k1'],
    ])
    expect(provider.reads).toBe(1)
  })

  it('are read again when they have become old', async () => {
    const provider = new Provider()
    await provider.ids('k1')
    provider.body = keySet('k2')
    await provider.time.pass(59_999)
    expect(await provider.ids('k1')).toEqual(['k1'])
    await provider.time.pass(1)
    expect(await provider.ids('k1')).toEqual(['k2'])
    expect(provider.reads).toBe(2)
  })

  it('are read again for a key that is unknown, every ten seconds at most', async () => {
    const provider = new Provider()
    await provider.ids('k1')
    provider.body = keySet('k1', 'k2')
    await provider.time.pass(9999)
    expect(await provider.ids('k2')).toEqual(['k1'])
    await provider.time.pass(1)
    expect(await provider.ids('k2')).toEqual(['k1', 'k2'])
    for (let attempt = 0; attempt < 5; attempt++) await provider.ids('invented')
    expect(provider.reads).toBe(2)
  })

  it('stay in use while new ones cannot be had, and are asked for after longer and longer pauses', async () => {
    const provider = new Provider()
    await provider.ids('k1')
    provider.body = undefined
    await provider.time.pass(60_000)
    const readsAfter = async (ms: number) => {
      await provider.time.pass(ms)
      expect(await provider.ids('k1')).toEqual(['k1'])
      return provider.reads
    }
    expect([await readsAfter(0), await readsAfter(99), await readsAfter(1)]).toEqual([2, 2, 3])
    expect([await readsAfter(199), await readsAfter(1)]).toEqual([3, 4])
    expect([await readsAfter(299), await readsAfter(1)]).toEqual([4, 5])
    expect([await readsAfter(299), await readsAfter(1)]).toEqual([5, 6])
    provider.body = keySet('k9')
    await provider.time.pass(300)
    expect(await provider.ids('k9')).toEqual(['k9'])
  })

  it.each([undefined, 'no JSON', '[]', 'null', '{"keys": 1}'])(
    'that come as %j are an error, until others come',
    async body => {
      const provider = new Provider()
      provider.body = body
      await expect(provider.ids()).rejects.toThrow()
      await expect(provider.ids()).rejects.toThrow('could not be read a moment ago')
      expect(provider.reads).toBe(1)
      provider.body = keySet('k1')
      await provider.time.pass(100)
      expect(await provider.ids()).toEqual(['k1'])
    },
  )
})
