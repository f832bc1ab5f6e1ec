/** InitProducerId over its wire format. */
import { describe, expect, test } from 'vitest'
import { errorCode } from '#broker/protocol/errors.ts'
import type { InitProducerIdResponse } from '#broker/protocol/messages/22-init-producer-id.ts'
import { TestCluster } from '../replication/test-cluster.ts'

describe('InitProducerId', () => {
  async function init(cluster: TestCluster, body: object = {}, version = 5) {
    const request = { transactionalId: null, transactionTimeoutMs: 1000, ...body }
    const reply = await cluster.until(cluster.broker(1).request<InitProducerIdResponse>(22, version, request))
    return reply!
  }

  test.each([0, 1, 2, 3, 4, 5])('version %i gives a new id with epoch 0', async version => {
    expect(await init(new TestCluster(1), {}, version)).toMatchObject({
      errorCode: 0,
      producerId: 0n,
      producerEpoch: 0,
    })
  })

  test('ids never repeat, also over the end of a block', async () => {
    const cluster = new TestCluster(1)
    const seen = new Set<bigint>()
    for (let count = 0; count < 2500; count += 1) seen.add((await init(cluster)).producerId)
    expect(seen.size).toBe(2500)
  })

  test('half of an id and epoch is an invalid request', async () => {
    const cluster = new TestCluster(1)
    expect((await init(cluster, { producerId: 5n })).errorCode).toBe(errorCode('INVALID_REQUEST'))
    expect((await init(cluster, { producerEpoch: 1 })).errorCode).toBe(errorCode('INVALID_REQUEST'))
    expect((await init(cluster, { transactionalId: '' })).errorCode).toBe(errorCode('INVALID_REQUEST'))
  })
})
