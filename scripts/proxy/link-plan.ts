/** The faults of one link, laid out as its connections need them. Made anew whenever a fault comes or goes; without faults it is empty. */
import type { Way } from './model.ts'
import type { WayFault } from './outlet.ts'
import type { RequestFault } from './request-faults.ts'

export interface LinkPlan {
  /** Connections are closed, new ones refused. */
  readonly refusal: { readonly hit: () => void } | undefined
  /** Connections older than this are reset; ms. */
  readonly reset: { readonly afterMs: number; readonly hit: () => void } | undefined
  readonly bytes: Readonly<Record<Way, readonly WayFault[]>>
  readonly requests: Readonly<Record<Way, readonly RequestFault[]>>
}

const none: readonly never[] = []

export const emptyPlan: LinkPlan = {
  refusal: undefined,
  reset: undefined,
  bytes: { request: none, response: none },
  requests: { request: none, response: none },
}

/** True: no connection can be made, since nothing passes one way or the other. */
export function blocksOpening({ bytes }: LinkPlan): boolean {
  return [...bytes.request, ...bytes.response].some(({ behaviour }) => behaviour.blocks === true)
}
