/** Our own broker as a process, under the Node.js that runs the toolkit. It formats its storage itself. */
import { existsSync } from 'node:fs'
import { failure } from '../../errors.ts'
import { installation } from '../../installation/here.ts'
import { HOST, inspectorPort } from '../ports.ts'
import { brokerEntry, brokerMain, prepareBrokerBundle } from './broker-bundle.ts'
import type { ProcessEngine } from './engine.ts'

const MiB = 1 << 20

/**
 * A broker makes little garbage on its heap, and its one busy thread has no use for several arenas of malloc: together 9 MB less under load
 * than with the defaults of Node.js and glibc, at the same speed. The image sets the same.
 */
const brokerFlags = ['--max-semi-space-size=2']
const brokerEnvironment = { MALLOC_ARENA_MAX: '1' }

export const faultlineEngine: ProcessEngine = {
  nodeMemoryBytes: 80 * MiB,
  readyTimeoutMs: 60_000,

  available: () => Promise.resolve({ available: true }),

  prepare() {
    const main = installation.brokerBundle ?? brokerMain
    if (!existsSync(main)) throw failure(`${main} is missing.`, 'The installation is not complete: fetch it again.')
    return prepareBrokerBundle()
  },

  format: () => Promise.resolve(),

  properties: (spec, id, clusterId) => ({
    'cluster.id': clusterId,
    'inspector.listener': `${HOST}:${inspectorPort(spec, id)}`,
  }),

  launch: ({ propertiesFile, faultDirectory }, { tied }) => ({
    command: process.execPath,
    args: [
      ...brokerFlags,
      brokerEntry(),
      propertiesFile,
      ...(tied ? ['--end-with-stdin'] : []),
      ...(faultDirectory === undefined ? [] : ['--fault-control', faultDirectory]),
    ],
    environment: { ...brokerEnvironment, NODE_COMPILE_CACHE: installation.compileCache },
  }),
}
