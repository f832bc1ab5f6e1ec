/** Just enough of protocol buffers to write MetricsData messages for tests, independent of the reader. */

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) + 0x80)
    rest = Math.floor(rest / 0x80)
  }
  return Buffer.from([...bytes, rest])
}

export const message = (number: number, ...parts: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(parts)
  return Buffer.concat([varint(number * 8 + 2), varint(body.length), body])
}
export const text = (number: number, value: string): Buffer => message(number, Buffer.from(value))
export const integer = (number: number, value: number): Buffer => Buffer.concat([varint(number * 8), varint(value)])

function double(number: number, value: number): Buffer {
  const bytes = Buffer.alloc(9)
  bytes[0] = number * 8 + 1
  bytes.writeDoubleLE(value, 1)
  return bytes
}

function fixedLong(number: number, value: bigint): Buffer {
  const bytes = Buffer.alloc(9)
  bytes[0] = number * 8 + 1
  bytes.writeBigInt64LE(value, 1)
  return bytes
}

export interface Point {
  readonly value: number | bigint
  readonly attributes?: Readonly<Record<string, string>>
}

const point = ({ value, attributes = {} }: Point): Buffer =>
  message(
    1,
    ...Object.entries(attributes).map(([key, each]) => message(7, text(1, key), message(2, text(1, each)))),
    integer(3, 1_700_000_000),
    typeof value === 'bigint' ? fixedLong(6, value) : double(4, value),
  )

export const gauge = (name: string, ...points: readonly Point[]): Buffer =>
  message(2, text(1, name), text(3, 'ms'), message(5, ...points.map(point)))
/** A sum of differences. */
export const sum = (name: string, ...points: readonly Point[]): Buffer =>
  message(2, text(1, name), message(7, ...points.map(point), integer(2, 1), integer(3, 1)))

export const metricsData = (...metrics: readonly Buffer[]): Buffer =>
  message(1, message(1, text(1, 'resource')), message(2, message(1, text(1, 'scope')), ...metrics))
