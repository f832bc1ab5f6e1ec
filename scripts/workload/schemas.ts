/**
 * Records with schemas that change: written by one schema, read by another, as Avro resolves them by the names of fields. A value says by which
 * schema it was written: a zero byte and the schema's id in four bytes, as schema registries do, then JSON.
 *
 * Source: Apache Avro specification, "Schema Resolution"; Confluent Schema Registry, "Schema Evolution and Compatibility" and "Wire Format".
 */

export type FieldType = 'string' | 'number' | 'boolean'
type FieldValue = string | number | boolean

interface SchemaField {
  readonly name: string
  readonly type: FieldType
  /** What a reader takes when the writer did not know the field; left out: the field must be there. */
  readonly default?: FieldValue
}

export interface Schema {
  /** Below 128, so that the bytes of a value are text. */
  readonly id: number
  readonly fields: readonly SchemaField[]
}

export type SchemaRecord = Readonly<Record<string, FieldValue>>

/** A value that this reader does not understand. */
export class SchemaError extends Error {}

const magic = '\0\0\0\0'
const idsMax = 128

export function encodeRecord(schema: Schema, record: SchemaRecord): string {
  if (!Number.isInteger(schema.id) || schema.id < 0 || schema.id >= idsMax)
    throw new SchemaError(`expected the id of a schema below ${idsMax}, got ${schema.id}`)
  for (const { name, type } of schema.fields)
    if (typeof record[name] !== type)
      throw new SchemaError(`field ${name}: expected ${type}, got ${JSON.stringify(record[name])}`)
  const body = Object.fromEntries(schema.fields.map(({ name }) => [name, record[name]]))
  return `${magic}${String.fromCharCode(schema.id)}${JSON.stringify(body)}`
}

/**
 * The record as this reader sees it: fields that it does not know are left out, fields that the writer did not know have their default.
 *
 * @throws SchemaError when the value has no such form, or the reader lacks something
 */
export function decodeRecord(registry: readonly Schema[], reader: Schema, value: string): SchemaRecord {
  if (!value.startsWith(magic) || value.length <= magic.length)
    throw new SchemaError('the value does not begin with the id of a schema')
  const id = value.charCodeAt(magic.length)
  const writer = registry.find(schema => schema.id === id)
  if (writer === undefined) throw new SchemaError(`nobody knows schema ${id}`)
  const [problem] = problemsOf(reader, writer)
  if (problem !== undefined) throw new SchemaError(problem)
  const body = JSON.parse(value.slice(magic.length + 1)) as SchemaRecord
  return Object.fromEntries(reader.fields.map(field => [field.name, body[field.name] ?? (field.default as FieldValue)]))
}

/** Why this reader does not understand what that writer writes, one for each field; none: it does. */
export function problemsOf(reader: Schema, writer: Schema): readonly string[] {
  return reader.fields.flatMap(({ name, type, default: substitute }) => {
    const written = writer.fields.find(field => field.name === name)
    if (written === undefined)
      return substitute === undefined
        ? [`schema ${writer.id} has no field ${name}, and schema ${reader.id} no default for it`]
        : []
    return written.type === type
      ? []
      : [`field ${name} is ${written.type} in schema ${writer.id} and ${type} in schema ${reader.id}`]
  })
}

/** BACKWARD: the new schema reads what the old one wrote. FORWARD: the old one reads what the new one writes. */
export type Compatibility = 'BACKWARD' | 'FORWARD'

/** What a registry would say to the new schema; none: it takes it. */
export function objections(mode: Compatibility, old: Schema, next: Schema): readonly string[] {
  return mode === 'BACKWARD' ? problemsOf(next, old) : problemsOf(old, next)
}
