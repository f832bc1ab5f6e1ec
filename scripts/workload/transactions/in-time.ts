/** What has to happen before a timeout of the brokers is up, on machines of any speed. */

const rounds = 4

/**
 * Begins again with twice the time when an attempt has taken longer than it had.
 *
 * @param attempt  answers undefined when it was too late, by a clock that it has looked at before and after
 */
export async function inTime<T extends object>(
  firstMs: number,
  attempt: (timeoutMs: number, round: number) => Promise<T | undefined>,
): Promise<T> {
  for (let round = 0, timeoutMs = firstMs; round < rounds; round++, timeoutMs *= 2) {
    const answer = await attempt(timeoutMs, round)
    if (answer !== undefined) return answer
  }
  throw new Error(
    `the machine is too slow: ${rounds} attempts came too late, the last with ${firstMs * 2 ** (rounds - 1)} ms`,
  )
}
