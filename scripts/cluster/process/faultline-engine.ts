/** Our own broker as a process, under the Node.js that runs the toolkit. It formats its storage itself. */
import { existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { failure, usageError } from '../../errors.ts'
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

export const faultlineEngine: ProcessEngine = engineOf()

/** @param program the file that is started; left out: the one of this toolkit */
function engineOf(program?: string): ProcessEngine {
  return {
    nodeMemoryBytes: 80 * MiB,
    readyTimeoutMs: 60_000,

    available: () => Promise.resolve({ available: true }),

    prepare() {
      if (program !== undefined) return Promise.resolve()
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
        program ?? brokerEntry(),
        propertiesFile,
        ...(tied ? ['--end-with-stdin'] : []),
        ...(faultDirectory === undefined ? [] : ['--fault-control', faultDirectory]),
      ],
      environment: { ...brokerEnvironment, NODE_COMPILE_CACHE: installation.compileCache },
    }),

    inVersion(file) {
      const path = resolve(file)
      const found = statSync(path, { throwIfNoEntry: false })
      if (found?.isFile() === true) return engineOf(path)
      throw usageError(
        found === undefined ? `There is no file ${path}.` : `${path} is not a file.`,
        'The program of a broker is a file such as broker/main.ts of another checkout.',
      )
    },

    get mark() {
      return program ?? brokerEntry()
    },
  }
}
