/**
 * What this machine can: tests that need more than Node say so here, and are skipped with the reason in their title where it is missing.
 * In CI nothing is missing: the test then runs and fails.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { homedir, networkInterfaces, tmpdir } from 'node:os'
import path from 'node:path'
import { describe } from 'vitest'

function answers(command: string, args: readonly string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore', timeout: 20_000 })
    return true
  } catch {
    return false
  }
}

function canMount(): boolean {
  const folder = mkdtempSync(path.join(tmpdir(), 'faultline-mount-'))
  try {
    if (!answers('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'faultline', folder])) return false
    return answers('umount', [folder])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** An ext4 file system in a file. */
function canMountExt4(): boolean {
  const folder = mkdtempSync(path.join(tmpdir(), 'faultline-mount-'))
  const [image, point] = [path.join(folder, 'image'), path.join(folder, 'point')]
  try {
    mkdirSync(point)
    writeFileSync(image, '')
    truncateSync(image, 8 * 1024 * 1024)
    if (!answers('mkfs.ext4', ['-q', '-F', image]) || !answers('mount', ['-o', 'loop', image, point])) return false
    return answers('umount', [point])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Folder of Apache Kafka's jars. */
export const kafkaJars =
  process.env['KAFKA_JARS'] ??
  path.join(process.env['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache'), 'apache-kafka', '4.3.1')

/** Debian's chromium, or another browser of that family. */
export function chromiumPath(): string | undefined {
  const named = process.env['CHROMIUM_PATH']
  if (named !== undefined) return named
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
  const folders = (process.env['PATH'] ?? '').split(path.delimiter)
  return names.flatMap(name => folders.map(folder => path.join(folder, name))).find(file => existsSync(file))
}

const probes = {
  docker: { has: () => answers('docker', ['info']), remedy: 'start a Docker engine' },
  java: { has: () => answers('java', ['-version']), remedy: 'install Java 17 or newer' },
  maven: { has: () => answers('mvn', ['-version']), remedy: 'install Maven' },
  python: { has: () => answers('python3', ['-c', 'import venv, ensurepip']), remedy: 'install Python 3 with venv' },
  'apache-kafka': {
    has: () => existsSync(path.join(kafkaJars, '.complete')),
    remedy: 'run ./faultline doctor --fetch-kafka, or set KAFKA_JARS',
  },
  'kafka-streams': {
    has: () => existsSync(path.join(kafkaJars, 'kafka-streams-4.3.1.jar')),
    remedy: 'run ./faultline doctor --fetch-kafka on an empty folder of jars, or set KAFKA_JARS',
  },
  gcc: { has: () => answers('gcc', ['--version']), remedy: 'install gcc and the headers of the C library' },
  go: { has: () => answers('go', ['version']), remedy: 'install Go 1.26 or newer' },
  mount: { has: canMount, remedy: 'run as root on Linux, which may mount a tmpfs' },
  ext4: { has: canMountExt4, remedy: 'run as root on Linux with e2fsprogs, which may mount a file' },
  cc: {
    has: () => process.platform === 'linux' && answers('cc', ['--version']),
    remedy: 'run on Linux with a C compiler: apt-get install gcc libc6-dev',
  },
  ipv6: {
    has: () => Object.values(networkInterfaces()).some(all => all?.some(({ address }) => address === '::1')),
    remedy: 'give the loopback interface its IPv6 address',
  },
  proc: { has: () => existsSync('/proc/self/fd'), remedy: 'run on Linux' },
  prometheus: {
    has: () => answers('prometheus', ['--version']),
    remedy: 'install Prometheus: apt-get install prometheus',
  },
  chromium: { has: () => chromiumPath() !== undefined, remedy: 'install chromium, or set CHROMIUM_PATH' },
  kcat: { has: () => answers('kcat', ['-V']), remedy: 'install kcat' },
} as const

export type Need = keyof typeof probes
const known = new Map<Need, boolean>()

function has(need: Need): boolean {
  let answer = known.get(need)
  if (answer === undefined) {
    answer = probes[need].has()
    known.set(need, answer)
  }
  return answer
}

/** `describe` for tests that need something of the machine. */
export function describeWith(needs: readonly Need[], title: string, body: () => void): void {
  const missing = process.env['CI'] === 'true' ? [] : needs.filter(need => !has(need))
  const reason = missing.map(need => `no ${need}: ${probes[need].remedy}`).join('; ')
  const described = missing.length > 0 ? `${title} (${reason})` : title
  describe.skipIf(missing.length > 0)(described, () => {
    body()
  })
}
