/**
 * BrokerRegistration, UnregisterBroker and ControllerRegistration as operations of the active controller.
 *
 * A broker id belongs to one process at a time. While the session of the registered incarnation is alive, another incarnation is refused
 * with DUPLICATE_BROKER_REGISTRATION, except for a restart in place: the newcomer has the same directory ids and has bound the same
 * endpoints, so the old process cannot be running any more, and its session is ended at once instead of after broker.session.timeout.ms.
 * Whatever the old incarnation led or had in sync is given up first, just as if its session had run out.
 * Sources: KIP-631 "Broker Registration"; KIP-858 (directories); KIP-903 (broker epochs); KIP-919 (controllers).
 */
import type { BrokerImage, Endpoint, MetadataImage } from './image.ts'
import { sameValue } from './image-builder.ts'
import { removeBroker, shutDownBroker } from './leader-updates.ts'
import type { FeatureRange, MetadataRecord, RegisterBrokerRecord, Uuid } from './metadata-record.ts'
import { isRefusal, refuse } from './operation.ts'
import type { ControllerState, Operation, Refusal } from './operation.ts'
import { isReservedDirectory } from './uuid.ts'
import { metadataVersionMin } from './features.ts'

export interface BrokerRegistration {
  readonly brokerId: number
  readonly clusterId: string
  readonly incarnationId: Uuid
  readonly listeners: readonly Endpoint[]
  readonly features: readonly FeatureRange[]
  readonly rack: string | null
  readonly isMigratingZkBroker?: boolean
  readonly logDirs: readonly Uuid[]
  /** Its broker epoch at its last clean shutdown, -1 when that was not clean (v3+). */
  readonly previousBrokerEpoch?: number
}

export interface ControllerRegistration {
  readonly controllerId: number
  readonly incarnationId: Uuid
  readonly zkMigrationReady: boolean
  readonly listeners: readonly Endpoint[]
  readonly features: readonly FeatureRange[]
}

export const registerBroker: Operation<BrokerRegistration, { readonly brokerEpoch: number }> = (state, request) => {
  const { image, heartbeats, nowMs } = state
  const existing = image.brokers.get(request.brokerId)
  const features = registeredFeatures(image, request)
  const refusal = identityRefusal(state, request, existing) ?? directoryRefusal(image, request)
  if (refusal !== undefined) return refusal
  if (isRefusal(features)) return features

  const amends = existing !== undefined && existing.incarnationId === request.incarnationId
  const record: RegisterBrokerRecord = {
    type: 'RegisterBroker',
    brokerId: request.brokerId,
    isMigratingZkBroker: false,
    incarnationId: request.incarnationId,
    brokerEpoch: amends ? existing.epoch : state.nextOffset,
    endPoints: request.listeners.map(endpointOf),
    features,
    rack: request.rack,
    fenced: amends ? existing.fenced : true,
    inControlledShutdown: amends && existing.inControlledShutdown,
    logDirs: [...request.logDirs],
    // Until its first heartbeat nobody knows better.
    cordonedLogDirs: existing?.cordonedDirectories.filter(id => request.logDirs.includes(id)) ?? null,
  }
  const records: MetadataRecord[] = []
  if (!amends) {
    const cleanly = existing !== undefined && existing.epoch === request.previousBrokerEpoch
    records.push(...shutDownBroker(state, request.brokerId, cleanly))
  }
  records.push(record)
  heartbeats.register(request.brokerId, record.fenced, nowMs)
  return { records, reply: { brokerEpoch: record.brokerEpoch }, divisible: false }
}

function endpointOf({ name, host, port, securityProtocol }: Endpoint): Endpoint {
  return { name, host, port, securityProtocol }
}

function identityRefusal(
  { image, heartbeats, nowMs }: ControllerState,
  request: BrokerRegistration,
  existing: BrokerImage | undefined,
): Refusal | undefined {
  if (request.clusterId !== image.clusterId) {
    return refuse(
      'INCONSISTENT_CLUSTER_ID',
      `Expected cluster ID ${image.clusterId}, but got cluster ID ${request.clusterId}`,
    )
  }
  if (request.isMigratingZkBroker === true) {
    return refuse('BROKER_ID_NOT_REGISTERED', 'Controller does not support registering ZK brokers.')
  }
  if (
    existing !== undefined &&
    existing.incarnationId !== request.incarnationId &&
    heartbeats.hasValidSession(request.brokerId, nowMs) &&
    !restartsInPlace(existing, request)
  ) {
    return refuse('DUPLICATE_BROKER_REGISTRATION', 'Another broker is registered with that broker id.')
  }
  return undefined
}

