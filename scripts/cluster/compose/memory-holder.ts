/** Memory that is taken by a process in the container of a node, so that it counts as the node's: the last line of endless zeros, which has no end. */
import { posix } from 'node:path'
import type { NodeFaultProof } from '#broker/environment/faulty/kind.ts'
import { failure, usageError } from '../../errors.ts'
import { poll } from '../clock.ts'
import { beginInContainer, runInContainer } from './container.ts'
import { containerFaultDir } from './generator.ts'

const MiB = 1 << 20
const takeMs = 30_000

/** Holds the number of its process group, which is that of all that it started. */
const pidFile = (slot: number) => posix.join(containerFaultDir, `memory-${slot}.pid`)

/** Resolves when the memory is taken. */
export async function holdMemory(container: string, slot: number, sizeMiB: number): Promise<NodeFaultProof> {
  const free = Number(await shell(container, "awk '/^MemAvailable:/ { print $2 * 1024 }' /proc/meminfo"))
  if (sizeMiB * MiB > free / 2)
    throw usageError(
      `--size of memory-pressure: ${sizeMiB} MiB are more than half of the ${Math.floor(free / MiB)} MiB that are free.`,
      'Take less: the machine has to stay usable.',
    )
  await beginInContainer(container, [
    'sh',
    '-c',
    `echo $$ >${pidFile(slot)}; { head -c ${sizeMiB * MiB} /dev/zero; exec sleep 2147483647; } | tail -n 1 >/dev/null`,
  ])
  let heldMiB = 0
  await poll(
    async () => {
      heldMiB = Math.round(Number(await shell(container, residentOf(pidFile(slot)))) / 1024)
      return heldMiB >= sizeMiB ? true : undefined
    },
    { everyMs: 50, timeoutMs: takeMs },
  )
  return { shown: heldMiB >= sizeMiB, text: `a process beside the JVM has ${heldMiB} MiB in memory` }
}

export async function releaseMemory(container: string, slot: number): Promise<void> {
  const file = pidFile(slot)
  await shell(container, `[ ! -e ${file} ] || { kill -KILL -- -"$(cat ${file})" 2>/dev/null; rm -f ${file}; }`)
}

/** A command that tells the KiB of all processes of a group. The kernel counts pages, whose size is the machine's. */
export function residentOf(file: string): string {
  const program = '{ sub(/.*\\) /, ""); if ($3 == group) pages += $22 } END { print pages * bytes / 1024 }'
  return `[ -e ${file} ] && cat /proc/[0-9]*/stat 2>/dev/null | awk -v group="$(cat ${file})" -v bytes="$(getconf PAGESIZE)" '${program}' || echo 0`
}

async function shell(container: string, script: string): Promise<string> {
  const { exitCode, stdout, stderr } = await runInContainer(container, ['sh', '-c', script])
  if (exitCode === 0) return stdout.trim()
  throw failure(`A command in ${container} ended with ${exitCode ?? 'the container'}: ${stderr.trim().slice(-500)}`)
}
