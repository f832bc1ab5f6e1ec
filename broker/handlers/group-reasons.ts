/** Why members join and leave, as their clients put it (KIP-800), for the log. */

/** To which clients cut it themselves. */
const charactersMax = 255

export const shownReason = (reason: string): string => reason.slice(0, charactersMax)
