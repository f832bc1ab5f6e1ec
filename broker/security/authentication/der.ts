/**
 * Reads DER (X.690), as far as key stores and names in certificates need it. Pure. Everything that does not fit, a length beyond the
 * bytes that are there above all, throws DerError.
 */

export class DerError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'DerError'
  }
}

export const tag = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  /** [0], constructed. */
  context0: 0xa0,
  /** [0], implicit and primitive. */
  implicit0: 0x80,
} as const

export class DerNode {
  readonly tag: number
  readonly content: Buffer
  /** Tag and length too. */
  readonly whole: Buffer

  constructor(nodeTag: number, content: Buffer, whole: Buffer) {
    this.tag = nodeTag
    this.content = content
    this.whole = whole
  }

  get children(): DerNode[] {
    const nodes: DerNode[] = []
    for (let rest = this.content; rest.length > 0;) {
      const node = readOne(rest)
      nodes.push(node)
      rest = rest.subarray(node.whole.length)
    }
    return nodes
  }

  /** The child at this place; DerError when there is none, or one with another tag. */
  child(index: number, expectedTag?: number): DerNode {
    const found = this.children[index]
    if (found === undefined) throw new DerError(`expected at least ${index + 1} parts, got ${this.children.length}`)
    if (expectedTag !== undefined) found.expect(expectedTag)
    return found
  }

  expect(expectedTag: number): this {
    if (this.tag !== expectedTag)
      throw new DerError(`expected tag 0x${expectedTag.toString(16)}, got 0x${this.tag.toString(16)}`)
    return this
  }

  /** Dotted decimal. */
  get oid(): string {
    this.expect(tag.oid)
    const parts: number[] = []
    let value = 0
    for (const byte of this.content) {
      value = value * 128 + (byte & 0x7f)
      if ((byte & 0x80) !== 0) continue
      parts.push(value)
      value = 0
    }
    const [first = 0, ...others] = parts
    const top = Math.min(2, Math.floor(first / 40))
    return [top, first - top * 40, ...others].join('.')
  }

  get integer(): number {
    this.expect(tag.integer)
    if (this.content.length === 0 || this.content.length > 6) throw new DerError('expected an integer of 1 to 6 bytes')
    return this.content.readIntBE(0, this.content.length)
  }
}

function readOne(bytes: Buffer): DerNode {
  const [nodeTag, first] = bytes
  if (nodeTag === undefined || first === undefined) throw new DerError('ends within a tag')
  if ((nodeTag & 0x1f) === 0x1f) throw new DerError('has a tag of more than one byte')
  let length = first
  let start = 2
  if (first >= 0x80) {
    const count = first & 0x7f
    if (count === 0 || count > 4 || bytes.length < 2 + count) throw new DerError('has a length that cannot be read')
    length = bytes.readUIntBE(2, count)
    start += count
  }
  const end = start + length
  if (end > bytes.length) throw new DerError(`claims ${length} bytes where ${bytes.length - start} are left`)
  return new DerNode(nodeTag, bytes.subarray(start, end), bytes.subarray(0, end))
}

/** The one value that these bytes are. */
export function readDer(bytes: Buffer): DerNode {
  return readOne(bytes)
}
