/**
 * BrokerHeartbeat, API key 63, v0-2.
 *
 * Keeps a broker registered; asks to be unfenced or to shut down (KIP-631).
 *
 * Versions: v1 offline log directories (KIP-858); v2 cordoned log directories (KIP-1066).
 */
import { array, bool, int16, int32, message, offset, uuid, type Infer } from '../schema.ts'

export const brokerHeartbeatRequest = message({
  key: 63,
  name: 'BrokerHeartbeatRequest',
  kind: 'request',
  versions: '0-2',
  flexible: '0+',
  fields: {
    brokerId: int32(),
    /** Offset of the broker's registration record; fences earlier lives of the broker. */
    brokerEpoch: offset({ default: -1 }),
    /** How far the broker has read; it is unfenced once that covers its registration. */
    currentMetadataOffset: offset(),
    /** The broker is not ready to lead or follow. */
    wantFence: bool(),
    /** Move leaderships away, I want to stop. */
    wantShutDown: bool(),
    /** Log directories that failed. */
    offlineLogDirs: array({ versions: '1+', tag: 0 }, uuid()),
    /** Log directories that get no new replicas (KIP-1066). */
    cordonedLogDirs: array({ versions: '2+', nullable: '2+', tag: 1, default: null }, uuid()),
  },
})
export type BrokerHeartbeatRequest = Infer<typeof brokerHeartbeatRequest>

export const brokerHeartbeatResponse = message({
  key: 63,
  name: 'BrokerHeartbeatResponse',
  kind: 'response',
  versions: '0-2',
  flexible: '0+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    isCaughtUp: bool({ default: false }),
    isFenced: bool({ default: true }),
    /** No leadership is left; the broker may stop. */
    shouldShutDown: bool(),
  },
})
export type BrokerHeartbeatResponse = Infer<typeof brokerHeartbeatResponse>
