/**
 * DescribeLogDirs, API key 35, v1-5.
 *
 * Log directories of a broker and what lies in them.
 *
 * Versions: v2 flexible; v3 top-level error; v4 size of the volume (KIP-827); v5 cordoned directories (KIP-1066).
 */
import { array, bool, int16, int32, message, offset, string, type Infer } from '../schema.ts'

export const describeLogDirsRequest = message({
  key: 35,
  name: 'DescribeLogDirsRequest',
  kind: 'request',
  versions: '1-5',
  flexible: '2+',
  fields: {
    topics: array(
      { nullable: '0+' },
      {
        topic: string(),
        partitions: array(int32()),
      },
    ),
  },
})
export type DescribeLogDirsRequest = Infer<typeof describeLogDirsRequest>

export const describeLogDirsResponse = message({
  key: 35,
  name: 'DescribeLogDirsResponse',
  kind: 'response',
  versions: '1-5',
  flexible: '2+',
  fields: {
    /** How long the client was, or should be, held back for a quota, ms. */
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16({ versions: '3+', ignorable: true }),
    results: array({
      errorCode: int16(),
      logDir: string(),
      topics: array({
        name: string(),
        partitions: array({
          partitionIndex: int32(),
          partitionSize: offset(),
          offsetLag: offset(),
          isFutureKey: bool(),
        }),
      }),
      totalBytes: offset({ versions: '4+', default: -1, ignorable: true }),
      usableBytes: offset({ versions: '4+', default: -1, ignorable: true }),
      isCordoned: bool({ versions: '5+', default: false, ignorable: true }),
    }),
  },
})
export type DescribeLogDirsResponse = Infer<typeof describeLogDirsResponse>
