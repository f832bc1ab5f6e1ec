/** Bundles what the image runs into two files: the broker with its container entry, and the health check. Node strips no types there. */
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { brokerBundleOptions } from '../../scripts/cluster/process/broker-bundle.ts'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

const outdir = process.argv[2] ?? join(root, 'dist', 'image')
const common = { sourcemap: 'linked', sourcesContent: false, logLevel: 'info' } as const

await build({
  ...brokerBundleOptions,
  ...common,
  entryPoints: [join(root, 'images', 'broker', 'start.ts')],
  outfile: join(outdir, 'broker.cjs'),
})
await build({
  ...common,
  entryPoints: [join(root, 'scripts', 'container', 'healthcheck.ts')],
  outfile: join(outdir, 'healthcheck.mjs'),
  bundle: true,
  platform: 'node',
  target: 'node26',
  format: 'esm',
  minifyWhitespace: true,
})
