/**
 * Control records.
 */
import { array, int16, int32, message, offset, string, struct, uint16, uuid, type Infer } from '../schema.ts'

export const controlRecordTypeSchema = message({
  name: 'ControlRecordTypeSchema',
  kind: 'data',
  versions: '0',
  flexible: 'none',
  fields: {
    type: int16(),
  },
})
export type ControlRecordTypeSchema = Infer<typeof controlRecordTypeSchema>

export const endTxnMarker = message({
  name: 'EndTxnMarker',
  kind: 'data',
  versions: '0',
  flexible: 'none',
  fields: {
    coordinatorEpoch: int32(),
  },
})
export type EndTxnMarker = Infer<typeof endTxnMarker>

/** Shared by several fields below. */
const voter = {
  voterId: int32(),
  voterDirectoryId: uuid({ versions: '1+' }),
}

export const leaderChangeMessage = message({
  name: 'LeaderChangeMessage',
  kind: 'data',
  versions: '0-1',
  flexible: '0+',
  fields: {
    version: int16(),
    leaderId: int32(),
    voters: array(voter),
    grantingVoters: array(voter),
  },
})
export type LeaderChangeMessage = Infer<typeof leaderChangeMessage>

export const snapshotHeaderRecord = message({
  name: 'SnapshotHeaderRecord',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    version: int16(),
    lastContainedLogTimestamp: offset(),
  },
})
export type SnapshotHeaderRecord = Infer<typeof snapshotHeaderRecord>

export const snapshotFooterRecord = message({
  name: 'SnapshotFooterRecord',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    version: int16(),
  },
})
export type SnapshotFooterRecord = Infer<typeof snapshotFooterRecord>

export const kraftVersionRecord = message({
  name: 'KRaftVersionRecord',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    version: int16(),
    kRaftVersion: int16(),
  },
})
export type KraftVersionRecord = Infer<typeof kraftVersionRecord>

export const votersRecord = message({
  name: 'VotersRecord',
  kind: 'data',
  versions: '0',
  flexible: '0+',
  fields: {
    version: int16(),
    voters: array({
      voterId: int32(),
      voterDirectoryId: uuid(),
      endpoints: array({
        name: string(),
        host: string(),
        port: uint16(),
      }),
      kRaftVersionFeature: struct({
        minSupportedVersion: int16(),
        maxSupportedVersion: int16(),
      }),
    }),
  },
})
export type VotersRecord = Infer<typeof votersRecord>
