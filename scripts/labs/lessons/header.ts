/** What the beginning of a lab's file says for people: setup, fault, expectation and control. */
export interface LabHeader {
  readonly setup: string
  readonly fault: string
  readonly expect: string
  readonly control: string
}

const parts = ['Setup', 'Fault', 'Expect', 'Control'] as const

/** @throws when a part is missing */
export function parseHeader(source: string): LabHeader {
  const comment = source.slice(0, source.indexOf('*/'))
  const text = comment.replaceAll(/\s*\n \*\s*/g, ' ').trim()
  const missing = parts.find(part => !text.includes(`${part}: `))
  if (missing !== undefined) throw new Error(`the header of the lab has no ${missing}`)
  const said = parts.map((part, index) => {
    const next = parts[index + 1]
    return new RegExp(`${part}: (.*?)${next === undefined ? '$' : ` ${next}: `}`).exec(text)?.[1]?.trim() ?? ''
  })
  const [setup = '', fault = '', expect = '', control = ''] = said
  return { setup, fault, expect, control }
}
