/** What a node's log says of bugs. */

const speaksOfBugs = /a request failed|met a bug|unhandled|uncaught|the node could not|^\S+ \S+ ERROR/i

/** Lines of a log that speak of bugs, each kind once. */
export function bugLines(log: string): string[] {
  const kinds = new Map<string, string>()
  for (const line of log.split('\n')) {
    if (!speaksOfBugs.test(line)) continue
    const kind = line
      .replaceAll(/"(time|client)":"[^"]*"/g, '')
      .replaceAll(/\d+/g, '#')
      .slice(0, 300)
    if (!kinds.has(kind)) kinds.set(kind, line)
  }
  return [...kinds.values()]
}
