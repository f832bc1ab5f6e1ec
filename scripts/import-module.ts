/** Modules that somebody wrote for us to read: topologies, schedules. */
import { pathToFileURL } from 'node:url'
import { exitCodes } from './errors.ts'

/**
 * What the module exports. One that ends the process while it is read, or waits for what never comes, would end the command without a word and
 * as if all were well: then the command says so and fails.
 *
 * @param what  it was read as, for the message: `--topology FILE`
 */
export async function importModule(file: string | URL, what: string): Promise<{ readonly default?: unknown }> {
  const tell = (): void => {
    process.stderr.write(
      `${what}: the module ended the process while it was read, or waits at its top level for what never comes.\n`,
    )
    process.exitCode = exitCodes.usage
  }
  process.once('exit', tell)
  try {
    return (await import((typeof file === 'string' ? pathToFileURL(file) : file).href)) as {
      readonly default?: unknown
    }
  } finally {
    process.off('exit', tell)
  }
}