/**
 * The same directories at the same addresses: a port has one owner, and a broker registers only after it has bound its listeners and
 * opened its directories, so the former owner of both is gone. A copied disk on another machine has another address.
 */
function restartsInPlace(existing: BrokerImage, request: BrokerRegistration): boolean {
  return (
    existing.directories.length > 0 &&
    sameValue([...existing.directories].sort(), [...request.logDirs].sort()) &&
    sameValue(addresses(existing.endpoints), addresses(request.listeners))
  )
}

const addresses = (endpoints: readonly Endpoint[]) => endpoints.map(({ host, port }) => `${host}:${port}`).sort()

function directoryRefusal(image: MetadataImage, request: BrokerRegistration): Refusal | undefined {
  const { logDirs, brokerId } = request
  if (logDirs.length === 0) return refuse('INVALID_REGISTRATION', 'No directories specified in request')
  if (logDirs.some(isReservedDirectory)) return refuse('INVALID_REGISTRATION', 'Reserved directory ID in request')
  if (new Set(logDirs).size !== logDirs.length) {
    return refuse('INVALID_REGISTRATION', 'Duplicate directory ID in request')
  }
  for (const broker of image.brokers.values()) {
    const shared = broker.id === brokerId ? undefined : broker.directories.find(id => logDirs.includes(id))
    if (shared !== undefined) {
      return refuse('INVALID_REGISTRATION', `Broker ${broker.id} is already registered with directory ${shared}`)
    }
  }
  return undefined
}

/** A broker must support every finalized level; one that does not speak of a feature supports level 0 only. */
function registeredFeatures(image: MetadataImage, request: BrokerRegistration): FeatureRange[] | Refusal {
  const features = request.features.map(({ name, minSupportedVersion, maxSupportedVersion }) => ({
    name,
    minSupportedVersion,
    maxSupportedVersion,
  }))
  const named = new Set(features.map(feature => feature.name))
  if (!named.has('metadata.version')) {
    features.push({
      name: 'metadata.version',
      minSupportedVersion: metadataVersionMin,
      maxSupportedVersion: metadataVersionMin,
    })
  }
  const silent = [...image.features.keys()]
    .filter(name => !named.has(name) && name !== 'metadata.version')
    .map(name => ({ name, minSupportedVersion: 0, maxSupportedVersion: 0 }))
  for (const { name, minSupportedVersion, maxSupportedVersion } of [...features, ...silent]) {
    const level = image.features.get(name) ?? (name === 'metadata.version' ? metadataVersionMin : 0)
    if (level < minSupportedVersion || level > maxSupportedVersion) {
      return refuse(
        'UNSUPPORTED_VERSION',
        `Unable to register because the broker does not support finalized version ${level} of ${name}. The broker wants a version ` +
          `between ${minSupportedVersion} and ${maxSupportedVersion}, inclusive.`,
      )
    }
  }
  return features
}

/** Reply: nothing to say. */
export const registerController: Operation<ControllerRegistration, object> = (state, request) => {
  const record: MetadataRecord = {
    type: 'RegisterController',
    controllerId: request.controllerId,
    incarnationId: request.incarnationId,
    zkMigrationReady: false,
    endPoints: request.listeners.map(endpointOf),
    features: request.features.map(({ name, minSupportedVersion, maxSupportedVersion }) => ({
      name,
      minSupportedVersion,
      maxSupportedVersion,
    })),
  }
  const existing = state.image.controllers.get(request.controllerId)
  const same =
    existing?.incarnationId === record.incarnationId &&
    sameValue(existing.endpoints, record.endPoints) &&
    sameValue(existing.features, record.features)
  return { records: same ? [] : [record], reply: {} }
}

/** Forgets a broker that will not come back, e.g. before its id is used by another. */
export const unregisterBroker: Operation<{ readonly brokerId: number }, object> = (state, { brokerId }) => {
  if (!state.image.brokers.has(brokerId)) {
    return refuse('BROKER_ID_NOT_REGISTERED', `Broker ID ${brokerId} is not currently registered`)
  }
  const records = removeBroker(state, brokerId)
  state.heartbeats.remove(brokerId)
  return { records, reply: {}, divisible: true }
}
