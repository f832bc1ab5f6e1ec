/**
 * The language in which every Kafka message is declared once, for all its versions; types are inferred from the declaration.
 *
 *   export const heartbeatRequest = message({
 *     key: 12, name: 'HeartbeatRequest', kind: 'request', versions: '0-4', flexible: '4+',
 *     fields: {
 *       groupId: string(),
 *       generationId: int32(),
 *       memberId: string(),
 *       groupInstanceId: string({ versions: '3+', nullable: '3+', default: null }),   // KIP-345
 *     },
 *   })
 *   export type HeartbeatRequest = Infer<typeof heartbeatRequest>
 *
 * How a handler uses it (codec.ts):
 *
 *   const request = codec(heartbeatRequest, version).decode(reader)        // every field is there; absent ones have their default
 *   const chunks = codec(heartbeatResponse, version).encode({ errorCode: 0 })  // omitted fields get their default
 *
 * `versions`, `nullable`, `flexible`, `taggedVersions` are ranges: '0+', '2-4', '3', 'none'. A field without `versions` is in all
 * versions of what contains it. A decoded object always has all keys in the order of the declaration: one hidden class per struct.
 * Numbers: `offset()` is an int64 held as a safe integer (INT64_MAX, Kafka's "no limit", is Infinity); `int64()` is a bigint, for opaque
 * ids only. `uuid()` is Kafka's own text form, 22 characters of base64url. `bytes()` and `records()` decode to views of the frame.
 *
 * Must never: know of a particular API, or encode or decode (compile.ts and interpret.ts do).
 * Source: Kafka protocol guide, "Protocol Primitive Types"; KIP-482 (flexible versions, tagged fields).
 */
import { allVersions, parseVersions, type VersionRange } from './versions.ts'

export type PrimitiveKind =
  | 'int8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'offset'
  | 'float64'
  | 'bool'
  | 'uuid'
  | 'string'
  | 'bytes'
  | 'records'

export type FieldType =
  | { readonly kind: PrimitiveKind }
  | { readonly kind: 'array'; readonly element: FieldType }
  | { readonly kind: 'struct'; readonly fields: Fields }

/** Ranges are text here; `compile` and `interpret` see them resolved for one version (shape.ts). */
export interface FieldOptions {
  /** Versions of the message that have the field; all of them when omitted. */
  readonly versions?: string
  /** Versions in which the value may be null. */
  readonly nullable?: string
  /** 'none' keeps the old length prefix in flexible versions too (only the request header's client id needs it). */
  readonly flexible?: 'none'
  /** Tag number: the field is written in the tagged section, and only when it differs from its default. */
  readonly tag?: number
  /** Versions in which a field with a tag is tagged; all its versions when omitted. */
  readonly taggedVersions?: string
  /** A value for a field that was omitted or that the version lacks. 0, '', false, empty and null (records) need not be said. */
  readonly default?: unknown
  /** A version that lacks the field drops the value silently. Otherwise encoding a value other than the default is an error. */
  readonly ignorable?: boolean
}

declare const types: unique symbol

/** One field. The three type parameters: decoded value, accepted value, and whether the writer may leave it out. */
export interface Field<Out, In, Omittable extends boolean> {
  readonly type: FieldType
  readonly versions: VersionRange
  readonly nullable: VersionRange
  readonly flexible: boolean
  readonly tag: number | undefined
  readonly taggedVersions: VersionRange
  /** Undefined means the default of the type. */
  readonly default: unknown
  readonly ignorable: boolean
  /** The writer may leave the field out. */
  readonly omittable: boolean
  readonly [types]?: readonly [Out, In, Omittable]
}

// The bound of every field: `any` because In is used in both directions.
// oxlint-disable-next-line typescript/no-explicit-any
export type AnyField = Field<any, any, boolean>
export type Fields = { readonly [name: string]: AnyField }

type OrNull<T, O> = O extends { readonly nullable: string } ? T | null : T
type MayOmit<O> = O extends { readonly versions: string } | { readonly default: unknown } | { readonly tag: number }
  ? true
  : false
type FieldOf<Out, In, O> = Field<OrNull<Out, O>, OrNull<In, O>, MayOmit<O>>

/** Options of a field whose default must be a T (or null). */
type OptionsOf<T> = FieldOptions & { readonly default?: T | null }

type OutOf<F> = F extends Field<infer Out, infer _In, infer _Omittable> ? Out : never
type InOf<F> = F extends Field<infer _Out, infer In, infer _Omittable> ? In : never
type IsOmittable<F> = F extends Field<infer _Out, infer _In, infer Omittable> ? Omittable : never

/** What decoding these fields yields. */
export type DecodedFields<F extends Fields> = { -readonly [K in keyof F]: OutOf<F[K]> }
/** What encoding these fields accepts. */
export type EncodableFields<F extends Fields> = {
  readonly [K in keyof F as IsOmittable<F[K]> extends true ? never : K]: InOf<F[K]>
} & { readonly [K in keyof F as IsOmittable<F[K]> extends true ? K : never]?: InOf<F[K]> | undefined }

function field<Out, In, const O extends FieldOptions>(type: FieldType, options: O): FieldOf<Out, In, O> {
  const versions = options.versions === undefined ? allVersions : parseVersions(options.versions)
  const tagged = options.tag === undefined ? 'none' : options.taggedVersions
  return {
    type,
    versions,
    nullable: parseVersions(options.nullable ?? 'none'),
    flexible: options.flexible !== 'none',
    tag: options.tag,
    taggedVersions: tagged === undefined ? versions : parseVersions(tagged),
    default: options.default,
    ignorable: options.ignorable === true,
    omittable: options.versions !== undefined || options.default !== undefined || options.tag !== undefined,
  }
}

