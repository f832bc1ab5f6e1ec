/**
 * Well-formed requests that say something else than they should: one value is replaced by another that was seen under the same name, by a
 * neighbour of itself, or by an extreme; an array is emptied or says something twice.
 */
import type { Random } from '#broker/environment/environment.ts'
import { zeroUuid } from '#broker/protocol/shape.ts'
import type { Body } from './actor.ts'
import { chance, pick } from './values.ts'

const rememberedMost = 40

/** Values of responses by the name of their field; the oldest are forgotten. */
export class Memory {
  readonly #values = new Map<string, unknown[]>()

  remember(value: unknown, name = ''): void {
    if (value === null || value === undefined || value instanceof Uint8Array) return
    if (Array.isArray(value)) {
      for (const each of value.slice(0, 20)) this.remember(each, name)
      return
    }
    if (typeof value === 'object') {
      for (const [inner, each] of Object.entries(value)) this.remember(each, inner)
      return
    }
    const known = this.#values.get(name)
    if (known === undefined) this.#values.set(name, [value])
    else if (!known.includes(value) && known.push(value) > rememberedMost) known.shift()
  }

  /** A value of this name and of the same type as `like`. */
  recall(name: string, like: unknown, random: Random): unknown {
    const known = this.#values.get(name)?.filter(each => typeof each === typeof like) ?? []
    return known.length === 0 ? undefined : pick(random, known)
  }
}

type Path = readonly (string | number)[]

/** Leaves and arrays, each by its path. */
function places(value: unknown, path: Path = []): Path[] {
  if (value === null || value instanceof Uint8Array || typeof value !== 'object') return [path]
  const inner = Object.entries(value).flatMap(([key, each]) =>
    places(each, [...path, Array.isArray(value) ? Number(key) : key]),
  )
  return Array.isArray(value) ? [path, ...inner] : inner
}

/** Their extremes would have the broker wait for weeks. */
const isWait = /wait|timeout/i
const isShort = /^(error|acks|producerEpoch|keyType|isolationLevel|committedLeaderEpoch)/i

function otherValue(name: string, value: unknown, random: Random, memory: Memory): unknown {
  const recalled = chance(random, 2) ? memory.recall(name, value, random) : undefined
  if (recalled !== undefined) return recalled
  if (typeof value === 'boolean') return !value
  if (typeof value === 'bigint') return pick(random, [value + 1n, value - 1n, -1n, 0n, 2n ** 63n - 1n, -(2n ** 63n)])
  if (typeof value === 'number') {
    if (isWait.test(name)) return pick(random, [0, 1, 100])
    const limits = isShort.test(name) ? [0x7f, -0x80] : [0x7fff, -0x8000]
    return pick(random, [value + 1, value - 1, 0, 1, -1, -2, ...limits])
  }
  if (typeof value === 'string') {
    const uuid = name.endsWith('Id') && value.length === zeroUuid.length
    return uuid
      ? pick(random, [zeroUuid, random.bytes(16).toString('base64url')])
      : pick(random, ['', 'absent', '\u0000💥'])
  }
  return value
}

function otherArray(values: readonly unknown[], random: Random): unknown[] {
  if (values.length === 0 || chance(random, 3)) return []
  return chance(random, 2) ? [...values, values[0]] : values.toReversed()
}

/** A copy of the request in which one thing is different. */
export function distorted(body: Body, random: Random, memory: Memory): Body {
  const path = pick(random, places(body))
  const change = (value: unknown, rest: Path, name: string): unknown => {
    const [key, ...deeper] = rest
    if (key === undefined)
      return Array.isArray(value) ? otherArray(value, random) : otherValue(name, value, random, memory)
    const inner = (value as Readonly<Record<string | number, unknown>>)[key]
    const changed = change(inner, deeper, typeof key === 'string' ? key : name)
    return Array.isArray(value)
      ? value.map((each: unknown, index) => (index === key ? changed : each))
      : { ...(value as Body), [key]: changed }
  }
  return change(body, path, '') as Body
}
