/**
 * Walks the shape of one message version value by value. Slower than `compile.ts`, but it knows where it is: when the compiled twin meets
 * bad bytes or a bad value, the interpreter repeats the attempt to name the field. It is also the fallback where code generation is
 * forbidden, and the oracle that the property tests compare the compiled code with.
 */
import { ProtocolError } from './errors.ts'
import type { Reader } from './reader.ts'
import { missingField, typeBytesMin, type Shape, type ShapeField, type ShapeType } from './shape.ts'
import type { Writer } from './writer.ts'

/** Adds the place to an error that came from below: `topics` + `[3]` + `.name`. */
function at<T>(place: string, run: () => T): T {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    const placed = error instanceof PlacedError ? error : new PlacedError(error)
    placed.under(place)
    throw placed
  }
}

/** A ProtocolError that learns the path of its field on the way up. */
class PlacedError extends ProtocolError {
  private path = ''
  private readonly reason: string

  constructor(cause: ProtocolError) {
    super(cause.message, cause.errorName, cause)
    this.reason = cause.message
  }

  under(place: string): void {
    this.path = this.path === '' || this.path.startsWith('[') ? place + this.path : `${place}.${this.path}`
    this.message = `${this.path}: ${this.reason}`
  }
}

// ---------------------------------------------------------------------------------------------------------- decoding

/** Reads one struct; every key of the declaration is in the result, in its order. */
export function interpretDecode(shape: Shape, reader: Reader): unknown {
  const values = new Map<ShapeField, unknown>()
  for (const field of shape.plain)
    values.set(
      field,
      at(field.name, () => readField(field, reader)),
    )
  if (shape.flexible) readTags(shape, reader, values)
  return Object.fromEntries(
    shape.fields.map(field => [field.name, values.has(field) ? values.get(field) : field.makeDefault()]),
  )
}

function readTags(shape: Shape, reader: Reader, values: Map<ShapeField, unknown>): void {
  const count = at('tagged fields', () => reader.uvarint())
  for (let left = count; left > 0; left--) {
    const tag = at('tagged fields', () => reader.uvarint())
    const field = shape.tagged.find(candidate => candidate.tag === tag)
    at(field?.name ?? `tag ${tag}`, () => {
      const size = reader.uvarint()
      if (field === undefined) {
        reader.take(size)
      } else {
        const end = reader.enter(size)
        values.set(field, readField(field, reader))
        reader.leave(end)
      }
    })
  }
}

function readField(field: ShapeField, reader: Reader): unknown {
  const { type, nullable, compact } = field
  if (type.kind === 'struct' && nullable) {
    // Whether it is there is said in a byte (-1 or 1), in the tagged section in a varint (0 or 1).
    const absent = field.tag === undefined ? reader.int8() < 0 : reader.uvarint() === 0
    if (absent) return null
  }
  return readValue(type, compact, nullable, reader)
}

function readValue(type: ShapeType, compact: boolean, nullable: boolean, reader: Reader): unknown {
  const { kind } = type
  if (kind === 'struct') return interpretDecode(type.shape, reader)
  if (kind === 'array') {
    const bytesMin = typeBytesMin(type.element, compact)
    const count = compact ? reader.compactCount(bytesMin) : reader.count(bytesMin)
    if (count < 0) return nullable ? null : reader.refuseNull('an array')
    const values: unknown[] = []
    for (let i = 0; i < count; i++) values.push(at(`[${i}]`, () => readValue(type.element, compact, false, reader)))
    return values
  }
  if (kind === 'string') {
    const length = compact ? reader.compactLength('a string') : reader.shortLength('a string')
    if (length < 0) return nullable ? null : reader.refuseNull('a string')
    return reader.text(length)
  }
  if (kind === 'bytes' || kind === 'records') {
    const length = compact ? reader.compactLength(kind) : reader.intLength(kind)
    if (length < 0) return nullable ? null : reader.refuseNull(kind)
    return reader.view(length)
  }
  return reader[kind]()
}

// ---------------------------------------------------------------------------------------------------------- encoding

/** Writes one struct; omitted fields get their default. */
export function interpretEncode(shape: Shape, writer: Writer, value: unknown): void {
  if (typeof value !== 'object' || value === null) writer.refuse('an object', value)
  const given = value as Readonly<Record<string, unknown>>
  for (const field of shape.fields) {
    const found = given[field.name]
    if (!field.present && !field.ignorable && found !== undefined && !field.isDefault(found)) {
      throw missingField(field.name, found)
    }
  }
  for (const field of shape.plain) {
    const found = given[field.name]
    const effective = found === undefined && field.omittable ? field.makeDefault() : found
    at(field.name, () => writeField(field, writer, effective))
  }
  if (shape.flexible) writeTags(shape, writer, given)
}

function writeTags(shape: Shape, writer: Writer, given: Readonly<Record<string, unknown>>): void {
  const set = shape.tagged.filter(field => given[field.name] !== undefined && !field.isDefault(given[field.name]))
  writer.uvarint(set.length)
  for (const field of set) {
    const token = writer.beginTag(field.tag as number)
    at(field.name, () => writeField(field, writer, given[field.name]))
    writer.endTag(token)
  }
}

function writeField(field: ShapeField, writer: Writer, value: unknown): void {
  const { type, nullable, compact } = field
  if (nullable && type.kind === 'struct') {
    if (field.tag === undefined) writer.int8(value === null ? -1 : 1)
    else writer.uvarint(value === null ? 0 : 1)
    if (value !== null) writeValue(type, compact, writer, value)
  } else if (nullable && value === null) {
    if (compact) writer.uvarint(0)
    else if (type.kind === 'string') writer.int16(-1)
    else writer.int32(-1)
  } else {
    writeValue(type, compact, writer, value)
  }
}

function writeValue(type: ShapeType, compact: boolean, writer: Writer, value: unknown): void {
  const { kind } = type
  if (kind === 'struct') {
    interpretEncode(type.shape, writer, value)
  } else if (kind === 'array') {
    if (!Array.isArray(value)) writer.refuse('an array', value)
    const values = value as unknown[]
    if (compact) writer.uvarint(values.length + 1)
    else writer.int32(values.length)
    values.forEach((each, i) => at(`[${i}]`, () => writeValue(type.element, compact, writer, each)))
  } else if (kind === 'string') {
    if (compact) writer.compactString(value as string)
    else writer.string(value as string)
  } else if (kind === 'bytes' || kind === 'records') {
    if (compact) writer.compactBytesValue(value as Uint8Array)
    else writer.bytesValue(value as Uint8Array)
  } else {
    // The writer checks the type of what it gets.
    writer[kind](value as never)
  }
}
