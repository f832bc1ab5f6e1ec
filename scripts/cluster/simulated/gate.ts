/** A real port of this machine that leads to a port inside a simulated world: bytes are passed on as they come, both ways. */
import { createServer, type Server, type Socket } from 'node:net'
import type { Address } from '#broker/environment/environment.ts'
import type { SimulatedNode } from '#simulator/world/node.ts'
import type { World } from '#simulator/world/world.ts'
import { HOST } from '../ports.ts'

export interface GateOptions {
  readonly world: World
  /** The machine in the world where connections from outside come from. */
  readonly outside: SimulatedNode
  /** Port on the loopback address. */
  readonly port: number
  readonly to: Address
}

/** Resolves when the port is bound; rejects with the system's error. */
export async function openGate(options: GateOptions): Promise<Server> {
  const server = createServer({ noDelay: true }, socket => join(socket, options))
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: HOST, port: options.port }, resolve)
  })
  return server
}

function join(real: Socket, { world, outside, to }: GateOptions): void {
  // A connection that breaks is also closed, and that is what is passed on.
  real.on('error', () => undefined)
  world.inject(() => {
    const virtual = outside.environment.network.connect(to, {
      opened: () => undefined,
      data: chunk => {
        if (!real.write(chunk)) virtual.pause()
      },
      drain: () => real.resume(),
      closed: error => (error === undefined ? real.end() : real.destroy()),
    })
    real.on('data', (chunk: Buffer) =>
      world.inject(() => {
        if (!virtual.write([chunk])) real.pause()
      }),
    )
    real.on('drain', () => world.inject(() => virtual.resume()))
    real.on('end', () => world.inject(() => virtual.end()))
    real.on('close', () => world.inject(() => virtual.destroy()))
    if (real.destroyed) virtual.destroy()
  })
}
