/**
 * Names and numbers out of an OpenTelemetry MetricsData message, which is what clients push (KIP-714). Only what a gauge or a sum of single
 * numbers needs; everything else is skipped. Source: opentelemetry-proto metrics/v1/metrics.proto, protocol buffers encoding.
 */

export interface PushedMetric {
  readonly name: string
  readonly kind: 'gauge' | 'sum'
  readonly points: readonly PushedPoint[]
}

export interface PushedPoint {
  readonly value: number
  readonly attributes: Readonly<Record<string, string>>
}

/** The bytes are no such message. */
export class OtlpError extends Error {}

type Value = number | Buffer
interface Field {
  readonly number: number
  readonly value: Value
}

const wire = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const

/** @throws OtlpError */
export function readMetrics(data: Buffer): PushedMetric[] {
  const metrics: PushedMetric[] = []
  for (const resource of messages(data, 1)) {
    for (const scope of messages(resource, 2)) {
      for (const metric of messages(scope, 2)) {
        const read = readMetric(metric)
        if (read !== undefined) metrics.push(read)
      }
    }
  }
  return metrics
}

function readMetric(metric: Buffer): PushedMetric | undefined {
  let name = ''
  let found: { kind: 'gauge' | 'sum'; data: Buffer } | undefined
  for (const { number, value } of fields(metric)) {
    if (!Buffer.isBuffer(value)) continue
    if (number === 1) name = value.toString('utf8')
    if (number === 5) found = { kind: 'gauge', data: value }
    if (number === 7) found = { kind: 'sum', data: value }
  }
  if (found === undefined || name === '') return undefined
  return { name, kind: found.kind, points: messages(found.data, 1).map(readPoint) }
}

function readPoint(point: Buffer): PushedPoint {
  let number = 0
  const attributes: Record<string, string> = {}
  for (const { number: field, value } of fields(point)) {
    if (field === 7 && Buffer.isBuffer(value)) {
      const [key, text] = readAttribute(value)
      attributes[key] = text
    }
    if (field === 4 && Buffer.isBuffer(value)) number = value.readDoubleLE(0)
    if (field === 6 && Buffer.isBuffer(value)) number = Number(value.readBigInt64LE(0))
  }
  return { value: number, attributes }
}

/** Of the kinds of values those that are texts and numbers; others are empty. */
function readAttribute(attribute: Buffer): readonly [key: string, text: string] {
  const key = messages(attribute, 1)[0]?.toString('utf8') ?? ''
  const [value] = messages(attribute, 2)
  for (const { number, value: any } of value === undefined ? [] : fields(value)) {
    if (number === 1 && Buffer.isBuffer(any)) return [key, any.toString('utf8')]
    if (number === 2) return [key, String(any === 1)]
    if (number === 3) return [key, String(any)]
  }
  return [key, '']
}

function messages(data: Buffer, number: number): Buffer[] {
  const found: Buffer[] = []
  for (const field of fields(data)) if (field.number === number && Buffer.isBuffer(field.value)) found.push(field.value)
  return found
}

/** Numbers of varint fields; eight or four bytes of fixed ones; the content of the others. */
function fields(data: Buffer): Field[] {
  const found: Field[] = []
  let position = 0
  const varint = (): number => {
    let result = 0
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = data[position++]
      if (byte === undefined) throw new OtlpError('ends inside a number')
      result += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return result
    }
    throw new OtlpError('has a number that is too long')
  }
  const take = (length: number): Buffer => {
    if (length > data.length - position) throw new OtlpError('ends inside a field')
    position += length
    return data.subarray(position - length, position)
  }
  while (position < data.length) {
    const tag = varint()
    const number = Math.floor(tag / 8)
    const type = tag % 8
    if (type === wire.varint) found.push({ number, value: varint() })
    else if (type === wire.fixed64) found.push({ number, value: take(8) })
    else if (type === wire.fixed32) found.push({ number, value: take(4) })
    else if (type === wire.bytes) found.push({ number, value: take(varint()) })
    else throw new OtlpError(`has a field of the unknown kind ${type}`)
  }
  return found
}
