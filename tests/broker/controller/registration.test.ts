import { describe, expect, it } from 'vitest'
import { fenceOneStaleBroker } from '#broker/controller/broker-heartbeat.ts'
import { registerBroker, registerController, unregisterBroker } from '#broker/controller/register-broker.ts'
import { Harness, uuidOf } from './harness.ts'

describe('a broker that registers', () => {
  it('gets the offset of its registration as its epoch, and is fenced until it has read it', () => {
    const harness = new Harness()
    const before = harness.log.length
    const epoch = harness.register(1)
    expect(epoch).toBe(before)
    expect(harness.heartbeat(1, { offset: epoch - 1 })).toEqual({
      isCaughtUp: false,
      isFenced: true,
      shouldShutDown: false,
    })
    expect(harness.heartbeat(1, { offset: epoch })).toEqual({
      isCaughtUp: true,
      isFenced: false,
      shouldShutDown: false,
    })
    expect(harness.image.isBrokerAlive(1)).toBe(true)
  })

  it('stays fenced as long as it wants to', () => {
    const harness = new Harness()
    harness.register(1)
    expect(harness.heartbeat(1, { wantFence: true })).toMatchObject({ isCaughtUp: true, isFenced: true })
  })

  it('gets a higher epoch with every incarnation, and keeps it when the same incarnation amends its registration', () => {
    const harness = new Harness()
    harness.start(1)
    const first = harness.epochOf(1)
    expect(harness.register(1, { rack: 'b' })).toBe(first)
    expect(harness.image.brokers.get(1)).toMatchObject({ rack: 'b', fenced: false })
    harness.pass(9_002)
    expect(harness.register(1, { incarnation: 'second' })).toBeGreaterThan(first)
  })

  const refusals: [string, Parameters<Harness['registration']>[1], string][] = [
    ['of another cluster', { cluster: 'another' }, 'INCONSISTENT_CLUSTER_ID'],
    ['without directories', { directories: [] }, 'INVALID_REGISTRATION'],
    ['with a directory twice', { directories: ['a', 'a'] }, 'INVALID_REGISTRATION'],
    ['with a directory of another broker', { directories: ['directory1'] }, 'INVALID_REGISTRATION'],
  ]
  it.each(refusals)('%s is refused', (_title, options, error) => {
    const harness = new Harness()
    harness.start(1)
    expect(harness.propose(registerBroker, harness.registration(2, options))).toMatchObject({ refused: error })
    expect(harness.image.brokers.has(2)).toBe(false)
  })

  it('with a reserved directory id is refused', () => {
    const harness = new Harness()
    const request = { ...harness.registration(1), logDirs: ['AAAAAAAAAAAAAAAAAAAAAQ'] }
    expect(harness.propose(registerBroker, request)).toMatchObject({ refused: 'INVALID_REGISTRATION' })
  })

  it('must support every finalized feature level, a feature it does not name only at level 0', () => {
    const harness = new Harness()
    const old = { name: 'metadata.version', minSupportedVersion: 7, maxSupportedVersion: 25 }
    expect(harness.propose(registerBroker, { ...harness.registration(1), features: [old] })).toEqual({
      refused: 'UNSUPPORTED_VERSION',
      message:
        'Unable to register because the broker does not support finalized version 30 of metadata.version. ' +
        'The broker wants a version between 7 and 25, inclusive.',
    })
    expect(harness.propose(registerBroker, { ...harness.registration(1), features: [] })).toMatchObject({
      refused: 'UNSUPPORTED_VERSION',
    })
  })

  it('with heartbeats of a former epoch is told STALE_BROKER_EPOCH', () => {
    const harness = new Harness()
    harness.start(1)
    const former = harness.epochOf(1)
    harness.pass(9_002)
    harness.register(1, { incarnation: 'second' })
    expect(() => harness.heartbeat(1, { epoch: former })).toThrow('STALE_BROKER_EPOCH')
    expect(() => harness.heartbeat(7)).toThrow('STALE_BROKER_EPOCH')
  })
})

