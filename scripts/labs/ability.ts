/** What the cluster of a lab can do: what the runtime can, as far as one cluster can do all of it. */
import { capabilitiesOf, type Capability } from '../cluster/cluster.ts'
import type { Lab } from './lab.ts'
import type { RunLabOptions } from './run.ts'

export interface Ability {
  readonly able: ReadonlySet<Capability>
  /** In words, e.g. `cannot do: grow`; undefined: it can do all of it. */
  lackOf(needs: readonly Capability[]): string | undefined
}

/**
 * Of two capabilities that exclude each other the cluster has the one that is needed first: by the lab as a whole, then by its variants in their
 * order. What needs the other one lacks it.
 */
export function abilityFor(
  { needs, variants }: Pick<Lab, 'needs' | 'variants'>,
  { runtime, engine, variants: names }: Pick<RunLabOptions, 'runtime' | 'engine' | 'variants'>,
): Ability {
  const able = new Set(capabilitiesOf(runtime, engine))
  const chosen = variants.filter(({ name }) => names === undefined || names.includes(name))
  const wanted = [...needs, ...chosen.flatMap(variant => variant.needs ?? [])]
  /** What is given up, and for what. */
  const givenUp = new Map<Capability, Capability>()
  for (const [one, other] of runtime.eitherOr ?? []) {
    const first = wanted.find(need => need === one || need === other)
    if (first === undefined || !able.has(one) || !able.has(other)) continue
    const second = first === one ? other : one
    able.delete(second)
    givenUp.set(second, first)
  }
  return {
    able,
    lackOf(asked) {
      const missing = asked.filter(capability => !able.has(capability))
      if (missing.length === 0) return undefined
      const words = missing.map(capability => {
        const instead = givenUp.get(capability)
        return instead === undefined ? capability : `${capability} (in a cluster that can do ${instead})`
      })
      return `cannot do: ${words.join(', ')}`
    },
  }
}
