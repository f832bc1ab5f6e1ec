/**
 * What the container runs: finds the settings as the apache/kafka image does, hands them to the broker's command line, and becomes the
 * broker. One process, so that signals reach it and its exit code is the container's.
 */
import { existsSync, readFileSync } from 'node:fs'
import { containerSettings, mountedFile } from '../../scripts/container/settings.ts'
import { realVolumes, volumeAdvice } from '../../scripts/container/volumes.ts'

const mounted = existsSync(mountedFile) ? readFileSync(mountedFile, 'utf8') : undefined
const settings = containerSettings(process.env, mounted)
const directories = (settings['log.dirs'] ?? '').split(',').map(directory => directory.trim())
for (const line of volumeAdvice(directories, realVolumes)) console.error(line)
// All settings as overrides of an empty file: a read-only container has no place for one.
process.argv.splice(
  2,
  0,
  '/dev/null',
  ...Object.entries(settings).flatMap(([key, value]) => ['--override', `${key}=${value}`]),
)
// Not an import at the top: it reads the arguments when it is loaded.
void import('../../broker/main.ts')
