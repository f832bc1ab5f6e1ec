import { expect, it } from 'vitest'
import { fetch } from '#broker/handlers/01-fetch.ts'
import type { ServedRequest } from '#broker/handlers/request-context.ts'
import { codec } from '#broker/protocol/codec.ts'
import { produceResponse } from '#broker/protocol/messages/00-produce.ts'
import { TestNode } from './controller-context.ts'

it('asks a client to wait no longer than a response can say, and in whole milliseconds', () => {
  const context = new TestNode().context(fetch, 13) as ServedRequest
  context.throttle(2.4)
  expect(context.throttleMs).toBe(2)
  // What a quota of one byte per second makes of a record of a few hundred megabytes.
  context.throttle(3e12)
  expect(context.throttleMs).toBe(2 ** 31 - 1)
  const side = codec(produceResponse, 9)
  const body = { responses: [], throttleTimeMs: context.throttleMs }
  expect(side.decode(side.encodeToBuffer(body))).toMatchObject(body)
})
