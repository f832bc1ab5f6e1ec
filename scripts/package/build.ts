/**
 * Makes what `npm pack` packs, in `dist/npm`: the toolkit, the library and the broker as JavaScript, since Node.js strips no types under
 * node_modules. npm runs it before it packs (`prepack`). Other packages stay what they are, dependencies; only the broker has its few inside.
 *
 *   faultline.cjs                   the command; loads main.js
 *   index.js, index.cjs, index.d.ts the library
 *   lab.js, lab.d.ts, types/        what labs of one's own import
 *   broker.cjs, proxy.js, simulation.js, warden.js   what becomes a process of its own
 *   report-page.js                  the script of the report of a lab
 *   labs/, apache-kafka/, image/    labs; files for the other engine; what the container image is built from
 *   apache-kafka-image/             what the other engine's is built from
 *   packet-filter-image/            what that is built from which breaks links beside nodes
 */
import { execFileSync } from 'node:child_process'
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, posix } from 'node:path'
import { build, type BuildOptions, type Metafile, type Plugin } from 'esbuild'
import { makeFolder } from '#broker/environment/node/make-folder.ts'
import { programOptions, securityOptions } from '../../images/broker/bundle.ts'
import { brokerBundleOptions, brokerMain } from '../cluster/process/broker-bundle.ts'
import { projectRoot } from '../cluster/state.ts'
import { pageScriptOptions } from '../report/page-script.ts'

const outdir = join(projectRoot, 'dist', 'npm')
const at = (...path: string[]): string => join(projectRoot, ...path)
const to = (...path: string[]): string => join(outdir, ...path)

/** Files of the package lie elsewhere than those of a checkout, and its command has another name. */
const asPackage: Plugin = {
  name: 'as-package',
  setup(build) {
    build.onResolve({ filter: /\/checkout\.ts$/ }, () => ({ path: at('scripts', 'installation', 'package.ts') }))
    build.onLoad({ filter: /[/\\]scripts[/\\].*\.ts$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replaceAll('./faultline ', 'npx faultline '),
      loader: 'ts',
    }))
  },
}

/** What is there already, as a file of its own beside the one that is built. */
function elsewhere(source: string, file: string): Plugin {
  const filter = new RegExp(`/${basename(source).replace('.', '\\.')}$`)
  return {
    name: `elsewhere-${file}`,
    setup(build) {
      build.onResolve({ filter }, ({ path, resolveDir, kind }) =>
        kind !== 'entry-point' && join(resolveDir, path) === source ? { path: `./${file}`, external: true } : undefined,
      )
    },
  }
}

const common = {
  bundle: true,
  platform: 'node',
  target: 'node26',
  minifyWhitespace: true,
  minifySyntax: true,
  logLevel: 'warning',
  absWorkingDir: projectRoot,
} satisfies BuildOptions

async function buildToolkit(): Promise<void> {
  const labs = readdirSync(at('labs')).filter(file => /^\d\d-.*\.ts$/.test(file))
  await build({
    ...common,
    format: 'esm',
    packages: 'external',
    splitting: true,
    chunkNames: 'part-[hash]',
    plugins: [asPackage],
    outdir,
    entryPoints: [
      { in: at('scripts', 'main.ts'), out: 'main' },
      { in: at('scripts', 'proxy', 'main.ts'), out: 'proxy' },
      { in: at('scripts', 'cluster', 'simulated', 'host.ts'), out: 'simulation' },
      { in: at('scripts', 'library', 'warden-main.ts'), out: 'warden' },
      { in: at('scripts', 'faults', 'restart-loop-main.ts'), out: 'restart-loop' },
      { in: at('scripts', 'library', 'lab.ts'), out: 'lab' },
      ...labs.map(file => ({ in: at('labs', file), out: join('labs', basename(file, '.ts')) })),
    ],
  })
  await build({
    ...common,
    format: 'cjs',
    target: 'node14.18',
    define: { 'import.meta.dirname': '__dirname' },
    plugins: [elsewhere(at('scripts', 'main.ts'), 'main.js')],
    entryPoints: [at('scripts', 'package', 'start.ts')],
    outfile: to('faultline.cjs'),
    banner: { js: '#!/usr/bin/env node' },
  })
}

