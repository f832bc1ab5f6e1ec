import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { World } from '#simulator/world/world.ts'
import { claimBasePort, portIsFree, portsOf } from '#scripts/cluster/ports.ts'
import { Gates } from '#scripts/cluster/simulated/gates.ts'
import { clusterSpec } from '#scripts/cluster/spec.ts'

test('a simulation has a port for each broker and each inspector, all that it needs or none, and gives them back', async () => {
  const asked = clusterSpec({ name: 'gates', runtime: 'simulated', brokers: 1, controllers: 1 })
  const spec = { ...asked, port: await claimBasePort(asked) }
  const grown = { ...spec, added: 2 }
  const world = new World({ seed: 1 })
  const gates = new Gates(world, world.node('outside'))
  const taken = async () => {
    const ports = portsOf(grown).map(({ port }) => port)
    const free = await Promise.all(ports.map(portIsFree))
    return ports.filter((_, index) => free[index] === false).map(port => port - spec.port)
  }
  await gates.open(spec, [1, 101])
  expect(await taken()).toEqual([0, 200, 201])
  // The last one that broker 3 needs.
  const other = createServer()
  await new Promise<void>(resolve => other.listen({ host: '127.0.0.1', port: spec.port + 203 }, resolve))
  await expect(gates.open(grown, [2, 3])).rejects.toThrow('EADDRINUSE')
  await new Promise(resolve => other.close(resolve))
  expect(await taken()).toEqual([0, 200, 201])
  await gates.open(grown, [2, 3])
  expect((await taken()).toSorted((a, b) => a - b)).toEqual([0, 1, 2, 200, 201, 202, 203])
  gates.close([2, 3])
  expect((await taken()).toSorted((a, b) => a - b)).toEqual([0, 200, 201])
  gates.close([1, 101])
  expect(await taken()).toEqual([])
})
