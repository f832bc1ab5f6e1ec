/** fast-check arbitraries derived from the declarations: any value that a version of a message can carry. */
import * as fc from 'fast-check'
import type { Message, PrimitiveKind } from '#broker/protocol/schema.ts'
import { shapeOf, type Shape, type ShapeField, type ShapeType } from '#broker/protocol/shape.ts'

const bytes = fc
  .oneof(
    { weight: 6, arbitrary: fc.uint8Array({ maxLength: 24 }) },
    fc.uint8Array({ minLength: 1000, maxLength: 1100 }),
  )
  .map(array => Buffer.from(array))

const primitives: Record<PrimitiveKind, fc.Arbitrary<unknown>> = {
  int8: fc.integer({ min: -0x80, max: 0x7f }),
  int16: fc.integer({ min: -0x8000, max: 0x7fff }),
  uint16: fc.integer({ min: 0, max: 0xffff }),
  int32: fc.integer(),
  uint32: fc.integer({ min: 0, max: 0xffffffff }),
  int64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  offset: fc.oneof({ weight: 6, arbitrary: fc.maxSafeInteger() }, fc.constantFrom(-1, -2, 0, Infinity)),
  float64: fc.double({ noNaN: true }),
  bool: fc.boolean(),
  uuid: fc.uint8Array({ minLength: 16, maxLength: 16 }).map(array => Buffer.from(array).toString('base64url')),
  string: fc.oneof(
    { weight: 4, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) },
    fc.string({ unit: 'grapheme', minLength: 120, maxLength: 140 }),
  ),
  bytes,
  records: bytes,
}

function typeArbitrary(type: ShapeType): fc.Arbitrary<unknown> {
  if (type.kind === 'struct') return structArbitrary(type.shape)
  if (type.kind === 'array') return fc.array(typeArbitrary(type.element), { maxLength: 3 })
  return primitives[type.kind]
}

function fieldArbitrary(field: ShapeField): fc.Arbitrary<unknown> {
  if (!field.present) return fc.constant(field.makeDefault())
  const value = typeArbitrary(field.type)
  const orNull = field.nullable ? fc.option(value, { freq: 4 }) : value
  // The default of a tagged field is worth a case of its own: it is not written. It may be null where null cannot be written.
  return field.tag === undefined ? orNull : fc.oneof({ weight: 3, arbitrary: orNull }, fc.constant(field.makeDefault()))
}

function structArbitrary(shape: Shape): fc.Arbitrary<unknown> {
  return fc.record(Object.fromEntries(shape.fields.map(field => [field.name, fieldArbitrary(field)])), {
    noNullPrototype: true,
  })
}

const known = new Map<string, fc.Arbitrary<unknown>>()

/** Whole values of a message version: every key, absent fields at their default, as decoding would yield them. */
export function valueOf(message: Message, version: number): fc.Arbitrary<unknown> {
  const name = `${message.kind} ${message.name} v${version}`
  let arbitrary = known.get(name)
  if (arbitrary === undefined) known.set(name, (arbitrary = structArbitrary(shapeOf(message, version))))
  return arbitrary
}