async function buildReportPage(): Promise<void> {
  await build({
    ...pageScriptOptions,
    logLevel: 'warning',
    absWorkingDir: projectRoot,
    entryPoints: [at('scripts', 'report', 'page', 'main.ts')],
    outfile: to('report-page.js'),
  })
}

async function buildBroker(): Promise<Metafile> {
  const { metafile } = await build({
    ...brokerBundleOptions,
    logLevel: 'warning',
    absWorkingDir: projectRoot,
    entryPoints: [brokerMain],
    outfile: to('broker.cjs'),
    metafile: true,
  })
  return metafile
}

/**
 * The library twice, for `import` and for `require`: Jest loads no ES modules unless it is told to. With the packages it needs inside, for the same
 * reason.
 */
async function buildLibrary(): Promise<Metafile> {
  const library = {
    ...common,
    plugins: [asPackage],
    entryPoints: [at('scripts', 'library', 'index.ts')],
    // Makes the broker of a checkout; that of the package is made.
    external: ['esbuild'],
    metafile: true,
  } satisfies BuildOptions
  const require =
    'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);'
  await build({ ...library, format: 'esm', outfile: to('index.js'), banner: { js: require } })
  const { metafile } = await build({
    ...library,
    format: 'cjs',
    outfile: to('index.cjs'),
    supported: { 'dynamic-import': false },
    define: { 'import.meta.url': '__url', 'import.meta.main': 'false' },
    banner: { js: 'const __url = require("node:url").pathToFileURL(__filename).href;' },
  })
  return metafile
}

