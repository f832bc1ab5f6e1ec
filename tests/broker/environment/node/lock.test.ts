import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { linkSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { describeWith } from '#tests/machine.ts'
import { takeLock } from '#broker/environment/node/lock.ts'
import { procStat } from '#broker/environment/node/proc-stat.ts'

let directory = ''
let file = ''

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'lock-'))
  file = path.join(directory, '.lock')
})
afterEach(() => rmSync(directory, { recursive: true }))

/** Another process that takes the lock and says so, then waits to be ended. */
async function holder() {
  const code = `const { takeLock } = await import('#broker/environment/node/lock.ts'); takeLock(process.argv[1]); console.log('held'); setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code, file], {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: path.resolve(import.meta.dirname, '../../../..'),
  })
  await once(child.stdout, 'data')
  return child
}

function isFree(): boolean {
  try {
    takeLock(file).release()
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

describe('the lock of a directory', () => {
  it('is refused while another process holds it, and free once that process was killed', async () => {
    const child = await holder()
    try {
      expect(() => takeLock(file)).toThrow('EEXIST')
    } finally {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    takeLock(file).release()
  })

  it('is free once its holder is killed, also before anybody has waited for the corpse', async () => {
    // The shell starts the holder, kills it, and becomes a program that never waits for it. Some shells have waited for it by then.
    const code = `const { takeLock } = await import('#broker/environment/node/lock.ts'); takeLock(process.argv[1]); console.log('held'); setInterval(() => {}, 1000)`
    const script = `"$0" --input-type=module -e "$1" "$2" & read -r line; kill -9 $!; until [ ! -e /proc/$! ] || grep -q '^State:.*Z' /proc/$!/status; do :; done; echo killed; exec sleep 30`
    const parent = spawn('sh', ['-c', script, process.execPath, code, file], {
      stdio: ['pipe', 'pipe', 'inherit'],
      cwd: path.resolve(import.meta.dirname, '../../../..'),
    })
    try {
      await once(parent.stdout, 'data')
      parent.stdin.write('go\n')
      await once(parent.stdout, 'data')
      // The first of its threads has ended, and the others are about to; nobody waits for it as long as the program runs.
      await expect.poll(isFree, { timeout: 20_000 }).toBe(true)
    } finally {
      parent.kill('SIGKILL')
      await once(parent, 'exit')
    }
  })

  it('is refused while a thread of its holder may still write, though its first one has ended', async () => {
    const code = `
import ctypes, sys, threading
threading.Thread(target=lambda: sys.stdin.read()).start()
print('held', flush=True)
ctypes.CDLL(None).pthread_exit(None)`
    const child = spawn('python3', ['-c', code], { stdio: ['pipe', 'pipe', 'inherit'] })
    try {
      await once(child.stdout, 'data')
      const stat = () => readFileSync(`/proc/${child.pid}/stat`, 'latin1')
      await expect.poll(stat, { timeout: 30_000 }).toMatch(/\) Z /)
      writeFileSync(file, `pid=${child.pid} began=${procStat(child.pid!)?.began}\n`)
      expect(() => takeLock(file)).toThrow('EEXIST')
    } finally {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    takeLock(file).release()
  })

  it('is free when it names a process id that belongs to another process now', () => {
    writeFileSync(file, 'pid=1 began=123456789\n')
    takeLock(file).release()
  })

  it('is refused, and not asked for without end, where its name is a link that leads nowhere', () => {
    symlinkSync(path.join(directory, 'gone', 'lock'), file)
    expect(() => takeLock(file)).toThrow('ENOENT')
    expect(readdirSync(directory)).toEqual(['.lock'])
  })

  it('keeps what it says when its second name was left by one that died as it took it', async () => {
    const child = await holder()
    try {
      linkSync(file, `${file}.${process.pid}`)
      const said = readFileSync(file, 'utf8')
      expect(() => takeLock(file)).toThrow('EEXIST')
      expect(readFileSync(file, 'utf8')).toBe(said)
    } finally {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  })

  it('is free when it names nobody, as Kafka leaves it', () => {
    writeFileSync(file, '')
    takeLock(file).release()
  })
})

describe('three processes that want the same lock at the same moment', () => {
  /** Each meets the others at every file before it asks for it, and says in the end which ones it has. */
  async function contenders(rounds: number): Promise<readonly (readonly number[])[]> {
    const code = `
      const { takeLock } = await import('#broker/environment/node/lock.ts')
      const { existsSync, writeFileSync } = await import('node:fs')
      const [folder, self, others, rounds] = process.argv.slice(1)
      const taken = []
      for (let round = 0; round < Number(rounds); round++) {
        writeFileSync(folder + '/' + round + '-' + self, '')
        for (const other of others) while (!existsSync(folder + '/' + round + '-' + other)) {}
        try {
          takeLock(folder + '/' + round)
          taken.push(round)
        } catch (error) {
          if (error.code !== 'EEXIST') throw error
        }
      }
      console.log(JSON.stringify(taken))
      process.stdin.resume()`
    const children = ['a', 'b', 'c'].map(self =>
      spawn(
        process.execPath,
        ['--input-type=module', '-e', code, directory, self, 'abc'.replace(self, ''), String(rounds)],
        { stdio: ['pipe', 'pipe', 'inherit'], cwd: path.resolve(import.meta.dirname, '../../../..') },
      ),
    )
    try {
      // All are there until all have spoken: the lock of one that has ended is anybody's.
      return await Promise.all(
        children.map(async child => {
          let text = ''
          for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
            text += chunk.toString()
            if (text.endsWith('\n')) break
          }
          return JSON.parse(text) as number[]
        }),
      )
    } finally {
      for (const child of children) child.kill('SIGKILL')
      await Promise.all(children.map(async child => child.exitCode ?? child.signalCode ?? (await once(child, 'exit'))))
    }
  }

  it.each([
    ['that nobody has', undefined],
    ['of a process that was killed', 'pid=1 began=123456789\n'],
    ['that Kafka has left', ''],
  ])('never get one %s twice', async (_, left) => {
    const rounds = 200
    if (left !== undefined)
      for (let round = 0; round < rounds; round++) writeFileSync(path.join(directory, String(round)), left)
    const taken = (await contenders(rounds)).flat().toSorted((one, other) => one - other)
    expect(taken).toEqual(Array.from({ length: rounds }, (__, round) => round))
    expect(readdirSync(directory).filter(name => !/^\d+(-[abc])?$/.test(name))).toEqual([])
  })
})

describeWith(['python'], 'a lock of the kernel on the file, as Apache Kafka takes it', () => {
  it('is respected while it is held', async () => {
    writeFileSync(file, '')
    const code = `import fcntl, sys\nf = open(sys.argv[1], 'r+')\nfcntl.lockf(f, fcntl.LOCK_EX)\nprint('held', flush=True)\nsys.stdin.read()`
    const child = spawn('python3', ['-c', code, file], { stdio: ['pipe', 'pipe', 'inherit'] })
    try {
      await once(child.stdout, 'data')
      expect(() => takeLock(file)).toThrow('EEXIST')
      expect(readFileSync(file, 'latin1')).toBe('')
    } finally {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    takeLock(file).release()
  })
})
