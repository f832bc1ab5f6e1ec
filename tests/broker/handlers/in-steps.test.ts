import { expect, it } from 'vitest'
import { Dispatcher } from '#broker/handlers/dispatch.ts'
import type { ConnectionInfo, Handler } from '#broker/handlers/handler.ts'
import { inSteps } from '#broker/handlers/in-steps.ts'
import type { Services } from '#broker/handlers/services.ts'
import { encodeRequestFrame } from '#broker/protocol/headers.ts'
import { messagesOf } from '#broker/protocol/messages/index.ts'
import { Principal } from '#broker/net/principal.ts'
import { TestNode } from './controller-context.ts'

const heartbeat = 12

/** What the request quota counts of a request whose handler works so long in each step, ms. */
async function charged(stepsMs: readonly number[]): Promise<number[]> {
  const node = new TestNode()
  const { time } = node
  function* work(): Generator<void, object, void> {
    for (const [index, ms] of stepsMs.entries()) {
      if (index > 0) yield
      time.nowMs += ms
    }
    return { errorCode: 0 }
  }
  const handler = {
    apiKey: heartbeat,
    versions: [0, 4],
    listeners: ['broker'],
    authorization: 'anyone',
    handle: (_request: never, context: never) => inSteps(context, work()),
  } as unknown as Handler
  // Whatever passes between the steps is not theirs.
  const { timers } = time.environment
  const environment = {
    ...time.environment,
    timers: { ...timers, soon: (run: () => void) => void timers.after(100, run) },
  }
  const dispatcher = new Dispatcher(environment, node.config, [handler])
  const counted: number[] = []
  const quotas = {
    isActive: true,
    recordRequestMs: (_subject: object, tookMs: number) => {
      counted.push(tookMs)
      return 0
    },
  }
  dispatcher.attach({ quotas } as unknown as Services)
  const connection = {
    listenerKind: 'broker',
    principal: new Principal('User', 'alice'),
    clientSoftware: { name: 'test', version: '1' },
  } as ConnectionInfo
  const request = { version: 4, correlationId: 1, clientId: 'c' }
  const body = { groupId: 'g', generationId: 1, memberId: 'm', groupInstanceId: null }
  const frame = encodeRequestFrame(request, messagesOf(heartbeat)!.request, body as never)
  const reply = Promise.resolve(dispatcher.serve(Buffer.concat(frame).subarray(4), connection))
  await time.pass(1_000)
  expect(await reply).toBeDefined()
  return counted
}

it('has the request quota count all steps of a request, and not what passes between them', async () => {
  expect(await charged([7])).toEqual([7])
  expect(await charged([7, 20, 30])).toEqual([57])
})
