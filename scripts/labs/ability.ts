/** What the cluster of a lab can do: what the runtime can with its engine, on this machine. */
import { capabilitiesOf, type Capability, type LackHere } from '../cluster/cluster.ts'
import type { Lab } from './lab.ts'
import type { RunLabOptions } from './run.ts'

export interface Ability {
  readonly able: ReadonlySet<Capability>
  /** In words, e.g. `cannot do: grow`; undefined: it can do all of it. */
  lackOf(needs: readonly Capability[]): string | undefined
}

export interface AbilityOptions extends Pick<RunLabOptions, 'runtime' | 'engine'> {
  /** What this machine lacks for the runtime and engine. */
  readonly lackHere?: LackHere | undefined
}

export function abilityFor({ runtime, engine, lackHere }: AbilityOptions): Ability {
  const able = new Set(capabilitiesOf(runtime, engine))
  for (const capability of lackHere?.capabilities ?? []) able.delete(capability)
  return {
    able,
    lackOf(asked) {
      const missing = asked.filter(capability => !able.has(capability))
      if (missing.length === 0) return undefined
      const words = missing.map(capability =>
        lackHere?.capabilities.includes(capability) === true ? `${capability} (${lackHere.missing})` : capability,
      )
      return `cannot do: ${words.join(', ')}`
    },
  }
}

/** What the cluster of a lab has that containers have not; undefined: nothing. */
export function lackInContainers({ topology }: Pick<Lab, 'topology'>): string | undefined {
  return (topology.logDirs ?? 1) > 1 ? 'second log directory for a node' : undefined
}
