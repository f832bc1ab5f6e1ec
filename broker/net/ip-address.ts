/**
 * Addresses as text and as bytes. Access control entries, quotas and the Envelope of a forwarded request compare them, so that one address must
 * have one text: that of Java's InetAddress.getHostAddress, which Kafka compares. There an IPv6 address has all of its eight groups.
 */

const ipv4Pattern = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/
const ipv4Bytes = 4
const ipv6Bytes = 16
const mappedPrefix = Buffer.from('00000000000000000000ffff', 'hex')

/** Undefined for what is no address; an IPv4 address within an IPv6 one is the IPv4 address. */
export function addressBytes(text: string): Buffer | undefined {
  const ipv4 = ipv4Pattern.exec(text)
  if (ipv4 !== null) {
    const bytes = ipv4.slice(1).map(Number)
    return bytes.some(byte => byte > 255) ? undefined : Buffer.from(bytes)
  }
  const groups = ipv6Groups(text)
  if (groups === undefined) return undefined
  const bytes = Buffer.alloc(ipv6Bytes)
  for (const [index, group] of groups.entries()) bytes.writeUInt16BE(group, index * 2)
  return bytes.subarray(0, mappedPrefix.length).equals(mappedPrefix) ? bytes.subarray(mappedPrefix.length) : bytes
}

function ipv6Groups(text: string): number[] | undefined {
  // A zone says through which interface, and is no part of the address.
  const [address = ''] = text.split('%')
  // The parser of URLs knows the grammar, and writes the last two groups in hexadecimal too.
  const url = address.includes(':') ? URL.parse(`http://[${address}]`) : null
  if (url === null) return undefined
  const [front = '', back] = url.hostname.slice(1, -1).split('::')
  const read = (part: string) => (part === '' ? [] : part.split(':').map(group => Number.parseInt(group, 16)))
  const before = read(front)
  const after = back === undefined ? [] : read(back)
  const zeros = Array.from({ length: ipv6Bytes / 2 - before.length - after.length }, () => 0)
  return [...before, ...zeros, ...after]
}

/** Undefined for another number of bytes than an address has. */
export function addressText(bytes: Buffer): string | undefined {
  if (bytes.length === ipv4Bytes) return [...bytes].join('.')
  if (bytes.length !== ipv6Bytes) return undefined
  return Array.from({ length: ipv6Bytes / 2 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16)).join(':')
}

/** The one text of an address; whatever is no address stays as it is. */
export function hostAddress(text: string): string {
  const bytes = text.includes(':') ? addressBytes(text) : undefined
  return (bytes && addressText(bytes)) ?? text
}
