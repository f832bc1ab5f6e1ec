/**
 * Turns the shape of one message version into straight-line source and compiles it: no version checks, no look-ups, fixed-size neighbours
 * read under one bounds check. `interpret.ts` is its twin: the fallback where code generation is forbidden
 * (`--disallow-code-generation-from-strings`) and the oracle of the property tests.
 *
 * Must never: put anything into the source but names and numbers of declarations; values of a frame never get near it.
 */
import { joinOffset, type Reader } from './reader.ts'
import {
  fixedBytes,
  isFixed,
  missingField,
  typeBytesMin,
  type FixedKind,
  type Shape,
  type ShapeField,
  type ShapeType,
} from './shape.ts'
import type { Writer } from './writer.ts'

export type Decode = (reader: Reader) => unknown
export type Encode = (writer: Writer, value: unknown) => void

/** What generated code may use besides its arguments. */
interface Runtime {
  readonly joinOffset: typeof joinOffset
  readonly emptyBytes: Buffer
  /** Whether a value is its field's default, by the index that the source names. */
  readonly predicates: ((value: unknown) => boolean)[]
  readonly missing: (name: string, value: unknown) => never
}

export interface Compiled {
  readonly decode: Decode
  readonly encode: Encode
  /** For people: what is run. */
  readonly source: string
}

/** Compiles both directions. Throws EvalError where the process may not generate code. */
export function compile(shape: Shape, name: string): Compiled {
  const runtime: Runtime = {
    joinOffset,
    emptyBytes: Buffer.alloc(0),
    predicates: [],
    missing: (field, value) => {
      throw missingField(field, value)
    },
  }
  const source = new SourceBuilder(runtime)
  const decode = source.decoder(shape)
  const encode = source.encoder(shape)
  const text = `'use strict' // ${name}\n${source.functions.join('\n')}\nreturn { decode: ${decode}, encode: ${encode} }`
  // Generated from declarations only, see above; the interpreter takes over where this is forbidden.
  // oxlint-disable-next-line typescript/no-implied-eval, eslint/no-new-func
  const make = new Function('$', text) as (runtime: Runtime) => { decode: Decode; encode: Encode }
  return { ...make(runtime), source: text }
}

const key = (name: string): string => JSON.stringify(name)

class SourceBuilder {
  readonly functions: string[] = []
  private readonly runtime: Runtime

  constructor(runtime: Runtime) {
    this.runtime = runtime
  }

  // -------------------------------------------------------------------------------------------------------- decoding

  /** Emits the function that reads a struct; returns its name. */
  decoder(shape: Shape): string {
    const lines: string[] = []
    const names = new Map(shape.fields.map((field, index) => [field, `v${index}`]))
    const name = (field: ShapeField): string => names.get(field) as string
    for (const field of shape.fields) {
      if (!field.present || field.tag !== undefined) lines.push(`let ${name(field)} = ${this.defaultExpression(field)}`)
    }
    this.readPlain(shape.plain, name, lines)
    if (shape.flexible) this.readTagged(shape.tagged, name, lines)
    lines.push(`return { ${shape.fields.map(field => `${key(field.name)}: ${name(field)}`).join(', ')} }`)
    return this.function('decode', 'r', lines)
  }

  /** Neighbours of fixed size share one bounds check. */
  private readPlain(plain: readonly ShapeField[], name: (field: ShapeField) => string, lines: string[]): void {
    for (let i = 0; i < plain.length;) {
      const run: string[] = []
      let bytes = 0
      for (let field = plain[i]; field !== undefined && isFixed(field.type.kind); field = plain[++i]) {
        run.push(`const ${name(field)} = ${fixedExpression(field.type.kind, `p + ${bytes}`)}`)
        bytes += fixedBytes[field.type.kind]
      }
      if (bytes > 0) {
        const at = `p${i}`
        lines.push(`const ${at} = r.take(${bytes})`, ...run.map(line => line.replaceAll(/\bp \+/g, `${at} +`)))
      }
      const field = plain[i]
      if (field !== undefined) {
        lines.push(...this.readVariable(field, name(field), true))
        i++
      }
    }
  }

  private readTagged(tagged: readonly ShapeField[], name: (field: ShapeField) => string, lines: string[]): void {
    if (tagged.length === 0) {
      lines.push('r.skipTags()')
      return
    }
    lines.push(
      'for (let left = r.uvarint(); left > 0; left--) {',
      'const tag = r.uvarint()',
      'const size = r.uvarint()',
    )
    lines.push('switch (tag) {')
    for (const field of tagged) {
      const target = name(field)
      const kind = field.type.kind
      lines.push(`case ${field.tag}: {`, 'const outer = r.enter(size)')
      if (isFixed(kind)) lines.push(`${target} = r.${kind}()`)
      else lines.push(...this.readVariable(field, target, false))
      lines.push('r.leave(outer)', 'break', '}')
    }
    lines.push('default: r.take(size)', '}', '}')
  }

