/** The parts of the toolkit in a checkout: everything runs from its source. */
import { dirname, join, sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Installation } from './installation.ts'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

export const installation: Installation = {
  root,
  command: './faultline',
  // Inside someone's node_modules nothing of ours may be written.
  workplace: root.split(sep).includes('node_modules') ? process.cwd() : root,
  labs: { folder: pathToFileURL(join(root, 'labs', sep)), extension: '.ts' },
  labModule: pathToFileURL(join(root, 'scripts', 'library', 'lab.ts')),
  topologies: join(root, 'topologies'),
  proxyMain: join(root, 'scripts', 'proxy', 'main.ts'),
  wardenMain: join(root, 'scripts', 'library', 'warden-main.ts'),
  restartLoopMain: join(root, 'scripts', 'faults', 'restart-loop-main.ts'),
  simulationMain: join(root, 'scripts', 'cluster', 'simulated', 'host.ts'),
  brokerBundle: undefined,
  pageScript: undefined,
  kafkaFiles: join(root, 'scripts', 'cluster', 'apache-kafka'),
  kafkaImage: join(root, 'images', 'apache-kafka'),
  packetFilterImage: join(root, 'images', 'packet-filter'),
  image: { name: 'faultline/broker:dev', context: root, dockerfile: join('images', 'broker', 'Dockerfile') },
  compileCache: join(root, 'node_modules', '.cache', 'faultline'),
}
