import { describe, expect, it } from 'vitest'
import { featureRanges } from '#broker/controller/features.ts'
import { registerBroker, registerController } from '#broker/controller/register-broker.ts'
import { updateFeatures } from '#broker/controller/update-features.ts'
import { Harness, uuidOf } from './harness.ts'

const upgrade = 1
const safe = 2
const unsafe = 3

function update(harness: Harness, feature: string, maxVersionLevel: number, upgradeType = upgrade) {
  const featureUpdates = [{ feature, maxVersionLevel, upgradeType }]
  return harness.submit(updateFeatures, { featureUpdates, validateOnly: false }).failure
}

/** As after an upgrade of the software, before anybody raised the level. */
function withoutGroups(): Harness {
  const harness = new Harness()
  expect(update(harness, 'group.version', 0, safe)).toBeUndefined()
  return harness
}

describe('a feature level', () => {
  it('goes up and down again within what is supported, and is read by name', () => {
    const harness = withoutGroups()
    expect(harness.image.feature('group.version')).toBe(0)
    expect(update(harness, 'group.version', 1)).toBeUndefined()
    expect(harness.image.feature('group.version')).toBe(1)
    expect(update(harness, 'group.version', 0, safe)).toBeUndefined()
    expect(harness.image.feature('group.version')).toBe(0)
    expect(harness.image.features.has('group.version')).toBe(false)
  })

  const refusals: [string, number, number, string][] = [
    ['group.version', 2, upgrade, 'Local controller 1 only supports versions 0-1'],
    ['group.version', -1, upgrade, 'A feature version cannot be less than 0.'],
    ['group.version', 1, safe, "Can't downgrade to a newer version."],
    ['group.version', 1, 0, 'The controller does not support the given upgrade type.'],
    ['metadata.version', 6, unsafe, 'Local controller 1 only supports versions 7-30'],
    ['metadata.version', 29, upgrade, "Can't downgrade the version of this feature without setting the upgrade type"],
    ['kraft.version', 1, upgrade, 'Local controller 1 does not support this feature.'],
    ['unknown.version', 1, upgrade, 'Local controller 1 does not support this feature.'],
  ]
  it.each(refusals)('%s=%i with upgrade type %i is refused', (feature, level, type, reason) => {
    const harness = withoutGroups()
    const failure = update(harness, feature, level, type)
    expect(failure).toMatchObject({ error: 'INVALID_UPDATE_VERSION' })
    expect(failure?.message).toContain(`Invalid update version ${level} for feature ${feature}. ${reason}`)
  })

  it('is raised only when every registered broker and controller knows it', () => {
    const harness = withoutGroups()
    expect(update(harness, 'share.version', 0, safe)).toBeUndefined()
    const old = { name: 'group.version', minSupportedVersion: 0, maxSupportedVersion: 0 }
    const others = featureRanges().filter(({ name }) => name !== 'group.version')
    harness.submit(registerBroker, { ...harness.registration(7), features: [...others, old] })
    expect(update(harness, 'group.version', 1)?.message).toContain('Broker 7 does not support this feature.')
    expect(update(harness, 'transaction.version', 2)).toBeUndefined()
    harness.submit(registerController, {
      controllerId: 8,
      incarnationId: uuidOf('controller'),
      zkMigrationReady: false,
      listeners: [],
      features: others.filter(({ name }) => name !== 'share.version'),
    })
    expect(update(harness, 'share.version', 1)?.message).toContain('Controller 8 does not support this feature.')
  })

  it('waits for every voter to be registered', () => {
    const voters = '1@127.0.0.1:9093,2@127.0.0.1:9094'
    const harness = new Harness({ config: { 'controller.quorum.voters': voters } })
    expect(update(harness, 'group.version', 1)?.message).toContain('controller 2 has not registered')
  })
})

describe('metadata.version', () => {
  it('goes down only over levels that wrote no other metadata', () => {
    const harness = new Harness()
    expect(update(harness, 'metadata.version', 29, safe)?.message).toBe(
      'Unsupported metadata.version downgrade from 30 to 29. Refusing to perform the requested downgrade because it might delete metadata information.',
    )
    expect(update(harness, 'metadata.version', 29, unsafe)?.message).toContain('Unsafe metadata downgrade')
    expect(harness.image.metadataVersion()).toBe(30)
  })

  it('can go from 4.2 back to 4.0', () => {
    const harness = new Harness({ metadataVersion: 29 })
    expect(update(harness, 'metadata.version', 25, safe)).toBeUndefined()
    expect(harness.image.metadataVersion()).toBe(25)
    expect(update(harness, 'metadata.version', 30)).toBeUndefined()
    expect(harness.image.metadataVersion()).toBe(30)
  })
})

describe('a request', () => {
  const both = [
    { feature: 'group.version', maxVersionLevel: 1, upgradeType: upgrade },
    { feature: 'share.version', maxVersionLevel: 9, upgradeType: upgrade },
  ]
  it('updates all its features or none', () => {
    const harness = withoutGroups()
    const { failure } = harness.submit(updateFeatures, { featureUpdates: both, validateOnly: false })
    expect(failure?.error).toBe('INVALID_UPDATE_VERSION')
    expect(harness.image.feature('group.version')).toBe(0)
  })

  it('that only validates changes nothing', () => {
    const harness = withoutGroups()
    const before = harness.log.length
    const reply = harness.submit(updateFeatures, { featureUpdates: both.slice(0, 1), validateOnly: true })
    expect(reply.failure).toBeUndefined()
    expect(harness.log).toHaveLength(before)
  })
})
