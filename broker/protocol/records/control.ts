/**
 * Keys and values of control records: batches that steer the log itself and that consumers never see.
 *
 * Every key is the version and then the type: 0 abort, 1 commit, 2 leader change, 3 snapshot header, 4 snapshot footer, 5 kraft.version,
 * 6 voters. Source: KIP-98, KIP-595, KIP-630, KIP-853.
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
    /** Fences markers of a coordinator that has been replaced. */
    coordinatorEpoch: int32(),
  },
})
export type EndTxnMarker = Infer<typeof endTxnMarker>

/** Shared by several fields below. */
const voter = {
  /** Node id of the voter. */
  voterId: int32(),
  /** Id of the directory that holds the voter's metadata log (KIP-853). */
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
    /** Voters that made the leader. */
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
      /** Node id of the voter. */
      voterId: int32(),
      /** Id of the directory that holds the voter's metadata log (KIP-853). */
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
