/**
 * BrokerRegistrationChangeRecord: metadata record type 17.
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
    brokerEpoch: offset(),
    fenced: int8({ tag: 0 }),
    inControlledShutdown: int8({ versions: '1+', tag: 1 }),
    logDirs: array({ versions: '2+', tag: 2 }, uuid()),
    cordonedLogDirs: array({ versions: '3+', nullable: '3+', tag: 3, default: null }, uuid()),
  },
})
export type BrokerRegistrationChangeRecord = Infer<typeof brokerRegistrationChangeRecord>
