/** Every kind of fault there is: of processes, inside nodes, of links. */
import { usageError } from '../errors.ts'
import type { FaultKind } from './kind.ts'
import { linkKinds } from './link-kinds.ts'
import { insideKinds } from './node-kinds.ts'
import { processKinds } from './process-kinds.ts'

export const faultKinds: readonly FaultKind[] = [...processKinds, ...insideKinds, ...linkKinds]

/** Refuses an unknown name with the ones there are. */
export function faultKind(name: string): FaultKind {
  const kind = faultKinds.find(candidate => candidate.name === name)
  if (kind !== undefined) return kind
  throw usageError(
    `There is no fault ${name}: expected one of ${faultKinds.map(each => each.name).join(', ')}.`,
    './faultline fault list --kinds',
  )
}