/** Declarations of the files that users of the library see, for `import` and for `require`, beside each other. */
function declareTypes(): void {
  const folder = at('dist', 'npm-types')
  const options = { noEmit: false, declaration: true, emitDeclarationOnly: true, noCheck: true, rootDir: projectRoot }
  makeFolder(folder)
  const config = {
    extends: at('tsconfig.json'),
    compilerOptions: { ...options, outDir: folder },
    files: [at('scripts', 'library', 'index.ts'), at('scripts', 'library', 'lab.ts')],
    include: [],
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
  execFileSync(at('node_modules', '.bin', 'tsc'), ['-p', join(folder, 'tsconfig.json')], { stdio: 'inherit' })
  const sources = [
    ...['library/index', 'library/api', 'library/fault-api', 'cluster/topology/topology'],
    ...['observe/model', 'observe/changes', 'observe/predicates', 'history/operation'],
  ]
  for (const source of sources) {
    const text = readFileSync(join(folder, 'scripts', `${source}.d.ts`), 'utf8')
    const name = basename(source)
    // Whoever compiles for an older library of types has no Symbol.asyncDispose.
    const reference = name === 'api' ? '/// <reference lib="esnext.disposable" preserve="true" />\n' : ''
    const among = (extension: string): string =>
      reference + text.replaceAll(/(['"])\.[^'"]*?([\w-]+)\.ts\1/g, `'./$2.${extension}'`)
    writeFileSync(to(`${name}.d.ts`), among('js'))
    writeFileSync(to(`${name}.d.cts`), among('cjs'))
  }
  declareLabTypes(folder)
  rmSync(folder, { recursive: true, force: true })
}

/** The declarations of `faultline/lab`, and of all they name, in folders as in the sources. Node.js runs labs as ES modules alone. */
function declareLabTypes(folder: string): void {
  const entry = 'scripts/library/lab.d.ts'
  const found = new Set([entry])
  for (const file of found) {
    const text = readFileSync(join(folder, file), 'utf8').replaceAll(
      /(['"])(\.{1,2}\/[^'"]*|#[^'"]*)\.ts\1/g,
      (_, quote: string, path: string) => {
        const target = path.startsWith('#') ? path.slice(1) : posix.join(posix.dirname(file), path)
        found.add(`${target}.d.ts`)
        const near = posix.relative(posix.dirname(file), target)
        return `${quote}${near.startsWith('.') ? near : `./${near}`}.js${quote}`
      },
    )
    makeFolder(dirname(to('types', file)))
    writeFileSync(to('types', file), text)
  }
  writeFileSync(to('lab.d.ts'), "export * from './types/scripts/library/lab.js'\n")
}

/** The licences of the packages whose code is in a bundle. */
function licensesOf(bundles: readonly Metafile[]): string {
  const inputs = bundles.flatMap(bundle => Object.keys(bundle.inputs))
  const packages = new Set(inputs.flatMap(file => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1] ?? []))
  const texts = [...packages].sort().map(name => {
    const folder = at('node_modules', name)
    const license = readdirSync(folder).find(file => /^licen[cs]e/i.test(file))
    if (license === undefined) throw new Error(`The package ${name} is in a bundle and has no licence.`)
    return `${name}\n\n${readFileSync(join(folder, license), 'utf8').trim()}\n`
  })
  return `broker.cjs, index.js and index.cjs hold code of these packages.\n\n${texts.join(`\n${'-'.repeat(80)}\n\n`)}`
}

/** The image is the same as in a checkout, made of what is built already. */
async function buildImage(): Promise<void> {
  await build({
    ...brokerBundleOptions,
    logLevel: 'warning',
    plugins: [elsewhere(brokerMain, 'main.cjs')],
    entryPoints: [at('images', 'broker', 'start.ts')],
    outfile: to('image', 'start.cjs'),
  })
  await build({ ...programOptions, logLevel: 'warning', outdir: to('image') })
  await build({ ...securityOptions, logLevel: 'warning', outfile: to('image', 'security.mjs') })
  cpSync(at('images', 'broker', 'run'), to('image', 'run'))
  const full = readFileSync(at('images', 'broker', 'Dockerfile'), 'utf8')
  const first = full.indexOf('\nFROM ')
  const build1 = full.slice(first, full.indexOf('\nFROM ', first + 1))
  const last = full.slice(full.lastIndexOf('\nFROM '))
  const volumes = build1.slice(build1.indexOf('\n# The volumes'))
  const files = `FROM node:26-bookworm-slim AS build
COPY broker.cjs /image/opt/faultline/main.cjs
COPY image/start.cjs /image/opt/faultline/broker.cjs
COPY image/*.mjs /image/opt/faultline/
COPY image/run /image/etc/kafka/docker/run
RUN chmod 755 /image/etc/kafka/docker/run
`
  writeFileSync(
    to('image', 'Dockerfile'),
    `# The broker's image, of what is in the package.\n${files}${volumes}${last}`,
  )
  const ignored = ['*', '!broker.cjs', '!image']
  writeFileSync(to('image', 'Dockerfile.dockerignore'), `${ignored.join('\n')}\n`)
}

function copyKafkaFiles(): void {
  const folder = at('scripts', 'cluster', 'apache-kafka')
  for (const file of readdirSync(folder).filter(name => !name.endsWith('.ts')))
    cpSync(join(folder, file), to('apache-kafka', file))
  cpSync(at('images', 'apache-kafka'), to('apache-kafka-image'), { recursive: true })
  cpSync(at('images', 'packet-filter'), to('packet-filter-image'), { recursive: true })
}

rmSync(outdir, { recursive: true, force: true })
makeFolder(to('image'))
makeFolder(to('apache-kafka'))
const [broker, library] = await Promise.all([
  buildBroker(),
  buildLibrary(),
  buildToolkit(),
  buildReportPage(),
  buildImage(),
])
writeFileSync(to('THIRD-PARTY-LICENSES.txt'), licensesOf([broker, library]))
copyKafkaFiles()
declareTypes()
