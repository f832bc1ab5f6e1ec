/**
 * The value of sasl.jaas.config: `class flag name="value" … ;` in the syntax of JAAS login files (javax.security.auth.login.Configuration), one
 * login module to a setting (KIP-85).
 */

export interface LoginModule {
  readonly className: string
  readonly options: ReadonlyMap<string, string>
}

export class JaasError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'JaasError'
  }
}

const flags: ReadonlySet<string> = new Set(['required', 'requisite', 'sufficient', 'optional'])
const token = /\s*(?:"((?:\\[\s\S]|[^"\\])*)"|'((?:\\[\s\S]|[^'\\])*)'|([=;])|([^\s=;"']+))/y

interface Token {
  readonly text: string
  readonly quoted: boolean
}

function unescaped(text: string): string {
  return text.replaceAll(/\\([\s\S])/g, (_whole, character: string) => {
    if (character === 'n') return '\n'
    if (character === 't') return '\t'
    if (character === 'r') return '\r'
    return character
  })
}

function tokens(text: string): Token[] {
  const found: Token[] = []
  const trimmed = text.trimEnd()
  token.lastIndex = 0
  while (token.lastIndex < trimmed.length) {
    const at = token.lastIndex
    const match = token.exec(trimmed)
    if (match === null) throw new JaasError(`cannot be read from character ${at} on`)
    const [, double, single, mark, word] = match
    const quoted = double ?? single
    if (quoted !== undefined) found.push({ text: unescaped(quoted), quoted: true })
    else found.push({ text: mark ?? word ?? '', quoted: false })
  }
  return found
}

/** @throws JaasError; never with a value in its message, since values are secrets */
export function parseJaas(text: string): LoginModule {
  const [className, flag, ...rest] = tokens(text)
  if (className === undefined || className.text === '' || className.text === ';')
    throw new JaasError('expected a login module, e.g. org.apache.kafka.common.security.plain.PlainLoginModule')
  if (flag === undefined || !flags.has(flag.text.toLowerCase()))
    throw new JaasError(`expected required, requisite, sufficient or optional after ${className.text}`)
  const end = rest.findIndex(each => each.text === ';' && !each.quoted)
  if (end === -1) throw new JaasError('expected a semicolon at the end')
  if (end !== rest.length - 1) throw new JaasError('expected one login module, got more behind the semicolon')
  const options = new Map<string, string>()
  for (let at = 0; at < end; at += 3) {
    const [name, equals, value] = rest.slice(at, at + 3)
    const isOption =
      name !== undefined && equals?.text === '=' && !equals.quoted && value !== undefined && at + 3 <= end
    if (!isOption) throw new JaasError(`expected name="value" in place of ${name?.text ?? 'nothing'}`)
    options.set(name.text, value.text)
  }
  return { className: className.text, options }
}
