/**
 * The subject of a certificate as RFC 2253 text, in the form in which Java (X500Principal.getName) and so Kafka write it: last attribute
 * first, nine attribute types by name, all others as dotted numbers with the value's DER in hexadecimal. ACLs and mapping rules
 * depend on every character of it.
 */
import { DerError, readDer, tag, type DerNode } from './der.ts'

const keywords: ReadonlyMap<string, string> = new Map([
  ['2.5.4.3', 'CN'],
  ['2.5.4.6', 'C'],
  ['2.5.4.7', 'L'],
  ['2.5.4.8', 'ST'],
  ['2.5.4.10', 'O'],
  ['2.5.4.11', 'OU'],
  ['2.5.4.9', 'STREET'],
  ['0.9.2342.19200300.100.1.25', 'DC'],
  ['0.9.2342.19200300.100.1.1', 'UID'],
])

const printable = 0x13
const ia5 = 0x16
const teletex = 0x14
const universal = 0x1c
const bmp = 0x1e

/** Undefined for what is not a string type. */
function textOf(value: DerNode): string | undefined {
  switch (value.tag) {
    case tag.utf8String:
      return value.content.toString('utf8')
    case printable:
    case ia5:
    case teletex:
      return value.content.toString('latin1')
    case bmp:
      return Buffer.from(value.content.subarray(0, value.content.length & ~1))
        .swap16()
        .toString('utf16le')
    case universal:
    default:
      return undefined
  }
}

function escaped(text: string): string {
  const special = text.replaceAll(/[,+"\\<>;]/g, '\\$&').replace(/^(?=[ #])/, '\\')
  // Every space at the end, not the last one alone; one that is also the first is escaped already.
  return special.replace(/(?<=[^\\ ]) +$/, spaces => spaces.replaceAll(' ', String.raw`\ `))
}

function attributeText(attribute: DerNode): string {
  const { oid } = attribute.child(0, tag.oid)
  const value = attribute.child(1)
  const keyword = keywords.get(oid)
  const text = keyword === undefined ? undefined : textOf(value)
  if (keyword === undefined || text === undefined) return `${keyword ?? oid}=#${value.whole.toString('hex')}`
  return `${keyword}=${escaped(text)}`
}

/** A Name (RFC 5280) as text. */
export function nameText(name: DerNode): string {
  return name.children
    .map(relative => relative.children.map(attributeText).join('+'))
    .reverse()
    .join(',')
}

/** @throws DerError when these bytes are no certificate */
export function subjectOf(certificate: Buffer): string {
  const fields = readDer(certificate).expect(tag.sequence).child(0, tag.sequence).children
  // TBSCertificate: [0] version (optional), serial, signature, issuer, validity, subject.
  const subject = fields[fields[0]?.tag === tag.context0 ? 5 : 4]
  if (subject === undefined) throw new DerError('a certificate without a subject')
  return nameText(subject.expect(tag.sequence))
}
