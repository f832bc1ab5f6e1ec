/** What the cluster of a lab can do: what the runtime can with its engine. */
import { capabilitiesOf, type Capability } from '../cluster/cluster.ts'
import type { RunLabOptions } from './run.ts'

export interface Ability {
  readonly able: ReadonlySet<Capability>
  /** In words, e.g. `cannot do: grow`; undefined: it can do all of it. */
  lackOf(needs: readonly Capability[]): string | undefined
}

export function abilityFor({ runtime, engine }: Pick<RunLabOptions, 'runtime' | 'engine'>): Ability {
  const able = capabilitiesOf(runtime, engine)
  return {
    able,
    lackOf(asked) {
      const missing = asked.filter(capability => !able.has(capability))
      return missing.length === 0 ? undefined : `cannot do: ${missing.join(', ')}`
    },
  }
}
