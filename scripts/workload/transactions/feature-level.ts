/** The level of a feature of the cluster: what kafka-features.sh upgrade and downgrade do. */
import { updateFeaturesRequest, updateFeaturesResponse } from '#broker/protocol/messages/57-update-features.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { Calls } from './calls.ts'

/** The version that tells an upgrade from a downgrade. */
const update = { request: updateFeaturesRequest, response: updateFeaturesResponse, newest: 1 }
const upgradeTypes = { upgrade: 1, safeDowngrade: 2 } as const
const timeoutMs = 10_000
const retryMs = 50
const patienceMs = 30_000

/** Resolves when every broker tells its clients of the new level. */
export async function setFeatureLevel(cluster: Cluster, feature: string, level: number): Promise<void> {
  const calls = new Calls(cluster)
  try {
    const before = await calls.featureLevelOf(feature)
    if (before === level) return
    const upgradeType = level > before ? upgradeTypes.upgrade : upgradeTypes.safeDowngrade
    const featureUpdates = [{ feature, maxVersionLevel: level, upgradeType }]
    await calls.patiently(
      `level ${level} of ${feature}`,
      async () => await calls.anyBroker(update, { timeoutMs, featureUpdates, validateOnly: false }),
      ({ errorCode, results }) => errorCode || (results[0]?.errorCode ?? 0),
    )
    for (const broker of calls.brokers) await isKnown(calls, broker, feature, level)
  } finally {
    calls.close()
  }
}

async function isKnown(calls: Calls, broker: number, feature: string, level: number): Promise<void> {
  const { clock } = calls.cluster
  const endMs = clock.nowMs() + patienceMs
  while ((await calls.featureLevel(feature, broker)) !== level) {
    if (clock.nowMs() >= endMs) throw new Error(`broker ${broker} did not hear of level ${level} of ${feature}`)
    await clock.sleep(retryMs)
  }
}
