/** Bundles what the image runs: the broker with its container entry, and the small programs around it. Node strips no types there. */
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type BuildOptions } from 'esbuild'
import { brokerBundleOptions } from '../../scripts/cluster/process/broker-bundle.ts'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

const bundled = { bundle: true, platform: 'node', target: 'node26', format: 'esm', minifyWhitespace: true } as const

const programs = ['healthcheck', 'fault-client', 'power-cut', 'proxy']

/**
 * How the programs beside the broker are bundled, here and for the image of the npm package: its health check, what brings it orders for faults, what
 * takes from its disk what was not fsynced, and the fault proxy, which is a container of the same image.
 */
export const programOptions = {
  entryPoints: programs.map(name => join(root, 'scripts', 'container', `${name}.ts`)),
  outExtension: { '.js': '.mjs' },
  ...bundled,
} satisfies BuildOptions

/** How what makes users and keys is bundled. node-forge asks for modules of Node.js as CommonJS does. */
export const securityOptions = {
  ...bundled,
  entryPoints: [join(root, 'scripts', 'container', 'security.ts')],
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
  },
} satisfies BuildOptions

if (import.meta.main) {
  const outdir = process.argv[2] ?? join(root, 'dist', 'image')
  const common = { sourcemap: 'linked', sourcesContent: false, logLevel: 'info' } as const
  await build({
    ...brokerBundleOptions,
    ...common,
    entryPoints: [join(root, 'images', 'broker', 'start.ts')],
    outfile: join(outdir, 'broker.cjs'),
  })
  await build({ ...programOptions, ...common, outdir })
  await build({ ...securityOptions, ...common, sourcemap: false, outfile: join(outdir, 'security.mjs') })
}
