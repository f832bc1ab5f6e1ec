/**
 * BrokerHeartbeat, API key 63, v0-2.
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
    brokerEpoch: offset({ default: -1 }),
    currentMetadataOffset: offset(),
    wantFence: bool(),
    wantShutDown: bool(),
    offlineLogDirs: array({ versions: '1+', tag: 0 }, uuid()),
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
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    isCaughtUp: bool({ default: false }),
    isFenced: bool({ default: true }),
    shouldShutDown: bool(),
  },
})
export type BrokerHeartbeatResponse = Infer<typeof brokerHeartbeatResponse>
