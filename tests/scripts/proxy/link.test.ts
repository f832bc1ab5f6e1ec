/** A link whose node is back: what happens to it in the moment in which it begins to listen again. */
import { connect } from 'node:net'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { poll } from '#scripts/cluster/clock.ts'
import { portIsFree } from '#scripts/cluster/ports.ts'
import { emptyPlan } from '#scripts/proxy/link-plan.ts'
import { Link } from '#scripts/proxy/link.ts'
import { FakeNode, patienceMs } from './peers.ts'

const host = '127.0.0.1'
let node: FakeNode
let link: Link
let port: number

beforeEach(async () => {
  node = new FakeNode()
  const target = { host, port: await node.listen() }
  node.close()
  link = new Link({ from: 'client', to: 1, listener: 'client', listen: { host, port: 0 }, target, protocol: 'kafka' })
  await link.listen()
  port = link.description.listen.port
  // The node is down, so the link listens no more.
  const client = connect({ host, port })
  client.on('error', () => client.destroy())
  await new Promise(resolve => client.once('close', resolve))
  await poll(async () => (await portIsFree(port)) || undefined, { timeoutMs: patienceMs })
})
afterEach(async () => {
  await link.close()
  node.close()
})

/** Lets something happen while the link begins to listen, and waits for both. */
async function whileItComesBack(happen: () => Promise<void>): Promise<void> {
  const listen = link.listen.bind(link)
  const over = new Promise<unknown>((resolve, reject) => {
    vi.spyOn(link, 'listen').mockImplementationOnce(async () => {
      const both = Promise.all([listen(), happen()])
      both.then(resolve, reject)
      await both
    })
  })
  await node.listen(link.target.port)
  await over
}

test('it stays closed when it is closed then', async () => {
  await whileItComesBack(() => link.close())
  await expect.poll(() => portIsFree(port), { timeout: patienceMs }).toBe(true)
})

test('it stays cut when it is cut then', async () => {
  await whileItComesBack(() => link.apply({ ...emptyPlan, refusal: { hit: () => undefined } }))
  await expect.poll(() => portIsFree(port), { timeout: patienceMs }).toBe(true)
  await link.apply(emptyPlan)
  expect(await portIsFree(port)).toBe(false)
})

test('another change of its faults does not make it listen twice', async () => {
  await whileItComesBack(() => link.apply({ ...emptyPlan }))
  expect(await portIsFree(port)).toBe(false)
})
