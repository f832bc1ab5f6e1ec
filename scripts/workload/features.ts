/** Feature levels, metadata.version first of all: what each broker supports, what the cluster has decided on, and asking for another one. */
import { codec } from '#broker/protocol/codec.ts'
import { apiVersionsResponse } from '#broker/protocol/messages/18-api-versions.ts'
import { updateFeaturesRequest, updateFeaturesResponse } from '#broker/protocol/messages/57-update-features.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { Writer } from '../cluster/wire-format.ts'
import type { WireClient } from '../cluster/wire.ts'
import { Calls } from './transactions/calls.ts'

export interface FeatureLevels {
  /** Of the broker that is asked; 0 and 0: it does not know the feature. */
  readonly supported: { readonly min: number; readonly max: number }
  /** What the cluster works with, as that broker has heard; 0: off. */
  readonly finalized: number
}

/** ApiVersions v3. */
export async function featureLevels(client: WireClient, feature: string): Promise<FeatureLevels> {
  // The first tags belong to the header of the request; the header of the response has none, in no version (KIP-511).
  const body = new Writer().noTags().compactString('faultline-toolkit').compactString('1').noTags()
  const answer = await client.request(18, 3, body)
  const { supportedFeatures, finalizedFeatures } = codec(apiVersionsResponse, 3).decode(answer.rest())
  const own = supportedFeatures.find(({ name }) => name === feature)
  const decided = finalizedFeatures.find(({ name }) => name === feature)
  return {
    supported: { min: own?.minVersion ?? 0, max: own?.maxVersion ?? 0 },
    finalized: decided?.maxVersionLevel ?? 0,
  }
}

const upgradeTypes = { upgrade: 1, safeDowngrade: 2 } as const

/**
 * UpdateFeatures v1 of one feature; whoever is asked hands it to the controller.
 *
 * @returns the error code of the whole, or of the feature, and what the controller says
 */
export async function setFeatureLevel(
  client: WireClient,
  {
    feature,
    level,
    how,
  }: { readonly feature: string; readonly level: number; readonly how: keyof typeof upgradeTypes },
): Promise<{ readonly errorCode: number; readonly message: string }> {
  const request = {
    timeoutMs: 10_000,
    featureUpdates: [{ feature, maxVersionLevel: level, upgradeType: upgradeTypes[how] }],
    validateOnly: false,
  }
  const bytes = new Writer().bytes(codec(updateFeaturesRequest, 1).encodeToBuffer(request))
  const answer = await client.request(57, 1, bytes, { flexible: true })
  const { errorCode, errorMessage, results } = codec(updateFeaturesResponse, 1).decode(answer.rest())
  const [result] = results
  if (errorCode !== 0 || result === undefined) return { errorCode, message: errorMessage ?? '' }
  return { errorCode: result.errorCode, message: result.errorMessage ?? '' }
}

const retryMs = 50
const patienceMs = 30_000

/** The level that the cluster works with, as the first broker that answers knows it; 0: off, or unknown. */
export async function finalizedLevel(calls: Calls, feature: string): Promise<number> {
  return (await calls.onAny(client => featureLevels(client, feature))).finalized
}

/** What kafka-features.sh upgrade and downgrade do; resolves when every broker tells its clients of the new level. */
export async function reachFeatureLevel(cluster: Cluster, feature: string, level: number): Promise<void> {
  const calls = new Calls(cluster)
  try {
    const before = await finalizedLevel(calls, feature)
    if (before === level) return
    const how = level > before ? 'upgrade' : 'safeDowngrade'
    await calls.patiently(
      `level ${level} of ${feature}`,
      async () => await calls.onAny(client => setFeatureLevel(client, { feature, level, how })),
      ({ errorCode }) => errorCode,
    )
    for (const broker of calls.brokers) await isKnown(calls, broker, feature, level)
  } finally {
    calls.close()
  }
}

async function isKnown(calls: Calls, broker: number, feature: string, level: number): Promise<void> {
  const { clock } = calls.cluster
  const endMs = clock.nowMs() + patienceMs
  while ((await calls.on(broker, client => featureLevels(client, feature))).finalized !== level) {
    if (clock.nowMs() >= endMs) throw new Error(`broker ${broker} did not hear of level ${level} of ${feature}`)
    await clock.sleep(retryMs)
  }
}
