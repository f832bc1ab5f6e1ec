/** What a heartbeat tells a member besides its tasks: why there are none, or what it has to do (KIP-1071, StreamsGroupHeartbeat). */

/** Codes of StreamsGroupHeartbeatResponse.Status. */
export const statusCodes = {
  STALE_TOPOLOGY: 0,
  MISSING_SOURCE_TOPICS: 1,
  INCORRECTLY_PARTITIONED_TOPICS: 2,
  MISSING_INTERNAL_TOPICS: 3,
  SHUTDOWN_APPLICATION: 4,
  ASSIGNMENT_DELAYED: 5,
} as const

export interface Status {
  readonly status: keyof typeof statusCodes
  /** For people. */
  readonly detail: string
}

const namesMax = 3

/** `a, b, c and 2 more` */
export function someOf(names: readonly string[]): string {
  const rest = names.length - namesMax
  const shown = names.slice(0, namesMax).join(', ')
  return rest > 0 ? `${shown} and ${rest} more` : shown
}
