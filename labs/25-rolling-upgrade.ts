/**
 * Lab 25: can every broker be taken away and brought back as another version while clients work, and when is there no way back?
 * Setup: 3 brokers which are also the controllers, replication factor 3, min.insync.replicas 2, acks=all, idempotent producers that try again.
 *   A cluster of an older release of Apache Kafka becomes the newest one; any other cluster has one version and is restarted as it is.
 * Fault: one broker after the other shuts down in an orderly way, stays away while clients go on, and comes back as the new version; the last one
 *   goes back to the old version once more. Then metadata.version is raised.
 * Expect: every send is acknowledged, nothing is lost. A metadata.version that not every node supports is refused; one that all support is taken,
 *   and the way back to the lowest that all support, across levels that brought new kinds of metadata, is refused.
 * Control: with replication factor 2 and min.insync.replicas=2 one broker that is away must be caught failing sends. And acks=1 with a kill instead
 *   of an orderly shutdown must be caught losing records.
 */
import { allChecks } from '#scripts/checkers/check.ts'
import { factCheck } from '#scripts/checkers/facts.ts'
import { sendsAcknowledged } from '#scripts/checkers/sends-acknowledged.ts'
import { newerRelease } from '#scripts/cluster/apache-kafka/release.ts'
import { driving, lab, quickFailover } from '#scripts/labs/lab.ts'
import type { LabRun, Script } from '#scripts/labs/script.ts'
import { acksOneControl } from '#scripts/labs/scripts.ts'
import { followerOf, node } from '#scripts/labs/targets.ts'
import { appendDefaults, AppendWorkload } from '#scripts/workload/append.ts'
import { featureLevels, setFeatureLevel, type FeatureLevels } from '#scripts/workload/features.ts'
import { Links } from '#scripts/workload/links.ts'

const feature = 'metadata.version'
const brokers = [1, 2, 3]

/** Asked of each broker in turn: which level it supports, and which one the cluster has as it knows. */
async function levels(run: LabRun): Promise<readonly FeatureLevels[]> {
  return await withLinks(run, async links => {
    const found: FeatureLevels[] = []
    for (const broker of brokers) found.push(await links.ask(broker, client => featureLevels(client, feature)))
    return found
  })
}

/** @returns the error code */
async function setLevel(run: LabRun, level: number, how: 'upgrade' | 'safeDowngrade'): Promise<number> {
  return await withLinks(run, async links => {
    const { errorCode } = await links.ask(1, client => setFeatureLevel(client, { feature, level, how }))
    return errorCode
  })
}

async function withLinks<T>({ cluster }: LabRun, work: (links: Links) => Promise<T>): Promise<T> {
  const links = new Links(cluster, 15_000)
  try {
    return await work(links)
  } finally {
    links.close()
  }
}

/** It is away for as long as writers need to go on without it. */
async function bringBackAs(run: LabRun, id: number, version: string | undefined): Promise<void> {
  await run.stop(node(id))
  await run.acknowledged(40)
  if (version !== undefined) await run.cluster.versions?.set(id, version)
  await run.start(node(id))
  await run.ready()
  await run.acknowledged(20)
}

const tooNew = 'error of a level that not all nodes support'
const raised = 'error of the level that all support'
const levelBefore = 'metadata.version before'
const levelAfter = 'metadata.version afterwards'
const lowest = 'lowest level that all nodes support'
const lowered = 'error of the way back to the lowest level'

const roll: Script = async run => {
  const { spec, versions } = run.cluster
  const { engineVersion } = spec
  const release = versions === undefined ? undefined : newerRelease(spec)
  if (release !== undefined) await versions?.prepare(release)
  run.step('healthy')
  await run.acknowledged(60)
  const before = (await levels(run))[0]?.finalized ?? -1
  run.fact(levelBefore, before)
  for (const id of brokers) {
    run.step(release === undefined ? `broker ${id} is restarted` : `broker ${id} becomes ${release}`)
    await bringBackAs(run, id, release)
    if (id !== brokers[0]) continue
    run.step('a metadata.version is asked for that only some of the nodes support, or none')
    const supported = (await levels(run)).map(each => each.supported.max)
    const [most, least] = [Math.max(...supported), Math.min(...supported)]
    run.fact(tooNew, await setLevel(run, most > least ? most : most + 1, 'upgrade'))
  }
  if (release !== undefined) {
    run.step(`broker 3 goes back to ${engineVersion}, and forward again`)
    await bringBackAs(run, 3, engineVersion)
    await bringBackAs(run, 3, release)
  }
  run.step('metadata.version is raised to what all nodes support')
  const all = Math.min(...(await levels(run)).map(each => each.supported.max))
  run.fact(raised, await setLevel(run, all, 'upgrade'))
  await run.acknowledged(40)
  run.fact(levelAfter, (await levels(run))[0]?.finalized ?? -1)
  // Not the level before: between neighbours there may be no new metadata, and then Kafka takes the way back.
  const least = Math.max(...(await levels(run)).map(each => each.supported.min))
  run.step(`and is to be lowered to ${least}, the lowest that all nodes support`)
  run.fact(lowest, least)
  run.fact(lowered, await setLevel(run, least, 'safeDowngrade'))
  await run.acknowledged(40)
}

/** Writers give up soon, and the broker stays away for longer than that. */
const oneTooFew = driving(
  ({ cluster, recorder, topic }) =>
    new AppendWorkload(cluster, recorder, topic, {
      ...appendDefaults,
      partitions: 1,
      replicationFactor: 2,
      retries: 3,
    }),
  async (run, workload) => {
    run.step('healthy')
    await run.acknowledged(40)
    run.step('one of two replicas is taken away for maintenance')
    const [away = -1] = await run.stop(followerOf(0))
    await workload.moreUnacknowledged(1)
    run.step('it comes back')
    await run.start(node(away))
    await run.ready()
    await run.acknowledged(20)
  },
)

