import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addressBytes, addressText, hostAddress } from '#broker/net/ip-address.ts'

// What Java 17 prints for InetAddress.getByName(text).getHostAddress().
test.each([
  ['::1', '0:0:0:0:0:0:0:1'],
  ['::', '0:0:0:0:0:0:0:0'],
  ['2001:db8::8a2e:370:7334', '2001:db8:0:0:0:8a2e:370:7334'],
  ['2001:0DB8:0000:0000:0000:8A2E:0370:7334', '2001:db8:0:0:0:8a2e:370:7334'],
  ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
  ['::ffff:10.1.2.3', '10.1.2.3'],
  ['::ffff:a01:203', '10.1.2.3'],
  ['64:ff9b::10.1.2.3', '64:ff9b:0:0:0:0:a01:203'],
  ['10.1.2.3', '10.1.2.3'],
])('the address %s is written %s', (text, written) => {
  expect(hostAddress(text)).toBe(written)
})

test.each(['*', 'localhost', 'node-1', '', '1::2::3', ':::', '12345::', '1:2:3:4:5:6:7:8:9'])(
  '%j is no address and stays as it is',
  text => {
    expect(addressBytes(text)).toBeUndefined()
    expect(hostAddress(text)).toBe(text)
  },
)

test('an IPv4 address has four numbers of a byte each', () => {
  expect(addressBytes('10.0.0.1')).toEqual(Buffer.from([10, 0, 0, 1]))
  expect(addressBytes('10.0.0.256')).toBeUndefined()
  expect(addressBytes('10.0.0')).toBeUndefined()
})

test('the zone of an address is no part of it', () => {
  expect(hostAddress('fe80::1%eth0')).toBe('fe80:0:0:0:0:0:0:1')
})

test('every address comes back from its bytes', () => {
  const bytes = fc.oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
  fc.assert(
    fc.property(bytes, each => {
      const text = addressText(Buffer.from(each)) ?? ''
      expect(hostAddress(text)).toBe(
        text.startsWith('0:0:0:0:0:ffff:') ? addressText(Buffer.from(each.slice(12))) : text,
      )
      expect(addressText(addressBytes(text) ?? Buffer.alloc(0))).toBe(hostAddress(text))
    }),
  )
  expect(addressText(Buffer.alloc(5))).toBeUndefined()
})
