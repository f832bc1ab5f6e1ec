/**
 * BrokerHeartbeat, fencing and controlled shutdown as operations of the active controller. Transitions of a broker, as the controller
 * sees it:
 *
 *   fenced               -> unfenced             it wants to, and has read the metadata log up to its registration
 *   unfenced             -> fenced               it wants to, or was silent for broker.session.timeout.ms
 *   unfenced             -> controlled shutdown  it wants to stop and leads something
 *   unfenced             -> shutdown now         it wants to stop and leads nothing
 *   controlled shutdown  -> shutdown now         it leads nothing any more, and all active brokers know
 *   fenced               -> shutdown now         it wants to stop
 *
 * Source: KIP-631 "Broker Heartbeats"; Kafka's BrokerHeartbeatManager.
 */
import type { BrokerHeartbeat as HeartbeatEntry, BrokerHeartbeats } from './broker-heartbeats.ts'
import {
  beginControlledShutdown,
  directoriesOffline,
  fenceBroker,
  hasLeaderships,
  unfenceBroker,
} from './leader-updates.ts'
import { metadataVersionOf } from './features.ts'
import { brokerRegistrationChange } from './metadata-record.ts'
import type { MetadataRecord, Uuid } from './metadata-record.ts'
import { checkBrokerEpoch, isRefusal } from './operation.ts'
import type { ControllerState, Operation } from './operation.ts'
import { applyRecords, sameValue } from './image-builder.ts'

export interface BrokerHeartbeatInput {
  readonly brokerId: number
  readonly brokerEpoch: number
  readonly currentMetadataOffset: number
  readonly wantFence: boolean
  readonly wantShutDown: boolean
  readonly offlineLogDirs?: readonly Uuid[]
  readonly cordonedLogDirs?: readonly Uuid[] | null
}

export interface BrokerHeartbeatReply {
  readonly isCaughtUp: boolean
  readonly isFenced: boolean
  readonly shouldShutDown: boolean
}

type BrokerState = 'fenced' | 'unfenced' | 'controlled shutdown' | 'shutdown now'

export const brokerHeartbeat: Operation<BrokerHeartbeatInput, BrokerHeartbeatReply> = (state, request) => {
  const { image, heartbeats, nowMs } = state
  const { brokerId, brokerEpoch } = request
  const broker = checkBrokerEpoch(image, brokerId, brokerEpoch)
  if (isRefusal(broker)) return broker
  const entry = heartbeats.get(brokerId)
  if (entry === undefined) throw new Error(`broker ${brokerId} is registered but has no heartbeat entry`)
  const isCaughtUp = request.currentMetadataOffset >= brokerEpoch
  const current = currentState(entry)
  const next = nextState(state, entry, request)
  const records = current === next ? [] : recordsFor(state, next, request)
  if (next === 'controlled shutdown' && current !== next) {
    // Whoever has read this far knows of the new leaders.
    heartbeats.beginShutdown(brokerId, state.nextOffset + records.length - 1)
  }
  const isFenced = next === 'fenced' || next === 'shutdown now'
  heartbeats.touch(brokerId, { fenced: isFenced, metadataOffset: request.currentMetadataOffset, nowMs })
  records.push(...cordonedDirectoryRecords(state, request))
  records.push(...offlineDirectoryRecords(state, records, request))
  return { records, reply: { isCaughtUp, isFenced, shouldShutDown: next === 'shutdown now' }, divisible: true }
}

function currentState(entry: HeartbeatEntry): BrokerState {
  if (entry.controlledShutdownOffset >= 0) return 'controlled shutdown'
  return entry.fenced ? 'fenced' : 'unfenced'
}

function nextState(state: ControllerState, entry: HeartbeatEntry, request: BrokerHeartbeatInput): BrokerState {
  const current = currentState(entry)
  if (current === 'fenced') {
    if (request.wantShutDown) return 'shutdown now'
    return !request.wantFence && request.currentMetadataOffset >= request.brokerEpoch ? 'unfenced' : 'fenced'
  }
  const leads = () => hasLeaderships(state.image, entry.id)
  if (current === 'controlled shutdown') {
    return !leads() && everybodyKnows(state.heartbeats, entry) ? 'shutdown now' : 'controlled shutdown'
  }
  if (request.wantFence) return request.wantShutDown ? 'shutdown now' : 'fenced'
  if (!request.wantShutDown) return 'unfenced'
  return leads() ? 'controlled shutdown' : 'shutdown now'
}

function everybodyKnows(heartbeats: BrokerHeartbeats, entry: HeartbeatEntry): boolean {
  return entry.controlledShutdownOffset <= heartbeats.lowestActiveOffset()
}

function recordsFor(state: ControllerState, next: BrokerState, request: BrokerHeartbeatInput): MetadataRecord[] {
  if (next === 'unfenced') return unfenceBroker(state, request.brokerId, request.brokerEpoch)
  if (next === 'controlled shutdown') return beginControlledShutdown(state, request.brokerId)
  return state.image.brokers.get(request.brokerId)?.fenced === true ? [] : fenceBroker(state, request.brokerId)
}

/** Which of its directories the broker cordons, where that changed (KIP-1066). */
function cordonedDirectoryRecords(
  { image }: ControllerState,
  { brokerId, brokerEpoch, cordonedLogDirs }: BrokerHeartbeatInput,
): MetadataRecord[] {
  const known = image.brokers.get(brokerId)?.cordonedDirectories
  const isSupported = image.metadataVersion() >= metadataVersionOf.cordonedDirectories
  if (!isSupported || known === undefined || cordonedLogDirs === undefined || cordonedLogDirs === null) return []
  if (sameValue([...known].sort(), [...cordonedLogDirs].sort())) return []
  return [brokerRegistrationChange(brokerId, brokerEpoch, { cordonedLogDirs: [...cordonedLogDirs] })]
}

/** Directories that failed since; they are judged after what the heartbeat changed already. */
function offlineDirectoryRecords(
  state: ControllerState,
  before: readonly MetadataRecord[],
  { brokerId, offlineLogDirs }: BrokerHeartbeatInput,
): MetadataRecord[] {
  if (offlineLogDirs === undefined || offlineLogDirs.length === 0) return []
  const { image } = applyRecords(state.image, before, { offset: state.image.offset, epoch: state.image.epoch })
  return directoriesOffline({ ...state, image }, brokerId, offlineLogDirs)
}

/** Fences the broker that has been silent for longest, if its session is over: one at a time, so that each sees the effect of the former. */
export const fenceOneStaleBroker: Operation<undefined, { readonly fenced: number | undefined }> = state => {
  const { heartbeats } = state
  const stale = heartbeats.oneStale(state.nowMs)
  if (stale === undefined) return { records: [], reply: { fenced: undefined } }
  const records = fenceBroker(state, stale)
  heartbeats.setFenced(stale, true)
  return { records, reply: { fenced: stale }, divisible: true }
}