describe('two processes with one broker id', () => {
  it('are refused as long as the session of the first is alive', () => {
    const harness = new Harness()
    harness.start(1)
    const second = harness.registration(1, { incarnation: 'second', port: 1111 })
    harness.pass(8_000)
    expect(harness.propose(registerBroker, second)).toMatchObject({ refused: 'DUPLICATE_BROKER_REGISTRATION' })
    harness.pass(1_002)
    expect(harness.submit(registerBroker, second).brokerEpoch).toBeGreaterThan(0)
  })

  it('are refused also when one runs on a copy of the other’s disk at another address', () => {
    const harness = new Harness()
    harness.start(1)
    const copy = harness.registration(1, { incarnation: 'second', port: 1111 })
    expect(harness.propose(registerBroker, copy)).toMatchObject({ refused: 'DUPLICATE_BROKER_REGISTRATION' })
  })

  it('are refused also when the second has an empty disk at the address of the first', () => {
    const harness = new Harness()
    harness.start(1)
    const wiped = harness.registration(1, { incarnation: 'second', directories: ['fresh'] })
    expect(harness.propose(registerBroker, wiped)).toMatchObject({ refused: 'DUPLICATE_BROKER_REGISTRATION' })
  })
})

describe('a restart in place', () => {
  it('takes over at once: same directories and same endpoints can have one process only', () => {
    const harness = new Harness()
    harness.start(1, 2)
    harness.createTopic('orders', [[1, 2]])
    const former = harness.epochOf(1)
    const epoch = harness.register(1, { incarnation: 'second' })
    expect(epoch).toBeGreaterThan(former)
    expect(harness.image.brokers.get(1)).toMatchObject({ fenced: true, incarnationId: uuidOf('second') })
    expect(() => harness.heartbeat(1, { epoch: former })).toThrow('STALE_BROKER_EPOCH')
  })

  it('gives up what the former process led and had in sync, as if its session had run out', () => {
    const harness = new Harness()
    harness.start(1, 2)
    harness.createTopic('orders', [[1, 2]])
    harness.createTopic('alone', [[1]])
    harness.register(1, { incarnation: 'second' })
    expect(harness.partition('orders')).toMatchObject({ leader: 2, isr: [2], leaderEpoch: 1 })
    expect(harness.partition('alone')).toMatchObject({ leader: -1, isr: [1] })
    harness.heartbeat(1)
    expect(harness.partition('alone')).toMatchObject({ leader: 1, isr: [1], leaderEpoch: 2 })
  })
})

describe('sessions', () => {
  it('end when a broker is silent for broker.session.timeout.ms, and only then', () => {
    const harness = new Harness()
    harness.start(1, 2)
    harness.beat(9_000, 2)
    expect(harness.image.isBrokerAlive(1)).toBe(true)
    harness.beat(1_000, 2)
    expect([harness.image.isBrokerAlive(1), harness.image.isBrokerAlive(2)]).toEqual([false, true])
  })

  it('begin anew with a new controller, which cannot know who was silent', () => {
    const harness = new Harness()
    harness.start(1)
    harness.pass(8_000)
    harness.failOver()
    harness.pass(8_999)
    expect(harness.image.isBrokerAlive(1)).toBe(true)
    harness.pass(2)
    expect(harness.image.isBrokerAlive(1)).toBe(false)
  })

  it('end one at a time, each seeing the effect of the former', () => {
    const harness = new Harness()
    harness.start(1, 2, 3)
    harness.createTopic('orders', [[1, 2, 3]])
    harness.pass(9_002)
    // The last in-sync replica stays in the set, without leading.
    expect(harness.partition('orders')).toMatchObject({ leader: -1, isr: [3] })
    expect(harness.submit(fenceOneStaleBroker, undefined)).toEqual({ fenced: undefined })
  })
})