  /** Statements that read a string, bytes, array or struct into `target`. */
  private readVariable(field: ShapeField, target: string, declare: boolean): string[] {
    const { type, nullable, compact } = field
    const assign = declare ? `const ${target} =` : `${target} =`
    const length = `n${target}`
    if (type.kind === 'struct') {
      const inner = `${this.decoder(type.shape)}(r)`
      return [
        `${assign} ${nullable ? `${field.tag === undefined ? 'r.int8() < 0' : 'r.uvarint() === 0'} ? null : ${inner}` : inner}`,
      ]
    }
    if (type.kind === 'array') {
      const lines = [
        `const ${length} = r.${compact ? 'compactCount' : 'count'}(${typeBytesMin(type.element, compact)})`,
      ]
      if (!nullable) lines.push(`if (${length} < 0) r.refuseNull('an array')`)
      lines.push(`${assign} ${nullable ? `${length} < 0 ? null : []` : '[]'}`)
      lines.push(`for (let i = 0; i < ${length}; i++) ${target}.push(${this.readElement(type.element, compact)})`)
      return lines
    }
    const text = type.kind === 'string'
    const what = key(text ? 'a string' : type.kind)
    const lines = [`const ${length} = r.${compact ? 'compactLength' : text ? 'shortLength' : 'intLength'}(${what})`]
    if (!nullable) lines.push(`if (${length} < 0) r.refuseNull(${what})`)
    const value = `r.${text ? 'text' : 'view'}(${length})`
    lines.push(`${assign} ${nullable ? `${length} < 0 ? null : ${value}` : value}`)
    return lines
  }

  private readElement(type: ShapeType, compact: boolean): string {
    if (type.kind === 'struct') return `${this.decoder(type.shape)}(r)`
    if (isFixed(type.kind)) return `r.${type.kind}()`
    const field = elementField(type, compact)
    return `${this.function('decode', 'r', [...this.readVariable(field, 'x', true), 'return x'])}(r)`
  }

  /** A default is a literal, so that the struct it may be has the hidden class of decoded ones. */
  private defaultExpression(field: ShapeField): string {
    const value = field.makeDefault()
    const { type } = field
    if (value === null) return 'null'
    if (type.kind === 'array') return '[]'
    if (type.kind === 'struct') {
      return `{ ${type.shape.fields.map(inner => `${key(inner.name)}: ${this.defaultExpression(inner)}`).join(', ')} }`
    }
    if (type.kind === 'bytes' || type.kind === 'records') return '$.emptyBytes'
    if (type.kind === 'int64') return `${value as bigint}n`
    return typeof value === 'number' ? String(value) : JSON.stringify(value)
  }

  // -------------------------------------------------------------------------------------------------------- encoding

  /** Emits the function that writes a struct; returns its name. */
  encoder(shape: Shape): string {
    const lines = [`if (typeof v !== 'object' || v === null) w.refuse('an object', v)`]
    for (const field of shape.fields) {
      if (!field.present && !field.ignorable) {
        const value = `v.${field.name}`
        lines.push(
          `if (${value} !== undefined && !${this.isDefault(field, value)}) $.missing(${key(field.name)}, ${value})`,
        )
      }
    }
    shape.plain.forEach((field, index) => lines.push(...this.writePlain(field, `v${index}`)))
    if (shape.flexible) this.writeTagged(shape.tagged, lines)
    return this.function('encode', 'w, v', lines)
  }

  private writePlain(field: ShapeField, local: string): string[] {
    const simple = isFixed(field.type.kind)
    if (simple && !field.omittable) return [`w.${field.type.kind}(v.${field.name})`]
    const lines = [`let ${local} = v.${field.name}`]
    if (field.omittable) lines.push(`if (${local} === undefined) ${local} = ${this.defaultExpression(field)}`)
    return [...lines, ...this.writeValue(field, local)]
  }

