/**
 * What `npx faultline` starts. Built for any Node.js of the last years, so that an old one gets to say what it is: everything else in the package
 * is for the one that the toolkit needs, and would only be a syntax error there.
 */
import { enableCompileCache } from 'node:module'
import { dirname } from 'node:path'
import { compileCacheOf } from './compile-cache.ts'

const oldest = 26
const { node: version } = process.versions

/** kafkajs computes some waits to be a little below zero, and zx looks for the children of a command it ends in a way that Node.js comments on. */
const silenced = new Set(['TimeoutNegativeWarning', 'DEP0190'])

if (Number(version.split('.')[0]) < oldest) {
  console.error(`error: faultline needs Node.js ${oldest} or newer; this is ${version} (${process.execPath}).`)
  console.error('  way out: https://nodejs.org has it; for this one command: npx -p node@26 -p faultline faultline ...')
  process.exit(3)
}
void begin()

async function begin(): Promise<void> {
  const others = process.listeners('warning')
  process.removeAllListeners('warning')
  process.on('warning', warning => {
    const { code } = warning as { code?: string }
    if (silenced.has(warning.name) || (code !== undefined && silenced.has(code))) return
    for (const listener of others) listener.call(process, warning)
  })
  if (process.env['NODE_COMPILE_CACHE'] === undefined)
    enableCompileCache(compileCacheOf(dirname(dirname(import.meta.dirname))))
  const { run } = await import('../main.ts')
  await run()
}
