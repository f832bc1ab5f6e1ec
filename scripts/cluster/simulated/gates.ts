/** The ports of this machine that lead to the nodes of a simulated cluster: one to each broker, one to each inspector. */
import type { Server } from 'node:net'
import type { SimulatedNode } from '#simulator/world/node.ts'
import type { World } from '#simulator/world/world.ts'
import { brokerIds, type ClusterSpec } from '../cluster.ts'
import { brokerPort, inspectorPort } from '../ports.ts'
import { openGate } from './gate.ts'
import { hostOf, worldPorts } from './simulated-cluster.ts'

export class Gates {
  readonly #world: World
  readonly #outside: SimulatedNode
  /** By the ids of nodes. */
  readonly #servers = new Map<number, Server[]>()

  /** @param outside the machine in the world where connections from outside come from */
  constructor(world: World, outside: SimulatedNode) {
    this.#world = world
    this.#outside = outside
  }

  /** All of these nodes or, when the system refuses a port, none. */
  async open(spec: ClusterSpec, ids: readonly number[]): Promise<void> {
    try {
      for (const id of ids) {
        if (brokerIds(spec).includes(id)) await this.#open(id, brokerPort(spec, id), worldPorts.clients)
        await this.#open(id, inspectorPort(spec, id), worldPorts.inspector)
      }
    } catch (error) {
      this.close(ids)
      throw error
    }
  }

  /** Connections that are open end with the nodes that they lead to. */
  close(ids: readonly number[]): void {
    for (const id of ids) {
      for (const server of this.#servers.get(id) ?? []) server.close()
      this.#servers.delete(id)
    }
  }

  async #open(id: number, port: number, inside: number): Promise<void> {
    const to = { host: hostOf(id), port: inside }
    const server = await openGate({ world: this.#world, outside: this.#outside, port, to })
    this.#servers.set(id, [...(this.#servers.get(id) ?? []), server])
  }
}
