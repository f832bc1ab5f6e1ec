/** What Kafka's GroupMetadataManager says of a group that is not there, or is one of another kind. */

export type GroupKind = 'classic' | 'consumer' | 'share' | 'streams'

/** To who asks about a group. @param isOther  there is one of the name, of another kind */
export const noGroup = (kind: GroupKind, groupId: string, isOther: boolean): string =>
  isOther ? `Group ${groupId} is not a ${kind} group.` : `Group ${groupId} not found.`

/** To who says to be a member of it. */
export const noGroupOfMember = (kind: GroupKind, groupId: string, isOther: boolean): string =>
  isOther ? noGroup(kind, groupId, true) : `${kind[0]?.toUpperCase()}${kind.slice(1)} group ${groupId} not found.`
