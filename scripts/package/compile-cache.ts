/** Where the package lets Node.js keep compiled code, which spares a third of the start. */
import { dirname, join, sep } from 'node:path'

/**
 * Beside the packages that it was installed with, where npm leaves such folders alone; else inside of it.
 *
 * @param root  the folder of the package
 */
export function compileCacheOf(root: string): string {
  const packages = dirname(root)
  return join(packages.endsWith(`${sep}node_modules`) ? packages : root, '.cache', 'faultline')
}
