/** Bundles what the image runs: the broker with its container entry, the health check, and what makes keys for Compose files. Node strips no types there. */
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type BuildOptions } from 'esbuild'
import { brokerBundleOptions } from '../../scripts/cluster/process/broker-bundle.ts'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** How the health check is bundled, here and for the image of the npm package. */
export const healthcheckOptions = {
  entryPoints: [join(root, 'scripts', 'container', 'healthcheck.ts')],
  bundle: true,
  platform: 'node',
  target: 'node26',
  format: 'esm',
  minifyWhitespace: true,
} satisfies BuildOptions

/** How what makes users and keys is bundled. node-forge asks for modules of Node.js as CommonJS does. */
export const securityOptions = {
  ...healthcheckOptions,
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
  await build({ ...healthcheckOptions, ...common, outfile: join(outdir, 'healthcheck.mjs') })
  await build({ ...securityOptions, ...common, sourcemap: false, outfile: join(outdir, 'security.mjs') })
}
