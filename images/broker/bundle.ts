/** Bundles what the image runs into two files: the broker with its container entry, and the health check. Node strips no types there. */
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

await build({
  entryPoints: {
    broker: join(root, 'images', 'broker', 'start.ts'),
    healthcheck: join(root, 'scripts', 'container', 'healthcheck.ts'),
  },
  outdir: process.argv[2] ?? join(root, 'dist', 'image'),
  outExtension: { '.js': '.mjs' },
  bundle: true,
  platform: 'node',
  target: 'node26',
  format: 'esm',
  sourcemap: 'linked',
  sourcesContent: false,
  // Names in stack traces stay as in the source.
  keepNames: true,
  minifyWhitespace: true,
  logLevel: 'info',
})
