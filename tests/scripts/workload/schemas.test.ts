import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  decodeRecord,
  encodeRecord,
  objections,
  problemsOf,
  SchemaError,
  type FieldType,
  type Schema,
} from '#scripts/workload/schemas.ts'

const first: Schema = {
  id: 1,
  fields: [
    { name: 'order', type: 'number' },
    { name: 'note', type: 'string' },
  ],
}
const withDefault: Schema = {
  id: 2,
  fields: [
    { name: 'order', type: 'number' },
    { name: 'currency', type: 'string', default: 'EUR' },
  ],
}
const withoutDefault: Schema = { id: 3, fields: [...first.fields, { name: 'shop', type: 'string' }] }
const registry = [first, withDefault, withoutDefault]

describe('a value', () => {
  test('begins with a zero byte and the id of its schema in four bytes', () => {
    const bytes = Buffer.from(encodeRecord(first, { order: 7, note: 'größer' }))
    expect([bytes.readInt8(0), bytes.readInt32BE(1)]).toEqual([0, 1])
    expect(JSON.parse(bytes.subarray(5).toString())).toEqual({ order: 7, note: 'größer' })
  })

  test('is not written that has not the fields of its schema', () => {
    expect(() => encodeRecord(first, { order: 7 })).toThrow('field note: expected string, got undefined')
    expect(() => encodeRecord(first, { order: '7', note: '' })).toThrow('field order: expected number, got "7"')
    expect(() => encodeRecord({ id: 128, fields: [] }, {})).toThrow('below 128')
  })

  test('is read by another schema: fields by their names, defaults for what is not there, nothing of what the reader does not know', () => {
    const value = encodeRecord(first, { order: 7, note: 'soon' })
    expect(decodeRecord(registry, first, value)).toEqual({ order: 7, note: 'soon' })
    expect(decodeRecord(registry, withDefault, value)).toEqual({ order: 7, currency: 'EUR' })
  })

  test('is refused that lacks what the reader needs, has no schema, or is something else', () => {
    const value = encodeRecord(first, { order: 7, note: 'soon' })
    expect(() => decodeRecord(registry, withoutDefault, value)).toThrow(
      'schema 1 has no field shop, and schema 3 no default for it',
    )
    expect(() => decodeRecord([], first, value)).toThrow('nobody knows schema 1')
    for (const other of ['', 'plain text', '{}', '\0\0\0\0'])
      expect(() => decodeRecord(registry, first, other)).toThrow(SchemaError)
  })
})

describe('compatibility', () => {
  test('is backward when the new schema reads the old records, forward when the old one reads the new', () => {
    expect(objections('BACKWARD', first, withDefault)).toEqual([])
    expect(objections('FORWARD', first, withDefault)).toEqual([
      'schema 2 has no field note, and schema 1 no default for it',
    ])
    expect(objections('BACKWARD', first, withoutDefault)).toHaveLength(1)
    expect(objections('FORWARD', first, withoutDefault)).toEqual([])
  })

  test('foretells for every two schemas whether a record is read', () => {
    const samples: Readonly<Record<FieldType, string | number | boolean>> = { string: 'a', number: 1, boolean: true }
    const field = fc
      .record({ name: fc.constantFrom('a', 'b', 'c'), type: fc.constantFrom<FieldType>('string', 'number', 'boolean') })
      .chain(({ name, type }) =>
        fc.boolean().map(hasDefault => ({ name, type, ...(hasDefault ? { default: samples[type] } : {}) })),
      )
    const fields = fc.uniqueArray(field, { selector: ({ name }) => name })
    fc.assert(
      fc.property(fields, fields, (written, read) => {
        const [writer, reader] = [
          { id: 1, fields: written },
          { id: 2, fields: read },
        ]
        const value = encodeRecord(writer, Object.fromEntries(written.map(({ name, type }) => [name, samples[type]])))
        const attempt = () => decodeRecord([writer, reader], reader, value)
        if (problemsOf(reader, writer).length > 0) expect(attempt).toThrow(SchemaError)
        else expect(attempt()).toEqual(Object.fromEntries(read.map(({ name, type }) => [name, samples[type]])))
      }),
    )
  })
})