  private writeTagged(tagged: readonly ShapeField[], lines: string[]): void {
    if (tagged.length === 0) {
      lines.push('w.uvarint(0)')
      return
    }
    const guards = tagged.map((field, index) => {
      lines.push(`const t${index} = v.${field.name}`)
      lines.push(`const has${index} = t${index} !== undefined && !${this.isDefault(field, `t${index}`)}`)
      return `has${index}`
    })
    lines.push(`w.uvarint(${guards.map(guard => `(${guard} ? 1 : 0)`).join(' + ')})`)
    tagged.forEach((field, index) => {
      const token = `token${index}`
      lines.push(`if (has${index}) {`, `const ${token} = w.beginTag(${field.tag})`)
      lines.push(...this.writeValue(field, `t${index}`), `w.endTag(${token})`, '}')
    })
  }

  /** Statements that write the value of the local variable `x`. */
  private writeValue(field: ShapeField, x: string): string[] {
    const { type, nullable, compact } = field
    const lines = this.writePresent(type, compact, x)
    if (!nullable) return lines
    if (type.kind === 'struct') {
      const [none, some] = field.tag === undefined ? ['w.int8(-1)', 'w.int8(1)'] : ['w.uvarint(0)', 'w.uvarint(1)']
      return [`if (${x} === null) ${none}`, 'else {', some, ...lines, '}']
    }
    const none = compact ? 'w.uvarint(0)' : type.kind === 'string' ? 'w.int16(-1)' : 'w.int32(-1)'
    return [`if (${x} === null) ${none}`, 'else {', ...lines, '}']
  }

  /** The same for a value that is not null. */
  private writePresent(type: ShapeType, compact: boolean, x: string): string[] {
    if (type.kind === 'struct') return [`${this.encoder(type.shape)}(w, ${x})`]
    if (type.kind === 'string') return [`w.${compact ? 'compactString' : 'string'}(${x})`]
    if (type.kind === 'bytes' || type.kind === 'records')
      return [`w.${compact ? 'compactBytesValue' : 'bytesValue'}(${x})`]
    if (type.kind !== 'array') return [`w.${type.kind}(${x})`]
    return [
      `if (!Array.isArray(${x})) w.refuse('an array', ${x})`,
      compact ? `w.uvarint(${x}.length + 1)` : `w.int32(${x}.length)`,
      `for (let i = 0; i < ${x}.length; i++) ${this.writeElement(type.element, compact, `${x}[i]`)}`,
    ]
  }

  private writeElement(type: ShapeType, compact: boolean, value: string): string {
    if (type.kind === 'struct') return `${this.encoder(type.shape)}(w, ${value})`
    if (isFixed(type.kind)) return `w.${type.kind}(${value})`
    return `${this.function('encode', 'w, x', this.writeValue(elementField(type, compact), 'x'))}(w, ${value})`
  }

  private isDefault(field: ShapeField, value: string): string {
    const fallback = field.makeDefault()
    if (fallback === null || typeof fallback !== 'object') return `(${value} === ${this.defaultExpression(field)})`
    return `$.predicates[${this.runtime.predicates.push(field.isDefault) - 1}](${value})`
  }

  private function(prefix: string, parameters: string, lines: readonly string[]): string {
    const name = `${prefix}${this.functions.length}`
    const buffer = parameters === 'r' ? 'const b = r.buffer\n' : ''
    this.functions.push(`function ${name}(${parameters}) {\n${buffer}${lines.join('\n')}\n}`)
    return name
  }
}

/** An array's element treated as a field of its own: never null, never absent. */
function elementField(type: ShapeType, compact: boolean): ShapeField {
  return {
    name: 'element',
    type,
    present: true,
    tag: undefined,
    nullable: false,
    compact,
    ignorable: false,
    omittable: false,
    makeDefault: () => undefined,
    isDefault: () => false,
  }
}

/** Reads a value of fixed size from the buffer `b`, bounds already checked. `p + n` is where it begins. */
function fixedExpression(kind: FixedKind, at: string): string {
  const byte = (index: number): string => `b[${at} + ${index}]`
  const int32 = (index: number): string =>
    `(${byte(index)} << 24 | ${byte(index + 1)} << 16 | ${byte(index + 2)} << 8 | ${byte(index + 3)})`
  const expressions: Record<FixedKind, string> = {
    int8: `${byte(0)} << 24 >> 24`,
    bool: `${byte(0)} !== 0`,
    int16: `(${byte(0)} << 24 | ${byte(1)} << 16) >> 16`,
    uint16: `${byte(0)} << 8 | ${byte(1)}`,
    int32: int32(0),
    uint32: `${int32(0)} >>> 0`,
    offset: `$.joinOffset(${int32(0)}, ${int32(4)})`,
    int64: `b.readBigInt64BE(${at})`,
    float64: `b.readDoubleBE(${at})`,
    uuid: `b.toString('base64url', ${at}, ${at} + 16)`,
  }
  return expressions[kind]
}
