import { describe, expect, test } from 'vitest'
import { actorKinds } from '#simulator/actors/actors.ts'
import { parseOptions } from '#simulator/seeds/options.ts'
import { faultKinds } from '#simulator/seeds/fault-kinds.ts'
import { describeSwarm, drawSwarm } from '#simulator/seeds/swarm.ts'

describe('the swarm', () => {
  test('draws the same run from the same seed, and different ones from others', () => {
    expect(drawSwarm(5)).toEqual(drawSwarm(5))
    const descriptions = Array.from({ length: 50 }, (_, seed) => describeSwarm(drawSwarm(seed)))
    expect(new Set(descriptions).size).toBeGreaterThan(40)
  })

  test('draws every fault in some seed, and none in some', () => {
    const swarms = Array.from({ length: 200 }, (_, seed) => drawSwarm(seed))
    expect(new Set(swarms.flatMap(swarm => swarm.faults))).toEqual(new Set(faultKinds))
    expect(swarms.some(swarm => swarm.faults.length === 0)).toBe(true)
    expect(new Set(swarms.map(({ logDirs }) => logDirs.length))).toEqual(new Set([1, 2, 3]))
    expect(swarms.some(({ directoryMoveMsMax }) => directoryMoveMsMax !== undefined)).toBe(true)
    // Who has one log directory has nowhere to go on.
    expect(swarms.every(({ logDirs, faults }) => logDirs.length > 1 || !faults.includes('disk-error'))).toBe(true)
    for (const { settings } of swarms) expect(settings.latencyUsMax).toBeGreaterThanOrEqual(settings.latencyUsMin!)
  })
})

describe('the company of the workload', () => {
  test('is every actor in some seed, none in some, and access is controlled in some', () => {
    const swarms = Array.from({ length: 200 }, (_, seed) => drawSwarm(seed))
    expect(new Set(swarms.flatMap(({ actors }) => actors))).toEqual(new Set(actorKinds))
    expect(swarms.some(({ actors }) => actors.length === 0)).toBe(true)
    expect(Math.max(...swarms.map(({ actors }) => actors.length))).toBe(3)
    const controlled = swarms.filter(({ access }) => access !== undefined).length
    expect(controlled).toBeGreaterThan(30)
    expect(controlled).toBeLessThan(70)
    expect(swarms.some(({ access }) => access?.producerByteRate !== undefined)).toBe(true)
  })
})

describe('the command line of the simulator', () => {
  test('has two hundred seeds by default, or the one that was asked for', () => {
    expect(parseOptions([])).toMatchObject({ single: false, workers: 2, least: 40 })
    expect(parseOptions([]).seeds).toHaveLength(200)
    expect(parseOptions(['--seed', '77', '--minutes', '0.5'])).toMatchObject({
      seeds: [77],
      single: true,
      safetyMs: 30_000,
    })
    expect(parseOptions(['--seeds', '3', '--first', '10']).seeds).toEqual([10, 11, 12])
  })

  test('says what it expected', () => {
    expect(() => parseOptions(['--seeds', 'many'])).toThrow('--seeds: expected a whole number from 1, got many')
    expect(() => parseOptions(['--minutes=-1'])).toThrow('--minutes: expected a number above 0')
    expect(() => parseOptions(['--sed', '1'])).toThrow('--sed')
  })
})
