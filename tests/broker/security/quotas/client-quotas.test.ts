/** Quotas: which one holds for whom, and the waits that Kafka's formulas give. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { alterClientQuotas, type QuotaAlteration } from '#broker/controller/alter-client-quotas.ts'
import { applyRecords } from '#broker/controller/image-builder.ts'
import { MetadataImage } from '#broker/controller/image.ts'
import type { QuotaEntity } from '#broker/controller/metadata-record.ts'
import { isRefusal, type ControllerState } from '#broker/controller/operation.ts'
import { ClientQuotas } from '#broker/security/quotas/client-quotas.ts'
import { parseBrokerConfig } from '#broker/config/parse.ts'
import { ConnectionQuotas, parseOverrides, type ConnectionLimits } from '#broker/security/quotas/connection-quotas.ts'
import { connectionQuotas } from '#broker/security/quotas/make-quotas.ts'
import { describeQuotas } from '#broker/security/quotas/describe-quotas.ts'
import { quotaKeys } from '#broker/security/quotas/quota-limits.ts'
import { SampledRate, throttleTimeMs } from '#broker/security/quotas/sampled-rate.ts'
import { TokenBucket } from '#broker/security/quotas/token-bucket.ts'

const window = { samples: 11, sampleMs: 1000 }

function entityOf({ user, client, ip }: { user?: string | null; client?: string | null; ip?: string | null }) {
  const entity: QuotaEntity[] = []
  if (user !== undefined) entity.push({ entityType: 'user', entityName: user })
  if (client !== undefined) entity.push({ entityType: 'client-id', entityName: client })
  if (ip !== undefined) entity.push({ entityType: 'ip', entityName: ip })
  return entity
}

function alter(image: MetadataImage, entries: readonly QuotaAlteration[], validateOnly = false) {
  const outcome = alterClientQuotas({ image } as ControllerState, { entries, validateOnly })
  if (isRefusal(outcome)) throw new Error(outcome.message)
  const at = { offset: image.offset + Math.max(1, outcome.records.length), epoch: 1 }
  return { ...outcome, image: applyRecords(image, outcome.records, at).image }
}

const set = (entity: readonly QuotaEntity[], key: string, value: number): QuotaAlteration => ({
  entity,
  ops: [{ key, value, remove: false }],
})

function quotasWith(...entries: readonly QuotaAlteration[]): ClientQuotas {
  const quotas = new ClientQuotas({ window, controllerWindow: window })
  quotas.applyMetadata(alter(MetadataImage.empty('c'), entries).image)
  return quotas
}

describe('the quota that holds', () => {
  const levels = [
    entityOf({ user: 'alice', client: 'app' }),
    entityOf({ user: 'alice', client: null }),
    entityOf({ user: 'alice' }),
    entityOf({ user: null, client: 'app' }),
    entityOf({ user: null, client: null }),
    entityOf({ user: null }),
    entityOf({ client: 'app' }),
    entityOf({ client: null }),
  ]

  it.each(levels.map((_, index) => index))('is that of level %i when no more specific one exists', first => {
    const entries = levels.slice(first).map((entity, index) => set(entity, quotaKeys.produce, first + index + 1))
    const { limits } = quotasWith(...entries)
    expect(limits.find(quotaKeys.produce, 'alice', 'app')?.bound).toBe(first + 1)
  })

  it('is none for somebody nobody set one for', () => {
    const { limits } = quotasWith(set(entityOf({ user: 'alice' }), quotaKeys.produce, 1))
    expect(limits.find(quotaKeys.produce, 'bob', 'app')).toBeUndefined()
    expect(limits.find(quotaKeys.fetch, 'alice', 'app')).toBeUndefined()
  })

  it('of a user is shared by its clients, that of a default client id is not', () => {
    const perUser = quotasWith(set(entityOf({ user: 'alice' }), quotaKeys.produce, 100))
    perUser.record(quotaKeys.produce, { user: 'alice', clientId: 'a' }, 1000, 0)
    expect(perUser.record(quotaKeys.produce, { user: 'alice', clientId: 'b' }, 100, 0)).toBe(1000)
    const perClient = quotasWith(set(entityOf({ client: null }), quotaKeys.produce, 100))
    perClient.record(quotaKeys.produce, { user: 'alice', clientId: 'a' }, 1000, 0)
    expect(perClient.record(quotaKeys.produce, { user: 'alice', clientId: 'b' }, 100, 0)).toBe(0)
  })

  it('may be named like anything: a client called default is not the default', () => {
    const { limits } = quotasWith(set(entityOf({ client: 'default' }), quotaKeys.produce, 7))
    expect(limits.find(quotaKeys.produce, 'u', 'default')?.bound).toBe(7)
    expect(limits.find(quotaKeys.produce, 'u', 'other')).toBeUndefined()
  })
})

describe('a sampled rate', () => {
  it('looks back on ten spans at least, so that a burst at the start counts little', () => {
    const rate = new SampledRate(window)
    rate.record(1000, 0)
    expect(rate.windowMs(0)).toBe(10_000)
    expect(rate.measure(0)).toBe(100)
    expect(throttleTimeMs(rate, 100, 0)).toBe(0)
    rate.record(500, 0)
    // 50 % over the bound, of a window of ten seconds.
    expect(throttleTimeMs(rate, 100, 0)).toBe(5000)
  })

  it('forgets what is older than all spans', () => {
    const rate = new SampledRate(window)
    rate.record(1000, 0)
    expect(rate.measure(10_999)).toBeGreaterThan(0)
    expect(rate.measure(11_000)).toBe(0)
  })

  it('counts every event of the last ten spans and none older than twelve, over a window of ten to twelve', () => {
    const event = fc.tuple(fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 1, max: 5000 }))
    fc.assert(
      fc.property(fc.array(event, { minLength: 1, maxLength: 40 }), events => {
        const rate = new SampledRate(window)
        const past: { atMs: number; value: number }[] = []
        let nowMs = 0
        for (const [gapMs, value] of events) {
          rate.record(value, (nowMs += gapMs))
          past.push({ atMs: nowMs, value })
        }
        const sumSince = (ageMs: number) =>
          past.reduce((sum, { atMs, value }) => (nowMs - atMs < ageMs ? sum + value : sum), 0)
        const windowMs = rate.windowMs(nowMs)
        const counted = Math.round((rate.measure(nowMs) * windowMs) / 1000)
        expect(windowMs).toBeGreaterThanOrEqual(10_000)
        expect(windowMs).toBeLessThanOrEqual(12_000)
        expect(counted).toBeGreaterThanOrEqual(sumSince(10_000))
        expect(counted).toBeLessThanOrEqual(sumSince(12_000))
      }),
    )
  })
})

describe('a token bucket', () => {
  it('starts full, may be overdrawn once, and fills again at the rate', () => {
    const bucket = new TokenBucket(window)
    expect(bucket.measure(2, 0)).toBe(22)
    bucket.take(30, 2, 0)
    expect(bucket.throttleTimeMs(2, 0)).toBe(4000)
    expect(bucket.throttleTimeMs(2, 3999)).toBe(1)
    expect(bucket.throttleTimeMs(2, 4000)).toBe(0)
    expect(bucket.measure(2, 60_000)).toBe(22)
  })
})

describe('a mutation quota', () => {
  const subject = { user: 'alice', clientId: 'app' }
  const quotas = () => quotasWith(set(entityOf({ user: 'alice' }), quotaKeys.controllerMutation, 1))

  it('that is strict refuses what comes after it was exceeded, and takes nothing for it', () => {
    const limited = quotas()
    let nowMs = 0
    const quota = limited.mutation(subject, true, () => nowMs)
    expect(quota.take(15)).toBe(true)
    expect(quota.throttleMs()).toBe(0)
    expect(quota.take(1)).toBe(false)
    expect(quota.throttleMs()).toBe(4000)
    nowMs = 4000
    expect(limited.mutation(subject, true, () => nowMs).take(1)).toBe(true)
  })

  it('that is not strict takes everything and lets the client wait', () => {
    const quota = quotas().mutation(subject, false, () => 0)
    expect(quota.take(15)).toBe(true)
    expect(quota.take(5)).toBe(true)
    expect(quota.throttleMs()).toBe(9000)
  })
})

describe('a request quota', () => {
  it('makes nobody wait longer than one span', () => {
    const quotas = quotasWith(set(entityOf({ user: 'alice' }), quotaKeys.request, 1))
    expect(quotas.recordRequestMs({ user: 'alice', clientId: '' }, 5000, 0)).toBe(1000)
    expect(quotas.recordRequestMs({ user: 'bob', clientId: '' }, 5000, 0)).toBe(0)
  })
})

describe('altering quotas', () => {
  const empty = MetadataImage.empty('c')
  const messageOf = (entity: readonly QuotaEntity[], key: string, value: number) =>
    alter(empty, [set(entity, key, value)]).reply.failures[0]?.message

  it('writes what changes and nothing else', () => {
    const entity = entityOf({ user: 'alice' })
    const first = alter(empty, [set(entity, quotaKeys.produce, 5)])
    expect(first.records).toEqual([{ type: 'ClientQuota', entity, key: quotaKeys.produce, value: 5, remove: false }])
    expect(alter(first.image, [set(entity, quotaKeys.produce, 5)]).records).toEqual([])
    expect(alter(empty, [set(entity, quotaKeys.produce, 5)], true).records).toEqual([])
    const removal = alter(first.image, [{ entity, ops: [{ key: quotaKeys.produce, value: 0, remove: true }] }])
    expect(removal.image.clientQuotas.size).toBe(0)
    expect(
      alter(removal.image, [{ entity, ops: [{ key: quotaKeys.produce, value: 0, remove: true }] }]).records,
    ).toEqual([])
  })

  it('refuses what makes no sense, as Kafka does', () => {
    const user = entityOf({ user: 'alice' })
    expect(messageOf([], quotaKeys.produce, 1)).toBe('Invalid empty client quota entity')
    expect(messageOf([{ entityType: 'team', entityName: 'x' }], quotaKeys.produce, 1)).toBe(
      'Unhandled client quota entity type: team',
    )
    expect(messageOf(entityOf({ user: '' }), quotaKeys.produce, 1)).toBe('Empty user not supported')
    expect(messageOf(user, 'speed', 1)).toBe('Invalid configuration key speed')
    expect(messageOf(user, quotaKeys.connection, 1)).toBe(`Invalid configuration key ${quotaKeys.connection}`)
    expect(messageOf(user, quotaKeys.produce, 0)).toBe(`Quota ${quotaKeys.produce} must be greater than 0`)
    expect(messageOf(user, quotaKeys.produce, 1.5)).toBe(`${quotaKeys.produce} cannot be a fractional value.`)
    expect(messageOf(user, quotaKeys.request, 1.5)).toBeUndefined()
    expect(messageOf(entityOf({ ip: '10.0.0.300' }), quotaKeys.connection, 1)).toBe(
      '10.0.0.300 is not a valid IP or resolvable host.',
    )
    expect(messageOf(entityOf({ ip: '10.0.0.3', user: 'a' }), quotaKeys.connection, 1)).toMatch(/combination/)
    expect(messageOf(entityOf({ ip: null }), quotaKeys.connection, 1)).toBeUndefined()
  })
})

describe('describing quotas', () => {
  const { image } = alter(MetadataImage.empty('c'), [
    set(entityOf({ user: 'alice' }), quotaKeys.produce, 1),
    set(entityOf({ user: 'alice', client: 'app' }), quotaKeys.fetch, 2),
    set(entityOf({ user: null }), quotaKeys.produce, 3),
    set(entityOf({ ip: '10.0.0.1' }), quotaKeys.connection, 4),
  ])
  const find = (components: [string, number, string | null][], strict = false) => {
    const asked = components.map(([entityType, matchType, match]) => ({ entityType, matchType, match }))
    const found = describeQuotas(image.clientQuotas, { components: asked, strict })
    return 'error' in found ? found : found.map(({ values }) => values[0]?.value)
  }

  it('finds by name, by default and by type, strictly or not', () => {
    expect(find([])).toEqual([1, 2, 3, 4])
    expect(find([], true)).toEqual([])
    expect(find([['user', 0, 'alice']])).toEqual([1, 2])
    expect(find([['user', 0, 'alice']], true)).toEqual([1])
    expect(find([['user', 1, null]])).toEqual([3])
    expect(find([['user', 2, null]])).toEqual([1, 2, 3])
    expect(find([['ip', 2, null]])).toEqual([4])
  })

  it('refuses filters that contradict themselves', () => {
    expect(find([['user', 0, null]])).toMatchObject({ error: 'INVALID_REQUEST' })
    expect(find([['user', 1, 'alice']])).toMatchObject({ error: 'INVALID_REQUEST' })
    expect(find([['user', 3, null]])).toMatchObject({ message: 'Unknown match type 3' })
    expect(find([['team', 2, null]])).toMatchObject({ error: 'UNSUPPORTED_VERSION' })
    const both: [string, number, null][] = [
      ['user', 2, null],
      ['ip', 2, null],
    ]
    expect(find(both)).toMatchObject({ error: 'INVALID_REQUEST' })
  })
})

describe('connection quotas', () => {
  const most = 2_147_483_647
  const free = { connections: most, rate: most }
  const none: ConnectionLimits = {
    perIp: most,
    perIpOverrides: new Map(),
    all: free,
    ofListener: () => free,
    rateOf: () => undefined,
  }
  const quotasOf = (limits: Partial<ConnectionLimits>, protectedListener?: string) =>
    new ConnectionQuotas({ window, limits: () => ({ ...none, ...limits }), protectedListener: () => protectedListener })
  const from = (ip: string, listener = 'L') => ({ ip, listener })
  const atOnce = { waitMs: 0, costsAnother: false }

  it('limit the connections of an address, with exceptions', () => {
    const perIpOverrides = parseOverrides(['10.0.0.2:2', '::1:0', '[2001:db8::1]:0'])
    const quotas = quotasOf({ perIp: 1, perIpOverrides })
    expect(quotas.admit(from('10.0.0.1'), 0)).toEqual(atOnce)
    expect(quotas.admit(from('10.0.0.1'), 0)).toMatchObject({ afterMs: 0, refused: expect.stringMatching(/too many/) })
    expect(quotas.admit(from('0:0:0:0:0:0:0:1'), 0)).toHaveProperty('refused')
    expect(quotas.admit(from('2001:db8:0:0:0:0:0:1'), 0)).toHaveProperty('refused')
    quotas.left(from('10.0.0.1'))
    expect(quotas.admit(from('10.0.0.1'), 0)).toEqual(atOnce)
    const several = [1, 2, 3].map(() => 'waitMs' in Object(quotas.admit(from('10.0.0.2'), 0)))
    expect(several).toEqual([true, true, false])
  })

  it('let go who connects too fast, after at most one span, and do not count that', () => {
    const quotas = quotasOf({ rateOf: ip => (ip === '10.0.0.1' ? 1 : undefined) })
    const first = Array.from({ length: 12 }, () => 'waitMs' in Object(quotas.admit(from('10.0.0.1'), 0)))
    expect(first).toEqual([...Array.from({ length: 10 }, () => true), false, false])
    expect(quotas.admit(from('10.0.0.1'), 0)).toMatchObject({ afterMs: 1000 })
    expect(quotas.admit(from('10.0.0.2'), 0)).toEqual(atOnce)
    expect(quotas.admit(from('10.0.0.1'), 11_000)).toEqual(atOnce)
  })

  it('let everyone wait when all together come too fast', () => {
    const quotas = quotasOf({ all: { connections: most, rate: 1 } })
    for (let count = 0; count < 10; count++) expect(quotas.admit(from(`10.0.0.${count}`), 0)).toEqual(atOnce)
    expect(quotas.admit(from('10.0.1.1'), 0)).toEqual({ waitMs: 1000, costsAnother: false })
  })

  it('limit the rate of one listener and leave the others alone', () => {
    const quotas = quotasOf({ ofListener: name => (name === 'SLOW' ? { connections: most, rate: 1 } : free) })
    for (let count = 0; count < 10; count++) expect(quotas.admit(from(`10.0.0.${count}`, 'SLOW'), 0)).toEqual(atOnce)
    expect(quotas.admit(from('10.0.1.1', 'SLOW'), 0)).toEqual({ waitMs: 1000, costsAnother: false })
    expect(quotas.admit(from('10.0.1.1', 'FAST'), 0)).toEqual(atOnce)
  })

  it('have no room beyond the connections of a listener, or of all, until one is gone', () => {
    const ofListener = (name: string) => ({ connections: name === 'SMALL' ? 1 : most, rate: most })
    const quotas = quotasOf({ all: { connections: 3, rate: most }, ofListener })
    expect(quotas.admit(from('10.0.0.1', 'SMALL'), 0)).toEqual(atOnce)
    expect(quotas.admit(from('10.0.0.2', 'SMALL'), 0)).toBe('full')
    expect(quotas.admit(from('10.0.0.2', 'LARGE'), 0)).toEqual(atOnce)
    expect(quotas.admit(from('10.0.0.2', 'LARGE'), 0)).toEqual(atOnce)
    expect(quotas.admit(from('10.0.0.2', 'LARGE'), 0)).toBe('full')
    quotas.left(from('10.0.0.1', 'SMALL'))
    expect(quotas.admit(from('10.0.0.2', 'LARGE'), 0)).toEqual(atOnce)
    expect(quotas.admit(from('10.0.0.2', 'SMALL'), 0)).toBe('full')
  })

  it('let brokers in beyond the connections of all, at the cost of another listener', () => {
    const quotas = quotasOf({ all: { connections: 1, rate: most } }, 'BROKERS')
    expect(quotas.admit(from('10.0.0.1', 'CLIENTS'), 0)).toEqual(atOnce)
    expect(quotas.admit(from('10.0.0.2', 'BROKERS'), 0)).toEqual({ waitMs: 0, costsAnother: true })
    quotas.left(from('10.0.0.1', 'CLIENTS'))
    expect(quotas.admit(from('10.0.0.1', 'CLIENTS'), 0)).toBe('full')
  })
})

describe('the limits of connections in the settings', () => {
  const settings = {
    'process.roles': 'broker',
    'node.id': '1',
    'controller.quorum.voters': '2@localhost:9093',
    'controller.listener.names': 'CONTROLLER',
    'max.connections': '5',
    'listener.name.clients.max.connections': '1',
  }
  const { config } = parseBrokerConfig(new Map(Object.entries(settings)))
  const from = (listener: string) => ({ ip: '10.0.0.1', listener })

  it('are those with the prefix of a listener, and follow what is altered', () => {
    let image = MetadataImage.empty('c')
    const quotas = connectionQuotas(config, () => image)
    const admit = () => quotas.admit(from('CLIENTS'), 0)
    expect([admit(), admit()]).toEqual([{ waitMs: 0, costsAnother: false }, 'full'])
    const record = {
      type: 'Config',
      resourceType: 4,
      resourceName: '1',
      name: 'listener.name.clients.max.connections',
      value: '2',
    } as const
    image = applyRecords(image, [record], { offset: 1, epoch: 1 }).image
    expect([admit(), admit()]).toEqual([{ waitMs: 0, costsAnother: false }, 'full'])
    const others = [1, 2, 3, 4].map(() => quotas.admit(from('OTHERS'), 0))
    expect(others.map(each => each === 'full')).toEqual([false, false, false, true])
  })
})
