/**
 * XXH3, 64 bits, seed 0, for inputs of at least 4 bytes or none: the hash by which groups notice that topics changed.
 * Source: the XXH3 specification (xxHash 0.8).
 */
const mask = 0xffff_ffff_ffff_ffffn
const low32 = 0xffff_ffffn

const prime32 = [0x9e37_79b1n, 0x85eb_ca77n, 0xc2b2_ae3dn] as const
const prime64 = [
  0x9e37_79b1_85eb_ca87n,
  0xc2b2_ae3d_27d4_eb4fn,
  0x1656_67b1_9e37_79f9n,
  0x85eb_ca77_c2b2_ae63n,
  0x27d4_eb2f_1656_67c5n,
] as const
const primeMx1 = 0x1656_6791_9e37_79f9n
const primeMx2 = 0x9fb2_1c65_1e98_df25n

const secret = Buffer.from(
  'b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c' +
    '3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364' +
    'eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e',
  'hex',
)

const stripeBytes = 64
const blockBytes = 1024
const stripesPerBlock = blockBytes / stripeBytes

/** As a signed 64-bit integer, as Kafka's records hold it. */
export function xxh3(input: Buffer): bigint {
  return BigInt.asIntN(64, hash(input))
}

function hash(input: Buffer): bigint {
  const { length } = input
  if (length === 0) return avalanche64(read(secret, 56) ^ read(secret, 64))
  if (length < 4) throw new Error(`XXH3 of ${length} bytes is not wanted here`)
  if (length <= 8) return hash4to8(input)
  if (length <= 16) return hash9to16(input)
  if (length <= 128) return hash17to128(input)
  return length <= 240 ? hash129to240(input) : hashLong(input)
}

const read = (bytes: Buffer, at: number): bigint => bytes.readBigUInt64LE(at)
const rotate = (value: bigint, bits: bigint): bigint => ((value << bits) | (value >> (64n - bits))) & mask

function avalanche64(value: bigint): bigint {
  let result = value ^ (value >> 33n)
  result = (result * prime64[1]) & mask
  result ^= result >> 29n
  result = (result * prime64[2]) & mask
  return result ^ (result >> 32n)
}

function avalanche(value: bigint): bigint {
  const result = ((value ^ (value >> 37n)) * primeMx1) & mask
  return result ^ (result >> 32n)
}

function fold(left: bigint, right: bigint): bigint {
  const product = left * right
  return (product & mask) ^ (product >> 64n)
}

function mix16(input: Buffer, at: number, secretAt: number): bigint {
  return fold(read(input, at) ^ read(secret, secretAt), read(input, at + 8) ^ read(secret, secretAt + 8))
}

function swap(value: bigint): bigint {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeBigUInt64LE(value)
  return bytes.readBigUInt64BE(0)
}

function hash4to8(input: Buffer): bigint {
  const { length } = input
  const combined = BigInt(input.readUInt32LE(length - 4)) + (BigInt(input.readUInt32LE(0)) << 32n)
  let value = combined ^ read(secret, 8) ^ read(secret, 16)
  value ^= rotate(value, 49n) ^ rotate(value, 24n)
  value = (value * primeMx2) & mask
  value ^= (value >> 35n) + BigInt(length)
  value = (value * primeMx2) & mask
  return value ^ (value >> 28n)
}

function hash9to16(input: Buffer): bigint {
  const low = read(input, 0) ^ read(secret, 24) ^ read(secret, 32)
  const high = read(input, input.length - 8) ^ read(secret, 40) ^ read(secret, 48)
  return avalanche((BigInt(input.length) + swap(low) + high + fold(low, high)) & mask)
}

function hash17to128(input: Buffer): bigint {
  const { length } = input
  let sum = BigInt(length) * prime64[0]
  for (let index = Math.floor((length - 1) / 32); index >= 0; index--)
    sum += mix16(input, 16 * index, 32 * index) + mix16(input, length - 16 * (index + 1), 32 * index + 16)
  return avalanche(sum & mask)
}

function hash129to240(input: Buffer): bigint {
  const { length } = input
  let sum = BigInt(length) * prime64[0]
  for (let index = 0; index < 8; index++) sum += mix16(input, 16 * index, 16 * index)
  sum = avalanche(sum & mask)
  for (let index = 8; index < Math.floor(length / 16); index++) sum += mix16(input, 16 * index, 16 * (index - 8) + 3)
  return avalanche((sum + mix16(input, length - 16, 119)) & mask)
}

function hashLong(input: Buffer): bigint {
  const { length } = input
  const sums = [prime32[2], prime64[0], prime64[1], prime64[2], prime64[3], prime32[1], prime64[4], prime32[0]]
  const blocks = Math.floor((length - 1) / blockBytes)
  const stripes = Math.floor((length - 1 - blockBytes * blocks) / stripeBytes)
  for (let block = 0; block < blocks; block++) {
    for (let stripe = 0; stripe < stripesPerBlock; stripe++)
      accumulate(sums, input, block * blockBytes + stripe * stripeBytes, stripe * 8)
    scramble(sums)
  }
  for (let stripe = 0; stripe < stripes; stripe++)
    accumulate(sums, input, blocks * blockBytes + stripe * stripeBytes, stripe * 8)
  accumulate(sums, input, length - stripeBytes, 121)
  let result = BigInt(length) * prime64[0]
  for (let pair = 0; pair < 8; pair += 2)
    result += fold(
      (sums[pair] ?? 0n) ^ read(secret, 11 + 8 * pair),
      (sums[pair + 1] ?? 0n) ^ read(secret, 19 + 8 * pair),
    )
  return avalanche(result & mask)
}

function accumulate(sums: bigint[], input: Buffer, at: number, secretAt: number): void {
  for (let lane = 0; lane < 8; lane++) {
    const value = read(input, at + 8 * lane)
    const keyed = value ^ read(secret, secretAt + 8 * lane)
    sums[lane ^ 1] = ((sums[lane ^ 1] ?? 0n) + value) & mask
    sums[lane] = ((sums[lane] ?? 0n) + (keyed & low32) * (keyed >> 32n)) & mask
  }
}

function scramble(sums: bigint[]): void {
  for (const [lane, sum] of sums.entries())
    sums[lane] = ((sum ^ (sum >> 47n) ^ read(secret, 128 + 8 * lane)) * prime32[0]) & mask
}