/** INVALID_UPDATE_VERSION */
const refused = 95

const gate = factCheck({
  name: 'metadata-version-is-a-gate',
  promise:
    'A metadata.version that not every node supports was refused, the one that all support was taken, and the way back to the lowest was refused.',
  about: [tooNew, raised, levelBefore, levelAfter, lowest, lowered],
  broken: facts =>
    facts[tooNew] === refused &&
    facts[raised] === 0 &&
    facts[lowered] === refused &&
    Number(facts[levelAfter]) >= Number(facts[levelBefore])
      ? undefined
      : `A level that not all support was answered with error ${facts[tooNew]}, the one that all support with ${facts[raised]} (from ${facts[levelBefore]} to ${facts[levelAfter]}), the way back to ${facts[lowest]} with ${facts[lowered]}.`,
})

export default lab({
  name: '25-rolling-upgrade',
  difficulty: 2,
  lesson:
    'To upgrade a cluster, its brokers are stopped and started one by one, so that for a while old and new ones work together. An orderly shutdown (SIGTERM) first moves the leaders of the broker to other replicas in sync and takes it out of the in-sync sets; a kill does neither. With replication factor 3 and min.insync.replicas=2 one broker may be away and writes go on; clients that ask the wrong broker meanwhile get NOT_LEADER_OR_FOLLOWER, look again who leads, and try again. Which records are written into the metadata log follows the feature metadata.version, a number for the whole cluster that an operator sets (kafka-features, API UpdateFeatures); each node says which levels it supports (ApiVersions).',
  exercises: [
    'Run it from an older release: lab run 25 --engine apache-kafka:3.9.1. Which metadata.version has that cluster before, and which afterwards?',
    'Give the producers fewer tries (retries: 3 in the workload of main). Is every send still acknowledged?',
    'Kill the brokers instead of stopping them, with acks=all. What is different in the gaps between acknowledgements? Is anything lost?',
    'Let two of three brokers be away at once. What do writers get, and what happens to the quorum?',
    'Raise metadata.version after the first broker is new. What does the controller say, and why does it know?',
  ],
  summary:
    'One broker after the other becomes another version under load: every send is acknowledged, and metadata.version decides when there is no way back.',
  question:
    'All brokers of a cluster have been replaced by a newer version, one by one. Something is wrong with it, and you want the old version back. Until when is that possible?',
  prediction: {
    choices: [
      'Always: the log segments have had the same format for years',
      'Until the first broker of the new version has been the active controller',
      'Until metadata.version has been raised to a level that the old version does not know',
      'Never: the new version has converted the data directories',
    ],
    answer: 2,
  },
  topology: { brokers: 3, controllers: 0, settings: quickFailover },
  needs: ['kill', 'stop', 'pause', 'restart'],
  variants: [
    {
      name: 'main',
      summary: 'one broker after the other is stopped and comes back, as a newer version if there is one; acks=all',
      role: 'main',
      workload: {},
      script: roll,
      checks: [...allChecks, sendsAcknowledged, gate],
      expect: 'valid',
    },
    {
      name: 'two-replicas',
      summary: 'replication factor 2 with min.insync.replicas=2: one broker is away, and no write can be acknowledged',
      role: 'control',
      ...oneTooFew,
      checks: [...allChecks, sendsAcknowledged],
      expect: ['sends-acknowledged'],
    },
    acksOneControl('acks=1 and a kill instead of an orderly shutdown: the leader had what nobody else has'),
  ],
  watch: [
    'The in-sync sets: each broker leaves them when it is told to stop, before it is gone, and joins them again when it has caught up.',
    'Elections come before the end of a broker, not after it: gaps between acknowledgements are short. In the control acks-1 somebody must first notice that the leader is gone.',
    'The facts about metadata.version: it stays what it was while versions are mixed, and the controller refuses what one node could not read.',
    'In the control two-replicas: NOT_ENOUGH_REPLICAS. It is safe, since nothing is lost, and it is not available. Raise min.insync.replicas with the replication factor in mind.',
  ],
  explanation:
    'Two things make it work. The shutdown is a conversation: the broker tells the controller that it wants to go, the controller elects other leaders for its partitions and takes it out of the in-sync sets, and only then lets it end. And min.insync.replicas is one less than the replication factor, so that one broker may be missing. What is left for clients is to ask again, which they do. Versions can be mixed because nodes say in which versions they speak each API, and because what goes into the metadata log is decided by metadata.version, not by the program: as long as it is the old level, the new program writes what the old one can read, and each broker can go back. The controller raises it only when every registered node supports it. Afterwards records may be there that an older program does not know; a level is lowered only across levels that brought no new kind of metadata. Between neighbours there may be none, and then the way back is open (from 4.1 to 4.0, for one); to the lowest level that all nodes support, which is what the lab asks for, it is closed. That is why one runs the new version for some days before the last step. Upgrades from ZooKeeper, and levels that are lowered with a loss, are other stories: Kafka refuses the latter.',
  reading: [
    'Kafka documentation, "Upgrading": https://kafka.apache.org/documentation/#upgrade',
    'KIP-584, versioning of features: https://cwiki.apache.org/confluence/display/KAFKA/KIP-584',
    'KIP-778, upgrades in KRaft mode: https://cwiki.apache.org/confluence/display/KAFKA/KIP-778',
    'KIP-1022, dependencies between features: https://cwiki.apache.org/confluence/display/KAFKA/KIP-1022',
  ],
})
