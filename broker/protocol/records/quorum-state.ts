/**
 * What a voter must not forget: leader, epoch and vote, in the file `quorum-state` (JSON with these field names, and data_version).
 *
 * Versions: v0 lists the voters and belongs to kraft.version 0; v1 has the voted directory and belongs to kraft.version 1 (KIP-853).
 */
import { array, int32, message, offset, string, uuid, type Infer } from '../schema.ts'

export const quorumStateData = message({
  name: 'QuorumStateData',
  kind: 'data',
  versions: '0-1',
  flexible: '0+',
  fields: {
    clusterId: string({ versions: '0' }),
    leaderId: int32({ default: -1 }),
    leaderEpoch: int32({ default: -1 }),
    /** -1 when no vote was cast in this epoch. */
    votedId: int32({ default: -1 }),
    votedDirectoryId: uuid({ versions: '1+' }),
    appliedOffset: offset({ versions: '0' }),
    currentVoters: array(
      { versions: '0', nullable: '0' },
      {
        /** Node id of the voter. */
        voterId: int32(),
      },
    ),
  },
})
export type QuorumStateData = Infer<typeof quorumStateData>
