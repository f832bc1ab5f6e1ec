/**
 * A registered broker was fenced, unfenced, began to shut down, or its log directories changed.
 *
 * Versions: v1 controlled shutdown; v2 log directories (KIP-858); v3 cordoned ones (KIP-1066).
 */
import { array, int32, int8, message, offset, uuid, type Infer } from '../../schema.ts'

export const brokerRegistrationChangeRecord = message({
  key: 17,
  name: 'BrokerRegistrationChangeRecord',
  kind: 'data',
  versions: '0-3',
  flexible: '0+',
  fields: {
    brokerId: int32(),
    /** Offset of the broker's registration record; fences earlier lives of the broker. */
    brokerEpoch: offset(),
    /** -1 unfenced, 0 unchanged, 1 fenced. */
    fenced: int8({ tag: 0 }),
    /** 0 unchanged, 1 in controlled shutdown. */
    inControlledShutdown: int8({ versions: '1+', tag: 1 }),
    logDirs: array({ versions: '2+', tag: 2 }, uuid()),
    /** Log directories that get no new replicas (KIP-1066). */
    cordonedLogDirs: array({ versions: '3+', nullable: '3+', tag: 3, default: null }, uuid()),
  },
})
export type BrokerRegistrationChangeRecord = Infer<typeof brokerRegistrationChangeRecord>
