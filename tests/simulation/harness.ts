/** One simulated cluster with the append workload, for scenarios written by hand. */
import { check, type Verdict } from '#scripts/checkers/check.ts'
import { SimulatedCluster } from '#scripts/cluster/simulated/simulated-cluster.ts'
import { HistoryRecorder } from '#scripts/history/recorder.ts'
import { appendDefaults, type AppendOptions, AppendWorkload } from '#scripts/workload/append.ts'
import { withVirtualGlobals } from '#simulator/clients/virtual-globals.ts'
import { brokerOfSeed } from '#simulator/seeds/broker.ts'
import { watchInvariants } from '#simulator/seeds/invariants.ts'
import type { WorldSettings } from '#simulator/world/settings.ts'
import { World } from '#simulator/world/world.ts'

export interface Scene {
  readonly world: World
  readonly cluster: SimulatedCluster
  readonly workload: AppendWorkload
}

export interface SceneOptions {
  readonly seed: number
  readonly settings?: Partial<WorldSettings>
  /** Kafka properties of all nodes. */
  readonly properties?: Readonly<Record<string, string>>
  readonly workload?: Partial<AppendOptions>
  readonly controllers?: number
  /** Brokers that join after the three that the scenario begins with, when the script starts them. */
  readonly later?: number
  /** Committed records may differ from replica to replica: the invariant that forbids it is off. */
  readonly mayLose?: boolean
}

/** Starts three brokers, runs the script, and judges what the clients saw. */
export async function scenario(
  options: SceneOptions,
  script: (scene: Scene) => Promise<void>,
): Promise<{ verdict: Verdict; world: World; workload: AppendWorkload }> {
  const world = new World({ seed: options.seed, settings: options.settings ?? {} })
  const cluster = new SimulatedCluster({
    world,
    makeBroker: brokerOfSeed.makeBroker,
    spec: {
      name: 'scenario',
      runtime: 'simulated',
      engine: 'faultline',
      brokers: 3 + (options.later ?? 0),
      controllers: options.controllers ?? 0,
      port: 0,
      settings: options.properties ?? {},
      seed: options.seed,
    },
  })
  const recorder = new HistoryRecorder({ nowMs: () => world.nowMs })
  const partitions = options.workload?.partitions ?? 2
  const workload = new AppendWorkload(cluster, recorder, 'events', {
    ...appendDefaults,
    partitions,
    producers: 2,
    ...options.workload,
  })
  watchInvariants(world, cluster, {
    view: brokerOfSeed.view,
    topic: 'events',
    partitions: options.mayLose === true ? 0 : partitions,
    logDirs: ['/data'],
  })
  await withVirtualGlobals(world, () =>
    world.run(
      async () => {
        for (const member of cluster.members) if (member.id <= 3 || member.id > 100) member.start()
        await cluster.waitReady()
        await workload.prepare()
        workload.start()
        await script({ world, cluster, workload })
      },
      { limitMs: 1_800_000 },
    ),
  )
  return { verdict: check(recorder.history), world, workload }
}

/** The checks that found something wrong. */
export function wrong(verdict: Verdict): string[] {
  return verdict.results.filter(result => result.valid === false).map(result => result.name)
}
