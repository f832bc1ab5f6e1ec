/**
 * UpdateFeatures as an operation: raises and lowers the levels of features. All updates of a request are made, or none. A level is
 * refused unless this controller and every registered node supports it; metadata.version is lowered only over levels that wrote no other
 * metadata.
 * Sources: KIP-584, KIP-778 (kinds of downgrade), KIP-1022; messages as Kafka's FeatureControlManager.
 */
import { parseVoters } from '../config/listeners.ts'
import { elrSafetyRecords } from './elr-settings.ts'
import { metadataVersionOf, supportedFeature, supportedFeatures } from './features.ts'
import type { FeatureRange, MetadataRecord } from './metadata-record.ts'
import { itemError } from './operation.ts'
import type { ControllerState, ItemError, Operation } from './operation.ts'

export interface UpdateFeaturesInput {
  readonly featureUpdates: readonly FeatureUpdate[]
  readonly validateOnly: boolean
}

interface FeatureUpdate {
  readonly feature: string
  readonly maxVersionLevel: number
  /** 1 upgrade, 2 downgrade that loses nothing, 3 any downgrade. */
  readonly upgradeType: number
}

/** Why nothing was updated; undefined when all was. */
export interface UpdateFeaturesReply {
  readonly failure: ItemError | undefined
}

const upgradeTypes = { upgrade: 1, safeDowngrade: 2, unsafeDowngrade: 3 } as const
const metadataVersionName = 'metadata.version'

/** Levels of metadata.version that brought records or fields which an older level does not have. */
const levelsWithNewMetadata: readonly number[] = [7, 8, 11, 13, 14, 15, 17, 23, 30]

export const updateFeatures: Operation<UpdateFeaturesInput, UpdateFeaturesReply> = (state, request) => {
  // The last one counts when a feature is named more than once.
  const updates = new Map(request.featureUpdates.map(update => [update.feature, update]))
  const proposed = new Map(state.image.features)
  for (const { feature, maxVersionLevel } of updates.values()) proposed.set(feature, maxVersionLevel)
  const records: MetadataRecord[] = []
  for (const update of updates.values()) {
    const failure = updateError(state, update, proposed)
    if (failure !== undefined) return { records: [], reply: { failure } }
    const { feature, maxVersionLevel: level } = update
    records.push(...elrSafetyRecords(state, { feature, level }))
    records.push({ type: 'FeatureLevel', name: feature, featureLevel: level })
  }
  return { records: request.validateOnly ? [] : records, reply: { failure: undefined } }
}

function updateError(
  state: ControllerState,
  { feature, maxVersionLevel: level, upgradeType }: FeatureUpdate,
  proposed: ReadonlyMap<string, number>,
): ItemError | undefined {
  const current = state.image.features.get(feature) ?? 0
  const invalid = (reason: string): ItemError =>
    itemError('INVALID_UPDATE_VERSION', `Invalid update version ${level} for feature ${feature}. ${reason}`)
  if (!Object.values<number>(upgradeTypes).includes(upgradeType)) {
    return invalid('The controller does not support the given upgrade type.')
  }
  if (level < 0) return invalid('A feature version cannot be less than 0.')
  const unsupported = reasonNotSupported(state, feature, level)
  if (unsupported !== undefined) return invalid(unsupported)
  if (level < current && upgradeType === upgradeTypes.upgrade) {
    return invalid(
      "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe downgrade.",
    )
  }
  if (level > current && upgradeType !== upgradeTypes.upgrade) return invalid("Can't downgrade to a newer version.")
  if (feature === metadataVersionName) return metadataDowngradeError(current, level, upgradeType)
  const missing = missingDependency(feature, level, proposed)
  return missing === undefined ? undefined : invalid(missing)
}

/** Why a node of the cluster could not live with this level. */
function reasonNotSupported(state: ControllerState, feature: string, level: number): string | undefined {
  const { image, nodeId, config } = state
  const own = supportedFeature(feature)
  const local = { name: feature, minSupportedVersion: own?.minVersion ?? 0, maxSupportedVersion: own?.maxVersion ?? 0 }
  const reason = rangeError(`Local controller ${nodeId}`, level, local)
  if (reason !== undefined) return reason
  const rangeOf = (ranges: readonly FeatureRange[]): FeatureRange =>
    ranges.find(({ name }) => name === feature) ?? { name: feature, minSupportedVersion: 0, maxSupportedVersion: 0 }
  for (const { id, features } of image.brokers.values()) {
    const unable = rangeError(`Broker ${id}`, level, rangeOf(features))
    if (unable !== undefined) return unable
  }
  if (image.metadataVersion() < metadataVersionOf.controllerRegistration) return undefined
  for (const { id, features } of image.controllers.values()) {
    const unable = id === nodeId ? undefined : rangeError(`Controller ${id}`, level, rangeOf(features))
    if (unable !== undefined) return unable
  }
  const silent = parseVoters(config).find(({ id }) => id !== nodeId && !image.controllers.has(id))
  return silent && `controller ${silent.id} has not registered, and may not support this feature`
}

function rangeError(who: string, level: number, range: FeatureRange): string | undefined {
  const { minSupportedVersion: min, maxSupportedVersion: max } = range
  if (level >= min && level <= max) return undefined
  if (max === 0) return `${who} does not support this feature.`
  return `${who} only supports versions ${min === max ? min : `${min}-${max}`}`
}

function metadataDowngradeError(current: number, level: number, upgradeType: number): ItemError | undefined {
  if (level >= current) return undefined
  if (!levelsWithNewMetadata.some(changed => changed > level && changed <= current)) return undefined
  const reason =
    upgradeType === upgradeTypes.unsafeDowngrade
      ? 'Unsafe metadata downgrade is not supported in this version.'
      : 'Refusing to perform the requested downgrade because it might delete metadata information.'
  const message = `Unsupported metadata.version downgrade from ${current} to ${level}. ${reason}`
  return itemError('INVALID_UPDATE_VERSION', message)
}

function missingDependency(name: string, level: number, proposed: ReadonlyMap<string, number>): string | undefined {
  const needs = supportedFeatures.find(feature => feature.name === name)?.needs ?? []
  const missing = needs.find(need => level >= need.level && (proposed.get(need.feature) ?? 0) < need.atLeast)
  return (
    missing && `${name} could not be set to ${level} because it depends on ${missing.feature} level ${missing.atLeast}`
  )
}