describe('controlled shutdown', () => {
  it('moves leaderships away, then lets the broker go once all active brokers know', () => {
    const harness = new Harness()
    harness.start(1, 2)
    harness.createTopic('orders', [[1, 2]])
    const known = harness.committedOffset
    harness.heartbeat(2)
    expect(harness.heartbeat(1, { wantShutDown: true })).toEqual({
      isCaughtUp: true,
      isFenced: false,
      shouldShutDown: false,
    })
    expect(harness.partition('orders')).toMatchObject({ leader: 2, isr: [2] })
    expect(harness.image.brokers.get(1)).toMatchObject({ inControlledShutdown: true, fenced: false })
    harness.heartbeat(2, { offset: known })
    expect(harness.heartbeat(1, { wantShutDown: true })).toMatchObject({ shouldShutDown: false })
    harness.heartbeat(2)
    expect(harness.heartbeat(1, { wantShutDown: true })).toMatchObject({ shouldShutDown: true, isFenced: true })
    expect(harness.image.isBrokerAlive(1)).toBe(false)
  })

  it('is granted at once to a broker that leads nothing', () => {
    const harness = new Harness()
    harness.start(1)
    expect(harness.heartbeat(1, { wantShutDown: true })).toMatchObject({ shouldShutDown: true })
  })

  it('of the last broker leaves its partitions without a leader, and gives them back at its return', () => {
    const harness = new Harness()
    harness.start(1)
    harness.createTopic('orders', [[1]])
    harness.heartbeat(1, { wantShutDown: true })
    expect(harness.partition('orders')).toMatchObject({ leader: -1, isr: [1] })
    expect(harness.heartbeat(1, { wantShutDown: true })).toMatchObject({ shouldShutDown: true })
    harness.register(1, { incarnation: 'second' })
    harness.heartbeat(1)
    expect(harness.partition('orders')).toMatchObject({ leader: 1, isr: [1] })
  })

  it('makes a broker ineligible for new partitions and in-sync sets', () => {
    const harness = new Harness()
    harness.start(1, 2)
    harness.createTopic('orders', [[2, 1]])
    harness.createTopic('led', [[1, 2]])
    harness.heartbeat(1, { wantShutDown: true })
    harness.createTopic('later', [[1, 2]])
    expect(harness.partition('later')).toMatchObject({ leader: 2, isr: [2] })
    // KAFKA_INELIGIBLE_REPLICA, code 107.
    expect(harness.alterIsr(harness.isrProposal('orders', [2, 1])).errorCode).toBe(107)
  })
})

describe('unregistering', () => {
  it('takes the broker out of all in-sync sets and forgets it', () => {
    const harness = new Harness()
    harness.start(1, 2)
    harness.createTopic('orders', [[1, 2]])
    harness.submit(unregisterBroker, { brokerId: 1 })
    expect(harness.image.brokers.has(1)).toBe(false)
    expect(harness.partition('orders')).toMatchObject({ leader: 2, isr: [2], replicas: [1, 2] })
    expect(harness.propose(unregisterBroker, { brokerId: 1 })).toMatchObject({ refused: 'BROKER_ID_NOT_REGISTERED' })
    harness.start(1)
    expect(harness.image.isBrokerAlive(1)).toBe(true)
  })
})

describe('a controller that registers', () => {
  it('is in the image, once', () => {
    const harness = new Harness()
    const request = {
      controllerId: 3,
      incarnationId: uuidOf('controller'),
      zkMigrationReady: false,
      listeners: [{ name: 'CONTROLLER', host: 'c', port: 9093, securityProtocol: 0 }],
      features: [],
    }
    harness.submit(registerController, request)
    const { length } = harness.log
    harness.submit(registerController, request)
    expect(harness.log.length).toBe(length)
    expect(harness.image.controllers.get(3)?.endpoints[0]?.host).toBe('c')
  })
})
