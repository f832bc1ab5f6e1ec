/** What a power failure leaves of the disk of a program that our library stands in front of: a Python that does what Kafka does to its files. */
import { execFileSync, spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { projectRoot } from '#scripts/cluster/state.ts'
import { endCut, loseWhatIsNotDurable } from '#scripts/cluster/apache-kafka/durable-tree.ts'
import { describeWith } from '../../../machine.ts'

/** Behind the library: a call that a program of a test has put into the middle of an fsync, or before a cut; an end in the middle of a start. */
const middle = String.raw`
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
void (*in_fsync)(void), (*before_cut)(void);
static void call(void (**at)(void)) { void (*now)(void) = *at; *at = 0; if (now) now(); }
int fsync(int fd) { int done = syscall(SYS_fsync, fd); call(&in_fsync); return done; }
int ftruncate64(int fd, off64_t size) { call(&before_cut); return syscall(SYS_ftruncate, fd, size); }
FILE *fopen(const char *path, const char *mode) {
    if (getenv("ENDS_AT_START") && strcmp(mode, "ae") == 0) kill(getpid(), SIGKILL);
    return ((FILE *(*)(const char *, const char *))dlsym(RTLD_NEXT, "fopen"))(path, mode);
}
`

const prelude = String.raw`
import ctypes, mmap, os, signal
kept = []
def meanwhile(name, work):
    kept.append(ctypes.CFUNCTYPE(None)(work))
    ctypes.c_void_p.in_dll(ctypes.CDLL(None), name).value = ctypes.cast(kept[-1], ctypes.c_void_p).value
def put(name, text, flags=0):
    fd = os.open(name, os.O_RDWR | os.O_CREAT | flags); os.write(fd, text.encode()); return fd
def fsync(name):
    fd = os.open(name, os.O_RDONLY); os.fsync(fd); os.close(fd)
`

describeWith(['gcc', 'python'], 'a power failure of what is not ours', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'faultline-durable-'))
  const library = path.join(folder, 'libfaults.so')
  const middleLibrary = path.join(folder, 'libmiddle.so')
  let orders = ''
  let data = ''
  let runs = 0

  beforeAll(() => {
    const sources = ['faults.c', 'durable.c'].map(name => path.join(projectRoot, 'images', 'apache-kafka', name))
    const flags = ['-O2', '-Wall', '-Wextra', '-Werror', '-shared', '-fPIC']
    execFileSync('gcc', [...flags, '-o', library, ...sources, '-ldl', '-lpthread'])
    writeFileSync(path.join(folder, 'middle.c'), middle)
    execFileSync('gcc', [...flags, '-o', middleLibrary, path.join(folder, 'middle.c'), '-ldl'])
  })
  beforeEach(() => {
    const scene = path.join(folder, String(++runs))
    orders = path.join(scene, 'orders')
    data = path.join(scene, 'data')
    for (const each of [orders, data]) mkdirSync(each, { recursive: true })
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  /** Ends as a machine does that loses its power, apart from what that takes. */
  function run(...lines: readonly string[]): void {
    runWith({}, ...lines)
  }
  function runWith(variables: Readonly<Record<string, string>>, ...lines: readonly string[]): void {
    const program = [prelude, ...lines, 'os.kill(os.getpid(), signal.SIGKILL)'].join('\n')
    const env = {
      PATH: process.env['PATH'],
      LD_PRELOAD: `${library} ${middleLibrary}`,
      FAULTLINE_FAULTS: orders,
      FAULTLINE_DATA: data,
      ...variables,
    }
    const { signal, stderr } = spawnSync('python3', ['-S', '-c', program], { cwd: data, env, encoding: 'utf8' })
    expect({ signal, stderr }).toEqual({ signal: 'SIGKILL', stderr: '' })
  }

  function tree(): Record<string, string | null> {
    const entries = readdirSync(data, { recursive: true, withFileTypes: true }).map(entry => {
      const file = path.join(entry.parentPath, entry.name)
      return [path.relative(data, file), entry.isFile() ? readFileSync(file, 'utf8') : null] as const
    })
    return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)))
  }
  const proof = () => readFileSync(path.join(orders, 'unsynced.proof', 'file'), 'utf8')

  test('takes the bytes that no fsync has covered, and leaves the others', () => {
    writeFileSync(path.join(data, 'given'), 'there before')
    run(
      "a = put('a', '12'); os.fsync(a); os.write(a, b'34'); fsync('.')",
      "b = put('b', 'never fsynced'); fsync('.')",
      "g = put('given', 'x', os.O_APPEND)",
    )
    expect(tree()).toEqual({ a: '1234', b: 'never fsynced', given: 'there beforex' })
    expect(proof()).toBe('was fsynced, and this was not')
    expect(loseWhatIsNotDurable(orders)).toEqual({ names: 0, files: 4, bytes: 2 + 13 + 1 + 18 })
    expect(tree()).toEqual({ a: '12', b: '', given: 'there before' })
    expect(proof()).toBe('was fsynced')
    expect(existsSync(path.join(orders, 'durable'))).toBe(false)
  })

  test('takes them also where the path of the data leads through symbolic links', () => {
    const real = data
    data = `${real}-link`
    symlinkSync(real, data)
    run("a = put('a', '12'); os.fsync(a); os.write(a, b'34'); fsync('.')")
    expect(loseWhatIsNotDurable(orders)).toEqual({ names: 0, files: 2, bytes: 2 + 18 })
    expect(tree()).toEqual({ a: '12' })
  })

  test('takes names that no fsync of their directory has covered: made, renamed, removed, used again', () => {
    run(
      "os.mkdir('t-0')",
      "for n in ('renamed', 'removed', 'again'): os.fsync(put('t-0/' + n, 'old ' + n))",
      "fsync('t-0'); fsync('.')",
      "os.rename('t-0/renamed', 't-0/other')",
      "os.unlink('t-0/removed')",
      "os.unlink('t-0/again'); os.fsync(put('t-0/again', 'new'))",
      "os.fsync(put('t-0/made', 'and fsynced'))",
      "os.mkdir('u-0'); os.fsync(put('u-0/x', '')); fsync('u-0')",
    )
    loseWhatIsNotDurable(orders)
    expect(tree()).toEqual({
      't-0': null,
      't-0/again': 'old again',
      't-0/removed': 'old removed',
      't-0/renamed': 'old renamed',
    })
  })

  test('goes by the directory, when that is fsynced, and knows a file by any name', () => {
    run(
      "os.mkdir('t-0'); os.fsync(put('t-0/a', 'of a')); fsync('t-0'); fsync('.')",
      "os.rename('t-0', 't-0.delete'); fsync('.')",
      "os.rename('t-0.delete/a', 't-0.delete/a.deleted'); fsync('t-0.delete')",
      "put('t-0.delete/b', 'of b'); fsync('t-0.delete'); fsync('t-0.delete/b')",
    )
    loseWhatIsNotDurable(orders)
    expect(tree()).toEqual({ 't-0.delete': null, 't-0.delete/a.deleted': 'of a', 't-0.delete/b': 'of b' })
  })

  test('follows a segment that is appended to, cut and appended to again, however often it is fsynced', () => {
    run(
      "l = put('0.log', '')",
      "for n in range(100): os.write(l, b'%08d' % n); os.fsync(l)",
      "os.ftruncate(l, 80); os.lseek(l, 0, os.SEEK_END); os.write(l, b'another!'); os.fsync(l)",
      "os.write(l, b'lost'); fsync('.')",
      "s = put('1.log', 'x' * 200000); os.fsync(s); os.ftruncate(s, 100); fsync('.')",
    )
    loseWhatIsNotDurable(orders)
    const text = Array.from({ length: 10 }, (_, n) => String(n).padStart(8, '0')).join('')
    // A cut that no fsync has covered did not happen after all.
    expect(tree()).toEqual({ '0.log': `${text}another!`, '1.log': 'x'.repeat(200_000) })
  })

  test('keeps what comes where a segment was cut while it was fsynced', () => {
    run(
      "l = put('0.log', 'x' * 1000); fsync('.')",
      "meanwhile('in_fsync', lambda: os.ftruncate(l, 100))",
      'os.fsync(l)',
      "os.pwrite(l, b'y' * 2000, 100); os.fsync(l)",
    )
    loseWhatIsNotDurable(orders)
    expect(tree()).toEqual({ '0.log': 'x'.repeat(100) + 'y'.repeat(2000) })
  })

  test('keeps what comes where a segment is cut that is fsynced just before', () => {
    run(
      "l = put('0.log', 'x' * 1000); fsync('.')",
      "meanwhile('before_cut', lambda: os.fsync(l))",
      'os.ftruncate(l, 100)',
      "os.pwrite(l, b'y' * 2000, 100); os.fsync(l)",
    )
    loseWhatIsNotDurable(orders)
    expect(tree()).toEqual({ '0.log': 'x'.repeat(100) + 'y'.repeat(2000) })
  })

  test.each([
    ['ftruncate', 'os.ftruncate(l, 300000)'],
    ['fallocate', 'ctypes.CDLL(None).fallocate64(l, 0, ctypes.c_int64(0), ctypes.c_int64(300000))'],
  ])('follows what is written into a segment that %s made larger', (_, larger) => {
    run(
      `l = put('0.log', ''); ${larger}; os.fsync(l); fsync('.')`,
      "os.write(l, b'hello '); os.writev(l, [b'ack', b'ed']); os.fsync(l)",
      "os.pwrite(l, b'far', 200000); os.write(l, b', twice'); os.fsync(l)",
      "os.write(l, b', lost')",
    )
    loseWhatIsNotDurable(orders)
    const content = readFileSync(path.join(data, '0.log'))
    expect(content.length).toBe(300_000)
    expect(content.toString('utf8', 200_000, 200_003)).toBe('far')
    expect(content.toString('utf8', 0, 24).replaceAll('\0', '')).toBe('hello acked, twice')
  })

  test('believes no fsync that was asked for earlier and ends later, of any file', () => {
    run(
      "c = put('checkpoint', 'first'); fsync('.')",
      "def more(): os.write(c, b' and second'); os.fsync(c)",
      "meanwhile('in_fsync', more); os.fsync(c)",
    )
    loseWhatIsNotDurable(orders)
    expect(tree()).toEqual({ checkpoint: 'first and second' })
  })

  test('believes the last of many fsyncs at the same time', () => {
    run(
      'import threading',
      "l = put('0.log', ''); fsync('.')",
      'def work(n):',
      '    for k in range(60):',
      "        with turn: os.write(l, b'%02d%04d' % (n, k))",
      '        os.fsync(l)',
      "        os.close(put('%d.%d' % (n, k), '')); fsync('.')",
      'turn = threading.Lock()',
      'all = [threading.Thread(target=work, args=(n,)) for n in range(8)]',
      'for each in all: each.start()',
      'for each in all: each.join()',
      "put('lost', '')",
      "os.write(l, b'lost')",
    )
    const before = tree()
    loseWhatIsNotDurable(orders)
    const { lost: _, ...others } = before
    expect(tree()).toEqual({ ...others, '0.log': before['0.log']?.slice(0, -'lost'.length) })
  })

  test('has of a memory map what was fsynced of it', () => {
    run(
      "i = put('0.index', ''); os.ftruncate(i, 3 << 20); fsync('.')",
      'm = mmap.mmap(i, 3 << 20)',
      "m[0:5] = b'first'; m[2000000:2000004] = b'last'; m.flush()",
      "m[0:5] = b'FIRST'",
    )
    loseWhatIsNotDurable(orders)
    const content = readFileSync(path.join(data, '0.index'))
    expect(content.length).toBe(3 << 20)
    expect([content.toString('utf8', 0, 5), content.toString('utf8', 2_000_000, 2_000_004)]).toEqual(['first', 'last'])
  })

  test('goes on with what an earlier process has fsynced, and not; afterwards all that is there is durable', () => {
    run("a = put('a', '12'); os.fsync(a); fsync('.'); os.write(a, b'34')", "put('b', 'no name')")
    run("a = put('a', '56', os.O_APPEND)", "c = put('0.log', 'c'); os.fsync(c); fsync('.')")
    run("c = put('0.log', 'd', os.O_APPEND); os.fsync(c)")
    loseWhatIsNotDurable(orders)
    expect(tree()).toEqual({ '0.log': 'cd', a: '12', b: '' })
    run("put('a', '3', os.O_APPEND)")
    loseWhatIsNotDurable(orders)
    expect(tree()).toEqual({ '0.log': 'cd', a: '12', b: '' })
  })

  test('goes by the directories of the last start when it comes during another', () => {
    run("a = put('a', '12'); os.fsync(a); fsync('.'); os.write(a, b'34')")
    runWith({ ENDS_AT_START: 'yes' })
    loseWhatIsNotDurable(orders)
    expect(tree()).toEqual({ a: '12' })
  })

  test('takes all that there is in a directory that a later start has more for durable', () => {
    const more = path.join(orders, '..', 'more')
    run("a = put('a', '12'); os.fsync(a); fsync('.'); os.write(a, b'34')")
    mkdirSync(more)
    writeFileSync(path.join(more, 'there'), 'before')
    runWith({ FAULTLINE_DATA: `${data},${path.resolve(more)}` }, "put('../more/there', ' more', os.O_APPEND)")
    loseWhatIsNotDurable(orders)
    expect(readFileSync(path.join(more, 'there'), 'utf8')).toBe('before')
    expect(tree()).toEqual({ a: '12' })
  })

  /** As the next start ends one that was cut off, in a container and as a process. */
  const finishAtStart = [
    () => execFileSync('sh', [path.join(projectRoot, 'images', 'apache-kafka', 'finish-cut'), orders]),
    () => endCut(orders),
  ] as const
  const beside = (...names: readonly string[]) => path.join(data, '.faultline-durable', ...names)

  /** A disk of which something is not durable. */
  function runHalf(): void {
    run(
      "a = put('a', '12'); os.fsync(a); os.mkdir('t-0'); fsync('t-0'); fsync('.'); os.write(a, b'34')",
      "put('b', '')",
    )
  }
  const whole = { a: '1234', b: '', 't-0': null }
  const durable = { a: '12', 't-0': null }

  test('that was cut off while it copied has changed nothing, and is begun again', () => {
    runHalf()
    for (const finish of finishAtStart) {
      mkdirSync(beside('half'), { recursive: true })
      finish()
      expect(tree()).toEqual(whole)
    }
    mkdirSync(beside('half'), { recursive: true })
    expect(loseWhatIsNotDurable(orders)).toMatchObject({ names: 1 })
    expect(tree()).toEqual(durable)
  })

  test('that fails while it copies changes nothing', () => {
    runHalf()
    const files = path.join(orders, 'durable', 'files')
    const kept = path.join(
      files,
      readdirSync(files).find(name => readFileSync(path.join(files, name), 'utf8') === '12')!,
    )
    rmSync(kept)
    mkdirSync(kept)
    expect(() => loseWhatIsNotDurable(orders)).toThrow()
    expect(tree()).toEqual(whole)
    rmSync(kept, { recursive: true })
    writeFileSync(kept, '12')
    loseWhatIsNotDurable(orders)
    expect(tree()).toEqual(durable)
  })

  /** What is on the disk once all is copied, and from then on. */
  const stages: readonly (readonly [string, () => void])[] = [
    ['had copied all', () => {}],
    ['removed what was there', () => rmSync(path.join(data, 'a'))],
    [
      'moved what was durable',
      () => {
        for (const name of ['a', 'b', 't-0']) rmSync(path.join(data, name), { recursive: true })
        renameSync(beside(), path.join(data, '.faultline-moving'))
        renameSync(path.join(data, '.faultline-moving', 'a'), path.join(data, 'a'))
      },
    ],
    [
      'removed what says what is durable',
      () => {
        for (const name of ['a', 'b', 't-0']) rmSync(path.join(data, name), { recursive: true })
        for (const name of ['a', 't-0']) renameSync(beside(name), path.join(data, name))
        rmdirSync(beside())
        rmSync(path.join(orders, 'durable.cut', 'dirs'), { recursive: true })
        rmSync(path.join(orders, 'durable.cut', 'roots'))
      },
    ],
  ]
  test.each(stages)('that was cut off when it %s is ended by the next one, and by the next start', (_, reach) => {
    const ends = [() => loseWhatIsNotDurable(orders), ...finishAtStart.map(finish => () => void finish())]
    for (const end of ends) {
      rmSync(path.join(orders, 'durable'), { recursive: true, force: true })
      for (const name of readdirSync(data)) rmSync(path.join(data, name), { recursive: true })
      runHalf()
      renameSync(path.join(orders, 'durable'), path.join(orders, 'durable.cut'))
      writeFileSync(path.join(orders, 'durable.cut', 'loss'), JSON.stringify({ names: 1, files: 1, bytes: 2 }))
      mkdirSync(beside('t-0'), { recursive: true })
      writeFileSync(beside('a'), '12')
      reach()
      const ended = end()
      if (ended !== undefined) expect(ended).toEqual({ names: 1, files: 1, bytes: 2 })
      expect(tree()).toEqual(durable)
      expect(readdirSync(orders).filter(name => name.startsWith('durable'))).toEqual([])
    }
  })

  test('refuses where nobody knows, and where the data is out of reach', () => {
    expect(() => loseWhatIsNotDurable(orders)).toThrow('Nobody knows what is durable of this node')
    runHalf()
    writeFileSync(path.join(orders, 'durable', 'roots'), `${data}\n/nowhere/data\n`)
    expect(() => loseWhatIsNotDurable(orders)).toThrow('/nowhere/data, in which the node has its data')
    expect(tree()).toEqual(whole)
  })
})
