/** kafkajs, unmodified, against the fake broker while its link and its process break. Run as a program it prints the fingerprint. */
import { pathToFileURL } from 'node:url'
import { Kafka, logLevel } from 'kafkajs'
import { socketFactory } from '#simulator/clients/virtual-socket.ts'
import { withVirtualGlobals } from '#simulator/clients/virtual-globals.ts'
import type { Drain } from '#simulator/world/drain.ts'
import { World } from '#simulator/world/world.ts'
import { startFakeBroker } from './fake-broker.ts'

export interface KafkaJsRun {
  readonly hash: string
  readonly events: number
  readonly sent: number
  readonly virtualMs: number
}

export async function runKafkaJs(seed: number, drain: Drain = 'microtask'): Promise<KafkaJsRun> {
  const world = new World({ seed, drain, settings: { sliceOneIn: 3 } })
  const broker = world.node('broker-1')
  const client = world.node('client')
  client.start()
  const sent = await withVirtualGlobals(world, () =>
    world.run(async () => {
      await startFakeBroker(broker.start(), 'broker-1')
      const breaking = breakThings(world)
      const count = await produce(client)
      await breaking
      return count
    }),
  )
  return { hash: world.hash, events: world.eventsRun, sent, virtualMs: world.nowMs }
}

async function produce(client: ReturnType<World['node']>): Promise<number> {
  const retry = { retries: 20, initialRetryTime: 100, maxRetryTime: 2000, factor: 0.2, multiplier: 2 }
  const kafka = new Kafka({
    brokers: ['broker-1:9092'],
    logLevel: logLevel.NOTHING,
    socketFactory: socketFactory(client) as never,
    requestTimeout: 3000,
    connectionTimeout: 1000,
    retry,
  })
  const producer = kafka.producer({ retry })
  await producer.connect()
  let sent = 0
  for (let index = 0; index < 30; index++) {
    await producer.send({ topic: 'events', messages: [{ value: `message ${index} of ${Math.random()}` }] })
    sent++
    await new Promise(resolve => {
      setTimeout(resolve, 200)
    })
  }
  await producer.disconnect()
  return sent
}

async function breakThings(world: World): Promise<void> {
  const broker = world.node('broker-1')
  await world.sleep(1500)
  world.network.cut('client', 'broker-1')
  await world.sleep(4000)
  world.network.heal('client', 'broker-1')
  await world.sleep(2000)
  broker.kill()
  await world.sleep(700)
  await startFakeBroker(broker.start(), 'broker-1')
  await world.sleep(1000)
  broker.pause()
  await world.sleep(1000)
  broker.resume()
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  console.log(JSON.stringify(await runKafkaJs(Number(process.argv[2] ?? 1))))
}
