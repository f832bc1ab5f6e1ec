import { describe, expect, test } from 'vitest'
import { parseBrokerConfig } from '#broker/config/parse.ts'
import { ownListener } from '#scripts/container/healthcheck.ts'
import { containerSettings, dataVolume, defaultClusterId, variableName } from '#scripts/container/settings.ts'

describe('a container', () => {
  test('without any setting is one broker for clients on localhost:9092, with its data on the volume', () => {
    const settings = containerSettings({ PATH: '/bin', KAFKA_HEAP_OPTS: '-Xmx1g' }, undefined)
    expect(settings).toMatchObject({
      'process.roles': 'broker,controller',
      'advertised.listeners': 'PLAINTEXT://localhost:9092',
      'cluster.id': defaultClusterId,
      'log.dirs': dataVolume,
    })
    expect(parseBrokerConfig(new Map(Object.entries(settings))).ignored).toEqual([])
  })

  test('takes the variables of the example in the apache/kafka image’s documentation', () => {
    const settings = containerSettings(
      {
        KAFKA_NODE_ID: '1',
        KAFKA_PROCESS_ROLES: 'broker,controller',
        KAFKA_LISTENERS: 'PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093',
        KAFKA_ADVERTISED_LISTENERS: 'PLAINTEXT://localhost:9092',
        KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
        KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
        KAFKA_CONTROLLER_QUORUM_VOTERS: '1@localhost:9093',
        KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
        KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
        KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1',
        KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
        KAFKA_NUM_PARTITIONS: '3',
        KAFKA_LOG_DIRS: '/tmp/kraft-combined-logs',
        CLUSTER_ID: '4L6g3nShT-eMCtK--X86sw',
      },
      undefined,
    )
    const { config } = parseBrokerConfig(new Map(Object.entries(settings)))
    expect(config['num.partitions']).toBe(3)
    expect(config['cluster.id']).toBe('4L6g3nShT-eMCtK--X86sw')
    expect(config['log.dirs']).toEqual(['/tmp/kraft-combined-logs'])
  })

  test('reads a mounted file, over which variables win', () => {
    const settings = containerSettings({ KAFKA_NUM_PARTITIONS: '7' }, 'node.id=4\nnum.partitions=2\n')
    expect(settings).toMatchObject({ 'node.id': '4', 'num.partitions': '7' })
    expect(settings['process.roles']).toBeUndefined()
  })

  test('listens on all addresses where only advertised listeners are given', () => {
    const settings = containerSettings({ KAFKA_ADVERTISED_LISTENERS: 'A://kafka:9092,B://localhost:29092' }, undefined)
    expect(settings['listeners']).toBe('A://0.0.0.0:9092,B://0.0.0.0:29092')
  })

  test('drops advertised listeners that are empty, as a controller needs it', () => {
    expect(
      containerSettings({ KAFKA_ADVERTISED_LISTENERS: '', KAFKA_NODE_ID: '1' }, undefined)['advertised.listeners'],
    ).toBeUndefined()
  })

  test.each([
    ['log.retention.ms', 'KAFKA_LOG_RETENTION_MS'],
    ['a_b.c-d', 'KAFKA_A__B_C___D'],
  ])('names %s by %s and finds it again', (setting, variable) => {
    expect(variableName(setting)).toBe(variable)
    expect(containerSettings({ [variable]: 'x' }, undefined)[setting]).toBe('x')
  })
})

describe('the health check', () => {
  const settings = {
    listeners: 'PLAINTEXT://:19092,PLAINTEXT_HOST://0.0.0.0:9092,CONTROLLER://[::]:9093',
    'controller.listener.names': 'CONTROLLER',
  }
  test('asks a broker on its first listener for clients', () => {
    expect(ownListener(settings, 'broker')).toEqual({ host: '127.0.0.1', port: 19092, isSecured: false })
  })
  test('asks a controller on its own', () => {
    expect(ownListener(settings, 'controller')).toEqual({ host: '127.0.0.1', port: 9093, isSecured: false })
  })
})
