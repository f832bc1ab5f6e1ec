/**
 * How the faults inside a node are controlled: HTTP over a socket in the file system that only its owner may open, JSON both ways.
 *
 *   GET    /faults                 NodeFaultState[]
 *   POST   /faults                 NodeFaultOrder → AddedNodeFault
 *   DELETE /faults/ID, /faults     → NodeFaultState[], the ones that were healed
 *
 * A refusal has the status 400 and the body {"error", "remedy"}.
 */
import type { FaultDesk, NodeFaultOrder } from './fault-desk.ts'
import { FaultRefused } from './parameters.ts'

/** In the directory that the node was given for it. */
export const faultSocketName = 'faults.sock'
/** KeptFaults, of a node that has or had any. */
export const keptFaultsName = 'faults.json'

export const controlBodyBytesMax = 1 << 16

export interface ControlRefusal {
  readonly error: string
  readonly remedy?: string | undefined
}

export interface ControlAnswer {
  /** HTTP status. */
  readonly status: number
  readonly body: unknown
}

/** @param body text of the request's body */
export async function answerControl(
  desk: FaultDesk,
  { method, path, body }: { readonly method: string; readonly path: string; readonly body: string },
): Promise<ControlAnswer> {
  try {
    return { status: 200, body: await perform(desk, method, path, body) }
  } catch (error) {
    if (!(error instanceof FaultRefused)) throw error
    return { status: 400, body: { error: error.message, remedy: error.remedy } satisfies ControlRefusal }
  }
}

async function perform(desk: FaultDesk, method: string, path: string, body: string): Promise<unknown> {
  const [, collection = '', id = '', ...more] = path.split('/').map(decodeURIComponent)
  if (collection === 'faults' && more.length === 0) {
    if (method === 'GET' && id === '') return desk.list()
    if (method === 'POST' && id === '') return await desk.add(checkedOrder(body))
    if (method === 'DELETE') return desk.heal(id === '' ? 'all' : [id])
  }
  throw new FaultRefused(`${method} ${path} is nothing that a node knows here.`, 'docs/faults.md lists it.')
}

const example = 'For example: {"kind": "slow-disk", "parameters": {"delay": 100}}'

function checkedOrder(body: string): NodeFaultOrder {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch (error) {
    throw new FaultRefused(`The body is no JSON: ${(error as Error).message}`, example)
  }
  const { kind, parameters = {}, proof = true } = (value ?? {}) as Partial<Record<keyof NodeFaultOrder, unknown>>
  if (typeof kind !== 'string') throw new FaultRefused('A fault has a kind.', example)
  if (typeof parameters !== 'object' || parameters === null || Array.isArray(parameters))
    throw new FaultRefused('parameters is an object.', example)
  if (typeof proof !== 'boolean') throw new FaultRefused('proof is true or false.', example)
  return { kind, parameters: parameters as NodeFaultOrder['parameters'], proof }
}
