/** The faults inside the nodes of a simulated cluster: those of their machines, which outlive the broker that runs there. */
import {
  FaultDesk,
  type AddedNodeFault,
  type NodeFaultOrder,
  type NodeFaultState,
} from '#broker/environment/faulty/fault-desk.ts'
import { FaultRefused } from '#broker/environment/faulty/parameters.ts'
import { failure, usageError } from '../../errors.ts'
import type { NodeFaults } from '../cluster.ts'
import type { SimulatedNode } from './simulated-node.ts'

/** Beside the data, not in it. */
const scratch = '/faults.probe'

export class SimulatedNodeFaults implements NodeFaults {
  readonly #members: readonly SimulatedNode[]
  readonly #desks = new Map<number, FaultDesk>()

  constructor(members: readonly SimulatedNode[]) {
    this.#members = members
  }

  async add(id: number, order: NodeFaultOrder): Promise<AddedNodeFault> {
    const member = this.#member(id)
    if (!member.isUp || member.status === 'paused')
      throw failure(`Node ${id} is ${member.status}: faults inside it need its process.`)
    return await refusing(async () => await this.#desk(member).add(order))
  }

  list(id: number): Promise<readonly NodeFaultState[]> {
    return Promise.resolve(this.#desk(this.#member(id)).list())
  }

  async heal(id: number, ids: readonly string[] | 'all'): Promise<readonly NodeFaultState[]> {
    return await refusing(() => Promise.resolve(this.#desk(this.#member(id)).heal(ids)))
  }

  #member(id: number): SimulatedNode {
    const member = this.#members.find(each => each.id === id)
    if (member === undefined) throw usageError(`There is no node ${id}.`)
    return member
  }

  #desk(member: SimulatedNode): FaultDesk {
    const { machine, id } = member
    const found = this.#desks.get(id)
    if (found !== undefined) return found
    const desk = new FaultDesk({
      nodeId: id,
      base: () => machine.bareEnvironment,
      decorated: () => machine.environment,
      plan: machine.faults,
      runtime: machine.faultRuntime,
      scratch,
      ending: () => (member.endsOnPurpose = true),
      isSimulated: true,
    })
    this.#desks.set(id, desk)
    return desk
  }
}

async function refusing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof FaultRefused) throw usageError(error.message, error.remedy)
    throw error
  }
}
