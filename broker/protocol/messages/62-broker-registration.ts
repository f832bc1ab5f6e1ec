/**
 * BrokerRegistration, API key 62, v0-4.
 *
 * A broker makes itself known to the controller after its start and gets its broker epoch (KIP-631).
 *
 * Versions: v2 log directories (KIP-858); v3 previous broker epoch (KIP-966); v4 features whose lowest version is 0.
 */
import { array, bool, int16, int32, message, offset, string, uint16, uuid, type Infer } from '../schema.ts'

export const brokerRegistrationRequest = message({
  key: 62,
  name: 'BrokerRegistrationRequest',
  kind: 'request',
  versions: '0-4',
  flexible: '0+',
  fields: {
    brokerId: int32(),
    clusterId: string(),
    /** Made anew at every start. */
    incarnationId: uuid(),
    listeners: array({
      name: string(),
      host: string(),
      port: uint16(),
      securityProtocol: int16(),
    }),
    features: array({
      name: string(),
      minSupportedVersion: int16(),
      maxSupportedVersion: int16(),
    }),
    rack: string({ nullable: '0+' }),
    isMigratingZkBroker: bool({ versions: '1+', default: false }),
    logDirs: array({ versions: '2+', ignorable: true }, uuid()),
    /** From the clean shutdown file, -1 without one: tells whether the last stop was clean (KIP-966). */
    previousBrokerEpoch: offset({ versions: '3+', default: -1, ignorable: true }),
  },
})
export type BrokerRegistrationRequest = Infer<typeof brokerRegistrationRequest>

export const brokerRegistrationResponse = message({
  key: 62,
  name: 'BrokerRegistrationResponse',
  kind: 'response',
  versions: '0-4',
  flexible: '0+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    /** Offset of the broker's registration record; fences earlier lives of the broker. */
    brokerEpoch: offset({ default: -1 }),
  },
})
export type BrokerRegistrationResponse = Infer<typeof brokerRegistrationResponse>
