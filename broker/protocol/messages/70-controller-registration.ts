/**
 * ControllerRegistration, API key 70, v0.
 *
 * A controller makes itself known to the active one (KIP-919).
 */
import { array, bool, int16, int32, message, string, uint16, uuid, type Infer } from '../schema.ts'

export const controllerRegistrationRequest = message({
  key: 70,
  name: 'ControllerRegistrationRequest',
  kind: 'request',
  versions: '0',
  flexible: '0+',
  fields: {
    controllerId: int32(),
    /** Made anew at every start. */
    incarnationId: uuid(),
    zkMigrationReady: bool(),
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
  },
})
export type ControllerRegistrationRequest = Infer<typeof controllerRegistrationRequest>

export const controllerRegistrationResponse = message({
  key: 70,
  name: 'ControllerRegistrationResponse',
  kind: 'response',
  versions: '0',
  flexible: '0+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+' }),
  },
})
export type ControllerRegistrationResponse = Infer<typeof controllerRegistrationResponse>
