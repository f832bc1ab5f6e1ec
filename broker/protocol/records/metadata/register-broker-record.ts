/**
 * RegisterBrokerRecord: metadata record type 0.
 */
import { array, bool, int16, int32, message, offset, string, uint16, uuid, type Infer } from '../../schema.ts'

export const registerBrokerRecord = message({
  key: 0,
  name: 'RegisterBrokerRecord',
  kind: 'data',
  versions: '0-4',
  flexible: '0+',
  fields: {
    brokerId: int32(),
    isMigratingZkBroker: bool({ versions: '2+', default: false }),
    incarnationId: uuid(),
    brokerEpoch: offset(),
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
    rack: string({ nullable: '0+' }),
    fenced: bool({ default: true }),
    inControlledShutdown: bool({ versions: '1+', default: false }),
    logDirs: array({ versions: '3+', tag: 0 }, uuid()),
    cordonedLogDirs: array({ versions: '4+', nullable: '4+', tag: 1, default: null }, uuid()),
  },
})
export type RegisterBrokerRecord = Infer<typeof registerBrokerRecord>