type Builder<Out, In = Out> = <const O extends OptionsOf<In> = OptionsOf<In>>(options?: O) => FieldOf<Out, In, O>

function primitive<Out, In = Out>(kind: PrimitiveKind): Builder<Out, In> {
  return options =>
    field(
      { kind },
      // Without an argument O is its default, the type with no keys.
      options ?? ({} as NonNullable<typeof options>),
    )
}

export const int8: Builder<number> = primitive('int8')
export const int16: Builder<number> = primitive('int16')
export const uint16: Builder<number> = primitive('uint16')
export const int32: Builder<number> = primitive('int32')
export const uint32: Builder<number> = primitive('uint32')
/** Opaque 64-bit id (producer id), a bigint. */
export const int64: Builder<bigint> = primitive('int64')
/** Signed 64-bit offset, timestamp, size or epoch as a safe integer; INT64_MAX is Infinity. */
export const offset: Builder<number> = primitive('offset')
export const float64: Builder<number> = primitive('float64')
export const bool: Builder<boolean> = primitive('bool')
/** 22 characters of base64url; the zero UUID is 'AAAAAAAAAAAAAAAAAAAAAA'. */
export const uuid: Builder<string> = primitive('uuid')
export const string: Builder<string> = primitive('string')
/** Length-prefixed bytes; decodes to a view of the frame. */
export const bytes: Builder<Buffer, Uint8Array> = primitive('bytes')
/** Record batches, opaque here; decodes to a view of the frame, encodes by reference. Absent or omitted means null. */
export const records: Builder<Buffer, Uint8Array> = primitive('records')

type Element = AnyField | Fields
type ElementOut<E> = E extends AnyField ? OutOf<E> : E extends Fields ? DecodedFields<E> : never
type ElementIn<E> = E extends AnyField ? InOf<E> : E extends Fields ? EncodableFields<E> : never
type ArrayField<E extends Element, O> = FieldOf<ElementOut<E>[], readonly ElementIn<E>[], O>
type ArrayOptions = Omit<FieldOptions, 'default'> & { readonly default?: null }

/**
 * An array: `array(int32())`, `array({ name: string() })`, and with options first: `array({ versions: '3+' }, { name: string() })`.
 * The element's own options are ignored, except what its fields say.
 */
export function array<E extends Element>(element: E): ArrayField<E, ArrayOptions>
export function array<const O extends ArrayOptions, E extends Element>(options: O, element: E): ArrayField<E, O>
export function array(first: ArrayOptions | Element, second?: Element): AnyField {
  const element = (second ?? first) as Element
  const options = second === undefined ? {} : (first as FieldOptions)
  return field(
    { kind: 'array', element: isField(element) ? element.type : { kind: 'struct', fields: element } },
    options,
  )
}

/** A nested struct: `struct({ leaderId: int32() })`, and with options first: `struct({ versions: '15+', tag: 1 }, { … })`. */
export function struct<F extends Fields>(fields: F): FieldOf<DecodedFields<F>, EncodableFields<F>, ArrayOptions>
export function struct<const O extends ArrayOptions, F extends Fields>(
  options: O,
  fields: F,
): FieldOf<DecodedFields<F>, EncodableFields<F>, O>
export function struct(first: ArrayOptions | Fields, second?: Fields): AnyField {
  const fields = (second ?? first) as Fields
  return field({ kind: 'struct', fields }, second === undefined ? {} : (first as FieldOptions))
}

function isField(element: Element): element is AnyField {
  return 'type' in element && 'taggedVersions' in element && typeof element.flexible === 'boolean'
}

/** 'data' is what is stored rather than sent: records of internal topics, snapshots, headers. */
export type MessageKind = 'request' | 'response' | 'data'

/** A declared message; `F` carries the types of its fields. */
export interface Message<F extends Fields = Fields> {
  /** API key of a request or response, record type of a stored record, -1 when it has neither. */
  readonly key: number
  readonly name: string
  readonly kind: MessageKind
  readonly minVersion: number
  readonly maxVersion: number
  /** Highest version a peer may be offered; lower than `maxVersion` while Kafka calls the latest one unstable. */
  readonly latestStable: number
  /** Versions with compact lengths and tagged fields (KIP-482). */
  readonly flexible: VersionRange
  readonly fields: F
}

export interface MessageDefinition<F extends Fields> {
  readonly key?: number
  readonly name: string
  readonly kind: MessageKind
  readonly versions: string
  readonly flexible: string
  /** True while Kafka marks the highest version as not for production. */
  readonly latestVersionUnstable?: boolean
  readonly fields: F
}

/** Declares a message. Cheap: nothing is compiled before the first `codec(message, version)`. */
export function message<F extends Fields>(definition: MessageDefinition<F>): Message<F> {
  const { min, max } = parseVersions(definition.versions)
  return {
    key: definition.key ?? -1,
    name: definition.name,
    kind: definition.kind,
    minVersion: min,
    maxVersion: max,
    latestStable: definition.latestVersionUnstable === true ? max - 1 : max,
    flexible: parseVersions(definition.flexible),
    fields: definition.fields,
  }
}

/** The type that decoding a message (or a group of fields shared by messages) yields. */
export type Infer<T> = T extends Message<infer F> ? DecodedFields<F> : T extends Fields ? DecodedFields<T> : never
/** The type that encoding accepts: fields with a default, a version range or a tag may be left out. */
export type Input<T> = T extends Message<infer F> ? EncodableFields<F> : T extends Fields ? EncodableFields<T> : never
