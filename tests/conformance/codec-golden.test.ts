/**
 * Byte equality with Apache Kafka's own codecs: its jars make samples of every message in every version (java/Goldens.java), we decode
 * them, compare the values with Kafka's JSON, encode them again and compare the bytes.
 */
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { codec, interpretedCodec } from '#broker/protocol/codec.ts'
import type { Message } from '#broker/protocol/schema.ts'
import { allMessages, allVersions } from '#tests/broker/protocol/all-messages.ts'
import { describeWith, kafkaJars } from '../machine.ts'
import { compile } from './java.ts'

const samplesPerVersion = 4

interface Golden {
  readonly title: string
  readonly message: Message
  readonly version: number
  readonly bytes: Buffer
  /** Kafka's JSON; numbers as the text that stood there. */
  readonly json: unknown
}

/** Kafka's classes of requests, responses and headers end in Data; those of stored records are called as they are. */
function messageOf(className: string): Message | undefined {
  return allMessages.find(message => message.name === className || `${message.name}Data` === className)
}

function numberText(text: string): string {
  return /^-?\d+$/.test(text) ? text : String(Number(text))
}

function parse(line: string): Golden {
  const [className = '', version = '', hex = '', json = ''] = line.split('\t')
  const message = messageOf(className)
  if (message === undefined) throw new Error(`Kafka has a message ${className} that is not declared`)
  return {
    title: `${message.name} v${version}`,
    message,
    version: Number(version),
    bytes: Buffer.from(hex, 'hex'),
    json: JSON.parse(json, (_key, value: unknown, context?: { readonly source?: string }) =>
      typeof value === 'number' ? numberText(context?.source ?? String(value)) : value,
    ),
  }
}

/** Our value in the form of Kafka's JSON, reduced to the keys that Kafka prints (it leaves out defaults of tagged fields). */
function likeJson(value: unknown, printed: unknown): unknown {
  if (value === Infinity) return '9223372036854775807'
  if (typeof value === 'number' || typeof value === 'bigint') return String(value)
  // Of record batches Kafka prints nothing; the comparison of bytes covers them.
  if (Buffer.isBuffer(value)) return printed === '' ? '' : value.toString('base64')
  if (Array.isArray(value))
    return value.map((each, index) => likeJson(each, Array.isArray(printed) ? printed[index] : undefined))
  if (typeof value !== 'object' || value === null || typeof printed !== 'object' || printed === null) return value
  const ours = value as Record<string, unknown>
  return Object.fromEntries(Object.entries(printed).map(([key, inner]) => [key, likeJson(ours[key], inner)]))
}

/** Titles with what went wrong; the first few are enough to see the pattern. */
function failures(goldens: readonly Golden[], check: (golden: Golden) => string | undefined): readonly string[] {
  return goldens.flatMap(golden => {
    try {
      const wrong = check(golden)
      return wrong === undefined ? [] : [`${golden.title}: ${wrong}`]
    } catch (error) {
      return [`${golden.title}: ${String(error)}`]
    }
  })
}

describeWith(['java', 'apache-kafka'], 'codecs beside those of Apache Kafka 4.3.1', () => {
  let goldens: readonly Golden[] = []

  beforeAll(() => {
    const classpath = path.join(kafkaJars, '*')
    const output = execFileSync(
      'java',
      [
        '-XX:TieredStopAtLevel=1',
        '-cp',
        `${classpath}${path.delimiter}${compile('Goldens')}`,
        'Goldens',
        kafkaJars,
        String(samplesPerVersion),
      ],
      { encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'inherit'] },
    )
    goldens = output.trimEnd().split('\n').map(parse)
  })

  it('cover every declared version of every message', () => {
    const seen = new Set(goldens.map(golden => golden.title))
    // Header v0 went with ControlledShutdown; we still read it.
    expect(allVersions.map(([title]) => title).filter(title => !seen.has(title))).toEqual(['RequestHeader v0'])
    expect(goldens.length).toBe((allVersions.length - 1) * samplesPerVersion)
  })

  it('read every sample as Kafka does', () => {
    const wrong = failures(goldens, ({ message, version, bytes, json }) => {
      const ours = JSON.stringify(likeJson(codec(message, version).decode(bytes), json))
      const theirs = JSON.stringify(json)
      return ours === theirs ? undefined : `${ours} instead of ${theirs}`
    })
    expect(wrong).toEqual([])
  })

  it.each([
    ['compiled', codec],
    ['interpreted', interpretedCodec],
  ])('write every sample byte for byte as Kafka does, %s', (_name, make) => {
    const wrong = failures(goldens, ({ message, version, bytes }) => {
      const side = make(message, version)
      const again = Buffer.concat(side.encode(side.decode(bytes)))
      return again.equals(bytes) ? undefined : `${again.toString('hex')} instead of ${bytes.toString('hex')}`
    })
    expect(wrong).toEqual([])
  })
})
