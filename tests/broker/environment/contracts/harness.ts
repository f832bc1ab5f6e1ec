/** One suite, two worlds: every contract runs on the real machine and on its simulated twin. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodeEnvironment } from '#broker/environment/node/node-environment.ts'
import type { Environment } from '#broker/environment/environment.ts'
import { World } from '#simulator/world/world.ts'

export interface Scene {
  readonly environment: Environment
  /** An empty directory of its own. */
  readonly directory: string
}

export interface Harness {
  readonly name: string
  readonly run: (body: (scene: Scene) => Promise<void>) => Promise<void>
}

const realMachine: Harness = {
  name: 'real machine',
  async run(body) {
    const directory = await mkdtemp(join(tmpdir(), 'faultline-contract-'))
    try {
      await body({ environment: nodeEnvironment({ logTo: () => {} }), directory })
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  },
}

const simulated: Harness = {
  name: 'simulator',
  async run(body) {
    const world = new World({ seed: 7 })
    const environment = world.node('host').start()
    environment.disk.makeDirectory('/data')
    await world.run(() => body({ environment, directory: '/data' }))
  },
}

export const harnesses: readonly Harness[] = [realMachine, simulated]

/** The code of the error that `call` throws; fails when it throws none. */
export function codeOf(call: () => unknown): string {
  try {
    call()
  } catch (error) {
    return (error as { code: string }).code
  }
  throw new Error('Expected an error, got none')
}
