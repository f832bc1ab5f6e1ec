/**
 * Who is on the other side of a connection, as Kafka's KafkaPrincipal: a type and a name, written `User:alice`. Two principals are the
 * same when both agree; how the name was proven (a delegation token, KIP-48) is carried along and takes no part in that.
 */
import { codec } from '../protocol/codec.ts'
import { ProtocolError } from '../protocol/errors.ts'
import { Reader } from '../protocol/reader.ts'
import { defaultPrincipalData } from '../protocol/records/principal-data.ts'

export const userType = 'User'

export class Principal {
  readonly type: string
  readonly name: string
  /** Proven with a delegation token: such a client may not create or describe tokens. */
  readonly tokenAuthenticated: boolean

  constructor(type: string, name: string, tokenAuthenticated = false) {
    this.type = type
    this.name = name
    this.tokenAuthenticated = tokenAuthenticated
  }

  /** `User:alice` taken apart at its first colon; undefined when there is none, or nothing before it. */
  static parse(text: string): Principal | undefined {
    const colon = text.indexOf(':')
    return colon < 1 ? undefined : new Principal(text.slice(0, colon), text.slice(colon + 1))
  }

  equals(other: Principal): boolean {
    return this.type === other.type && this.name === other.name
  }

  toString(): string {
    return `${this.type}:${this.name}`
  }
}

/** Of a connection that did not say who it is. */
export const anonymous = new Principal(userType, 'ANONYMOUS')

const versionBytes = 2

/** DefaultPrincipalData v0 behind its version, as Kafka's DefaultKafkaPrincipalBuilder writes it into an Envelope (KIP-590). */
export function serializePrincipal({ type, name, tokenAuthenticated }: Principal): Buffer {
  const body = codec(defaultPrincipalData, 0).encodeToBuffer({ type, name, tokenAuthenticated })
  return Buffer.concat([Buffer.alloc(versionBytes), body])
}

/** Undefined for bytes that are no principal, or of a version we do not know. */
export function deserializePrincipal(bytes: Buffer): Principal | undefined {
  if (bytes.length < versionBytes || bytes.readInt16BE(0) !== 0) return undefined
  try {
    const { type, name, tokenAuthenticated } = codec(defaultPrincipalData, 0).decode(
      new Reader(bytes.subarray(versionBytes)),
    )
    return new Principal(type, name, tokenAuthenticated)
  } catch (error) {
    if (error instanceof ProtocolError) return undefined
    throw error
  }
}
