/**
 * The parts of the toolkit in the npm package, as `scripts/package/build.ts` lays them out. This file ends up in a script directly in the folder
 * of them all, `dist/npm`.
 */
import { readFileSync } from 'node:fs'
import { dirname, join, sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { compileCacheOf } from '../package/compile-cache.ts'
import type { Installation } from './installation.ts'

const folder = dirname(fileURLToPath(import.meta.url))
const root = dirname(dirname(folder))
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { readonly version: string }

export const installation: Installation = {
  root,
  command: 'npx faultline',
  workplace: process.cwd(),
  labs: { folder: pathToFileURL(join(folder, 'labs', sep)), extension: '.js' },
  labModule: pathToFileURL(join(folder, 'lab.js')),
  topologies: join(root, 'topologies'),
  proxyMain: join(folder, 'proxy.js'),
  wardenMain: join(folder, 'warden.js'),
  restartLoopMain: join(folder, 'restart-loop.js'),
  simulationMain: join(folder, 'simulation.js'),
  brokerBundle: join(folder, 'broker.cjs'),
  pageScript: join(folder, 'report-page.js'),
  kafkaFiles: join(folder, 'apache-kafka'),
  kafkaImage: join(folder, 'apache-kafka-image'),
  packetFilterImage: join(folder, 'packet-filter-image'),
  image: { name: `faultline/broker:${version}`, context: folder, dockerfile: join('image', 'Dockerfile') },
  compileCache: compileCacheOf(root),
}
