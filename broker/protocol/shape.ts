/**
 * A message's declaration resolved for one version: which fields are there, which are tagged, nullable, compact, and what their defaults
 * are. Compiler and interpreter both start from it, so that version arithmetic exists once.
 */
import { ProtocolError } from './errors.ts'
import type { AnyField, Fields, FieldType, Message, PrimitiveKind } from './schema.ts'
import { includes } from './versions.ts'

export type ShapeType =
  | { readonly kind: PrimitiveKind }
  | { readonly kind: 'array'; readonly element: ShapeType }
  | { readonly kind: 'struct'; readonly shape: Shape }

export interface ShapeField {
  readonly name: string
  readonly type: ShapeType
  /** False when this version lacks the field. */
  readonly present: boolean
  /** Undefined for a field in the main part. */
  readonly tag: number | undefined
  readonly nullable: boolean
  /** Compact length prefixes. */
  readonly compact: boolean
  readonly ignorable: boolean
  /** May be left out by the writer, see `MayOmit` in schema.ts. */
  readonly omittable: boolean
  /** Value of an absent or omitted field. Scalars only; `makeDefault` makes arrays and structs anew each time. */
  readonly makeDefault: () => unknown
  /** True when encoding may skip the value because a reader would fill it in. */
  readonly isDefault: (value: unknown) => boolean
}

export interface Shape {
  /** All fields, in the order of the declaration, also those that the version lacks. */
  readonly fields: readonly ShapeField[]
  /** Those in the main part. */
  readonly plain: readonly ShapeField[]
  /** Those in the tagged section, by tag. */
  readonly tagged: readonly ShapeField[]
  readonly flexible: boolean
  /** Least number of bytes that a value takes; never 0, so that it can bound a count. */
  readonly bytesMin: number
}

/** Bytes of the kinds whose size is fixed. */
export const fixedBytes = {
  int8: 1,
  bool: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  offset: 8,
  float64: 8,
  uuid: 16,
} as const satisfies Partial<Record<PrimitiveKind, number>>

export type FixedKind = keyof typeof fixedBytes

/** True for a kind whose values all have the same size. */
export function isFixed(kind: string): kind is FixedKind {
  return Object.hasOwn(fixedBytes, kind)
}

export const zeroUuid = 'AAAAAAAAAAAAAAAAAAAAAA'

/** Resolves a message for one of its versions. */
export function shapeOf(message: Message, version: number): Shape {
  return structShape(message.fields, version, includes(message.flexible, version))
}

function structShape(fields: Fields, version: number, flexible: boolean): Shape {
  const resolved = Object.entries(fields).map(([name, field]) => resolveField(name, field, version, flexible))
  const present = resolved.filter(field => field.present)
  const plain = present.filter(field => field.tag === undefined)
  const tagged = present.filter(field => field.tag !== undefined).sort((a, b) => (a.tag as number) - (b.tag as number))
  const bytes = plain.reduce((sum, field) => sum + fieldBytesMin(field), flexible ? 1 : 0)
  return { fields: resolved, plain, tagged, flexible, bytesMin: Math.max(1, bytes) }
}

function resolveField(name: string, field: AnyField, version: number, flexible: boolean): ShapeField {
  const type = resolveType(field.type, version, flexible)
  const present = includes(field.versions, version)
  const tagged = present && flexible && field.tag !== undefined && includes(field.taggedVersions, version)
  const makeDefault = defaultOf(type, field.default)
  return {
    name,
    type,
    present,
    tag: tagged ? field.tag : undefined,
    nullable: includes(field.nullable, version),
    compact: flexible && field.flexible,
    ignorable: field.ignorable,
    omittable: field.omittable,
    makeDefault,
    isDefault: isDefaultOf(type, makeDefault()),
  }
}

function resolveType(type: FieldType, version: number, flexible: boolean): ShapeType {
  if (type.kind === 'array') return { kind: 'array', element: resolveType(type.element, version, flexible) }
  if (type.kind === 'struct') return { kind: 'struct', shape: structShape(type.fields, version, flexible) }
  return type
}

function defaultOf(type: ShapeType, declared: unknown): () => unknown {
  if (declared === null) return () => null
  if (type.kind === 'array') return () => []
  if (type.kind === 'struct') {
    return () => Object.fromEntries(type.shape.fields.map(field => [field.name, field.makeDefault()]))
  }
  const value = declared ?? zeroes[type.kind]
  return () => value
}

const emptyBytes = Buffer.alloc(0)
const zeroes: Record<PrimitiveKind, unknown> = {
  int8: 0,
  int16: 0,
  uint16: 0,
  int32: 0,
  uint32: 0,
  int64: 0n,
  offset: 0,
  float64: 0,
  bool: false,
  uuid: zeroUuid,
  string: '',
  bytes: emptyBytes,
  records: emptyBytes,
}

function isDefaultOf(type: ShapeType, expected: unknown): (value: unknown) => boolean {
  if (expected === null || typeof expected !== 'object') {
    return value => value === expected
  }
  if (type.kind === 'array') return value => Array.isArray(value) && value.length === 0
  if (type.kind === 'struct') {
    return value =>
      value !== null &&
      type.shape.fields.every(field => {
        const inner = (value as Record<string, unknown>)[field.name]
        return inner === undefined || field.isDefault(inner)
      })
  }
  return value => value instanceof Uint8Array && value.length === 0
}

function fieldBytesMin(field: ShapeField): number {
  if (field.type.kind === 'struct') return field.nullable ? 1 : field.type.shape.bytesMin
  return typeBytesMin(field.type, field.compact)
}

/** Least number of bytes of a value of this type, length prefix included. */
export function typeBytesMin(type: ShapeType, compact: boolean): number {
  if (type.kind === 'struct') return type.shape.bytesMin
  if (isFixed(type.kind)) return fixedBytes[type.kind]
  if (compact) return 1
  return type.kind === 'string' ? 2 : 4
}

/** A value for a field that the version lacks and that a reader would miss. */
export function missingField(field: string, value: unknown): ProtocolError {
  const found = typeof value === 'object' && value !== null ? 'a value' : `the value ${String(value)}`
  return new ProtocolError(`this version has no field '${field}', found ${found}`, 'UNSUPPORTED_VERSION')
}
