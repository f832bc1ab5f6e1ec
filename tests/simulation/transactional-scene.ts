/** Three simulated brokers with one topic, for scenarios of transactions. */
import { Kafka, logLevel } from 'kafkajs'
import { SimulatedCluster } from '#scripts/cluster/simulated/simulated-cluster.ts'
import { withVirtualGlobals } from '#simulator/clients/virtual-globals.ts'
import { brokerOfSeed } from '#simulator/seeds/broker.ts'
import { watchLeaders } from '#simulator/seeds/leaders.ts'
import { World } from '#simulator/world/world.ts'
import { Wire } from '#simulator/actors/wire.ts'

export const topic = 'events'
export const partitions = [0, 1, 2]
export const stateTopic = '__transaction_state'
export const statePartitions = 2

export interface Scene {
  readonly world: World
  readonly cluster: SimulatedCluster
  readonly wire: Wire
}

/** Runs the script on three brokers with the topic in place. */
export async function onCluster(seed: number, script: (scene: Scene) => Promise<void>): Promise<void> {
  const world = new World({ seed })
  const cluster = new SimulatedCluster({
    world,
    makeBroker: brokerOfSeed.makeBroker,
    spec: {
      name: 'transactions',
      runtime: 'simulated',
      engine: 'faultline',
      brokers: 3,
      controllers: 0,
      port: 0,
      seed,
      settings: {
        'transaction.state.log.num.partitions': String(statePartitions),
        'offsets.topic.num.partitions': '2',
        'broker.session.timeout.ms': '3000',
        'broker.heartbeat.interval.ms': '500',
      },
    },
  })
  watchLeaders(world, cluster, [
    { topic, partitions: partitions.length },
    { topic: stateTopic, partitions: statePartitions },
  ])
  await withVirtualGlobals(world, () =>
    world.run(
      async () => {
        cluster.startAll()
        await cluster.waitReady()
        const admin = new Kafka({ ...cluster.kafkaOptions(), logLevel: logLevel.NOTHING }).admin()
        await admin.connect()
        await admin.createTopics({
          topics: [{ topic, numPartitions: partitions.length, replicationFactor: 3 }],
          waitForLeaders: true,
        })
        await admin.disconnect()
        const wire = new Wire(cluster)
        await script({ world, cluster, wire })
        wire.close()
      },
      { limitMs: 3_600_000 },
    ),
  )
}

/**
 * Every partition can be read to its end, and `isRight` holds for what read_committed shows of it.
 * @returns what it shows
 */
export async function readAll(
  { world, wire }: Scene,
  isRight: (values: readonly string[]) => boolean,
): Promise<string[][]> {
  const deadlineMs = world.nowMs + 60_000
  const all: string[][] = []
  for (const partition of partitions) {
    for (;;) {
      const { values, lastStableOffset, highWatermark } = await wire.readCommitted(topic, partition)
      if (lastStableOffset === highWatermark && isRight(values)) {
        all.push([...values])
        break
      }
      if (world.nowMs > deadlineMs)
        throw new Error(`${topic}-${partition} shows ${values.join()} up to ${lastStableOffset} of ${highWatermark}`)
      await world.sleep(100)
    }
  }
  return all
}
