/**
 * quorum-state file.
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
    votedId: int32({ default: -1 }),
    votedDirectoryId: uuid({ versions: '1+' }),
    appliedOffset: offset({ versions: '0' }),
    currentVoters: array(
      { versions: '0', nullable: '0' },
      {
        voterId: int32(),
      },
    ),
  },
})
export type QuorumStateData = Infer<typeof quorumStateData>
