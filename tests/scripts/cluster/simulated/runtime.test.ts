/** What becomes of the ports and the files of a simulation that stays, when it goes and when it does not come. */
import { existsSync, mkdirSync } from 'node:fs'
import { afterEach, expect, test, vi } from 'vitest'
import { claimBasePort, portIsFree, portSpan, releasePorts } from '#scripts/cluster/ports.ts'
import { HostedCluster } from '#scripts/cluster/simulated/hosted-cluster.ts'
import { clusterSpec } from '#scripts/cluster/spec.ts'
import { stateDirectory, writeRecord } from '#scripts/cluster/state.ts'
import { recordOf, useStateFolder } from '../written-cluster.ts'

// The process that is to host the simulation ends at once.
vi.mock(import('#scripts/installation/here.ts'), async original => {
  const { installation } = await original()
  return { installation: { ...installation, simulationMain: '/nowhere/host.ts' } }
})
const ports = vi.hoisted(() => ({ claimed: [] as number[] }))
vi.mock(import('#scripts/cluster/ports.ts'), async original => {
  const real = await original()
  const noted = async (...asked: Parameters<typeof real.claimBasePort>) => {
    const port = await real.claimBasePort(...asked)
    ports.claimed.push(port)
    return port
  }
  return { ...real, claimBasePort: noted }
})
const { simulatedRuntime } = await import('#scripts/cluster/simulated/runtime.ts')

const name = 'dream'
useStateFolder(name)
const request = clusterSpec({ runtime: 'simulated', name, brokers: 1, port: 0 })
const up = async () => await simulatedRuntime.upAndStay!(request)

afterEach(() => {
  vi.restoreAllMocks()
  ports.claimed.splice(0).forEach(releasePorts)
})

/** Whether this process has a range of ports. */
async function isHeld(port: number): Promise<boolean> {
  const range = Array.from({ length: portSpan(request) }, (_, step) => port + step)
  return (await Promise.all(range.map(portIsFree))).includes(false)
}

test('its ports are given back when it goes', async () => {
  const record = await recordOf({ runtime: 'simulated', name, brokers: 1 })
  const spec = { ...record.spec, port: await claimBasePort(record.spec) }
  mkdirSync(stateDirectory(name))
  writeRecord({ ...record, spec })
  expect(await isHeld(spec.port)).toBe(true)
  await new HostedCluster({ ...record, spec }).down()
  expect(await isHeld(spec.port)).toBe(false)
  expect(existsSync(stateDirectory(name))).toBe(false)
})

test('its ports are given back and its files go when it does not come', async () => {
  await expect(up()).rejects.toThrow('The simulation did not start')
  expect(ports.claimed).toHaveLength(1)
  expect(await isHeld(ports.claimed[0]!)).toBe(false)
  expect(existsSync(stateDirectory(name))).toBe(false)
})

test('its ports are given back when its name is taken', async () => {
  mkdirSync(stateDirectory(name))
  await expect(up()).rejects.toThrow('holds no cluster')
  expect(ports.claimed).toHaveLength(1)
  expect(await isHeld(ports.claimed[0]!)).toBe(false)
})

test('why it does not come is told also when its process cannot be ended, whose file stays', async () => {
  vi.spyOn(HostedCluster.prototype, 'end').mockRejectedValue(new Error('it does not end'))
  await expect(up()).rejects.toThrow(/^The simulation did not start:[^]*It could not be taken back: it does not end$/)
  expect(existsSync(stateDirectory(name))).toBe(true)
})
