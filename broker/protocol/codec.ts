/**
 * The one door to encoding and decoding: `codec(message, version)`, compiled at first use and kept.
 *
 * Must never: let anything but ProtocolError escape from decoding, whatever the bytes.
 */
import { compile, type Decode, type Encode } from './compile.ts'
import { ProtocolError } from './errors.ts'
import { interpretDecode, interpretEncode } from './interpret.ts'
import { Reader } from './reader.ts'
import type { DecodedFields, EncodableFields, Fields, Message } from './schema.ts'
import { shapeOf, type Shape } from './shape.ts'
import { Writer } from './writer.ts'

export interface Codec<Out, In> {
  readonly version: number
  /**
   * A Reader is left behind the message (what follows is the caller's business); a Buffer must hold the message and nothing else.
   * Bytes and records of the result are views of the buffer.
   */
  decode(source: Buffer | Reader): Out
  /** Chunks in order; buffers of 1 KiB and more in the value are passed on by reference. */
  encode(value: In): Buffer[]
  /** The same in one piece. */
  encodeToBuffer(value: In): Buffer
  /** Appends to a writer that may hold other things already. */
  write(writer: Writer, value: In): void
  /** The generated code, for people; empty when interpreted. */
  readonly source: string
}

const cache = new WeakMap<Message, (Codec<unknown, unknown> | undefined)[]>()

/**
 * The codec of one version of a message.
 * Throws ProtocolError (UNSUPPORTED_VERSION) for a version that the message does not have.
 */
export function codec<F extends Fields>(
  message: Message<F>,
  version: number,
): Codec<DecodedFields<F>, EncodableFields<F>> {
  let versions = cache.get(message)
  if (versions === undefined) cache.set(message, (versions = []))
  const found = (versions[version] ??= makeCodec(message, version))
  return found as Codec<DecodedFields<F>, EncodableFields<F>>
}

function makeCodec(message: Message, version: number): Codec<unknown, unknown> {
  if (!Number.isInteger(version) || version < message.minVersion || version > message.maxVersion) {
    throw new ProtocolError(
      `${message.name}: expected a version from ${message.minVersion} to ${message.maxVersion}, found ${version}`,
      'UNSUPPORTED_VERSION',
    )
  }
  const name = `${message.name} v${version}`
  const shape = shapeOf(message, version)
  try {
    const { decode, encode, source } = compile(shape, name)
    return new VersionCodec({ name, version, shape, decode, encode, source })
  } catch (error) {
    if (!(error instanceof EvalError)) throw error
    return interpretedCodec(message, version)
  }
}

/** The interpreting twin, not cached; `codec` falls back to it, tests compare with it. */
export function interpretedCodec<F extends Fields>(
  message: Message<F>,
  version: number,
): Codec<DecodedFields<F>, EncodableFields<F>> {
  const name = `${message.name} v${version}`
  const shape = shapeOf(message, version)
  return new VersionCodec({
    name,
    version,
    shape,
    decode: reader => interpretDecode(shape, reader),
    encode: (writer, value) => interpretEncode(shape, writer, value),
    source: '',
  }) as Codec<DecodedFields<F>, EncodableFields<F>>
}

interface Parts {
  readonly name: string
  readonly version: number
  readonly shape: Shape
  readonly decode: Decode
  readonly encode: Encode
  readonly source: string
}

class VersionCodec implements Codec<unknown, unknown> {
  readonly version: number
  readonly source: string
  private readonly name: string
  private readonly shape: Shape
  private readonly decodeStruct: Decode
  private readonly encodeStruct: Encode

  constructor(parts: Parts) {
    this.version = parts.version
    this.source = parts.source
    this.name = parts.name
    this.shape = parts.shape
    this.decodeStruct = parts.decode
    this.encodeStruct = parts.encode
  }

  decode(source: Buffer | Reader): unknown {
    const reader = source instanceof Reader ? source : new Reader(source)
    const { position, end, elementsLeft } = reader
    try {
      const value = this.decodeStruct(reader)
      if (reader !== source) reader.expectEnd()
      return value
    } catch (error) {
      // A tagged field may have narrowed the reader.
      reader.end = end
      throw this.placed(error, () => {
        const again = new Reader(reader.buffer, position, end)
        again.elementsLeft = elementsLeft
        interpretDecode(this.shape, again)
      })
    }
  }

  encode(value: unknown): Buffer[] {
    const writer = new Writer()
    this.write(writer, value)
    return writer.finish()
  }

  encodeToBuffer(value: unknown): Buffer {
    const writer = new Writer()
    this.write(writer, value)
    return writer.finishBuffer()
  }

  write(writer: Writer, value: unknown): void {
    try {
      this.encodeStruct(writer, value)
    } catch (error) {
      throw this.placed(error, () => interpretEncode(this.shape, new Writer(), value))
    }
  }

  /** Repeats what failed with the interpreter, which can name the field. */
  private placed(error: unknown, repeat: () => unknown): unknown {
    if (!(error instanceof ProtocolError)) return error
    try {
      repeat()
    } catch (again) {
      if (again instanceof ProtocolError) {
        return new ProtocolError(`${this.name}: ${again.message}`, again.errorName, error)
      }
    }
    return new ProtocolError(`${this.name}: ${error.message}`, error.errorName, error)
  }
}
