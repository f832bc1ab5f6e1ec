/**
 * A controller has registered (KIP-919).
 */
import { array, bool, int16, int32, message, string, uint16, uuid, type Infer } from '../../schema.ts'

export const registerControllerRecord = message({
  key: 27,
  name: 'RegisterControllerRecord',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    controllerId: int32(),
    /** Made anew at every start. */
    incarnationId: uuid(),
    zkMigrationReady: bool(),
    endPoints: array({
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
export type RegisterControllerRecord = Infer<typeof registerControllerRecord>
