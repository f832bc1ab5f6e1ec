/** Java .properties text, as far as server.properties files use it: comments, `=` or `:` or blank separators, continuation lines, escapes. */

const escapes: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f' }

function unescape(text: string): string {
  return text.replaceAll(/\\(u[0-9a-fA-F]{4}|.)/gs, (_, code: string) =>
    code.length === 5 ? String.fromCharCode(Number.parseInt(code.slice(1), 16)) : (escapes[code] ?? code),
  )
}

/** True when the line ends in an odd number of backslashes, so that the next line continues it. */
function continues(line: string): boolean {
  const tail = /\\+$/.exec(line)
  return tail !== null && tail[0].length % 2 === 1
}

/** @returns the last value of each key. */
export function parseProperties(text: string): Map<string, string> {
  const result = new Map<string, string>()
  const lines = text.split(/\r\n|\r|\n/)
  for (let index = 0; index < lines.length; index++) {
    let line = (lines[index] ?? '').trimStart()
    if (line === '' || line.startsWith('#') || line.startsWith('!')) continue
    while (continues(line) && index + 1 < lines.length) line = line.slice(0, -1) + (lines[++index] ?? '').trimStart()
    const match = /^((?:\\.|[^\\=:\s])+)\s*[=:\s]?\s*(.*)$/s.exec(line)
    if (match !== null) result.set(unescape(match[1] ?? ''), unescape(match[2] ?? '').trimEnd())
  }
  return result
}
