/** Java's String.hashCode: decides which partition of an internal topic a group or transactional id belongs to. */

/** @returns a signed 32-bit number, over UTF-16 code units. */
export function javaHash(text: string): number {
  let hash = 0
  for (let index = 0; index < text.length; index++) hash = (Math.imul(hash, 31) + text.charCodeAt(index)) | 0
  return hash
}

/**
 * Kafka's Utils.abs(hash) % partitions: the number without its sign, and 0 for the one that has no positive twin. Not to be confused with
 * Utils.toPositive, which clears the sign bit and with which producers choose partitions.
 */
export function partitionOf(key: string, partitionsCount: number): number {
  const hash = javaHash(key)
  return hash === smallestInt ? 0 : Math.abs(hash) % partitionsCount
}

const smallestInt = -(2 ** 31)
