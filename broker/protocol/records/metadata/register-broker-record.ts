/**
 * A broker has registered; the offset of this record is its broker epoch (KIP-631).
 *
 * Versions: v1 controlled shutdown; v2 ZooKeeper migration; v3 log directories (KIP-858); v4 cordoned ones (KIP-1066).
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
    /** Made anew at every start. */
    incarnationId: uuid(),
    /** Offset of the broker's registration record; fences earlier lives of the broker. */
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
    /** Always true at registration; a later record unfences. */
    fenced: bool({ default: true }),
    inControlledShutdown: bool({ versions: '1+', default: false }),
    logDirs: array({ versions: '3+', tag: 0 }, uuid()),
    /** Log directories that get no new replicas (KIP-1066). */
    cordonedLogDirs: array({ versions: '4+', nullable: '4+', tag: 1, default: null }, uuid()),
  },
})
export type RegisterBrokerRecord = Infer<typeof registerBrokerRecord>
