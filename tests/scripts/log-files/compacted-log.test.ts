/** `./faultline log verify` on logs that the cleaner of a broker has compacted: nothing is wrong with what it leaves, and damage is still found. */
import { describe, expect, test } from 'vitest'
import type { SegmentedLog } from '#broker/log/partition-log.ts'
import { compressionNames } from '#broker/protocol/records/batch.ts'
import { verifyPlace } from '#scripts/log-files/verify-place.ts'
import { Prng } from '#simulator/world/prng.ts'
import { clean, compacted } from '#tests/broker/log/cleaner/harness.ts'
import { History } from '#tests/broker/log/cleaner/history.ts'
import { inspect, logDirectory, Machine, openLog } from '#tests/broker/log/harness.ts'

const config = { ...compacted, segmentBytes: 900 }

interface Compacted {
  readonly machine: Machine
  readonly log: SegmentedLog
}

/** Of a random history: idempotent producers, transactions of every outcome, tombstones, cleanings that come to their end or do not. */
function compactedLog(seed: number): Compacted {
  const random = new Prng(seed)
  const machine = new Machine()
  const log = openLog(machine, { config })
  log.updateConfig(config)
  const history = new History()
  const open = new Set<number>()
  let leaderEpoch = 0
  let checkpoint = 0
  const end = (producer: number): void => {
    open.delete(producer)
    const marker = random.below(2) === 0 ? 'abort' : 'commit'
    history.end(log, marker, BigInt(producer), { leaderEpoch, nowMs: machine.nowMs })
  }
  for (let step = 0; step < 80; step++) {
    const kind = random.below(20)
    if (kind < 12) {
      const producer = random.below(8)
      const transactional = producer < 3
      if (transactional) open.add(producer)
      const changes = Array.from({ length: 1 + random.below(3) }, () => ({
        key: `k${random.below(6)}`,
        value: random.below(4) === 0 ? null : 'x'.repeat(random.below(120)),
      }))
      const compression = compressionNames[random.below(compressionNames.length)]!
      const ofProducer = producer < 5 ? { producerId: BigInt(producer), transactional } : {}
      history.append(log, changes, { leaderEpoch, compression, nowMs: machine.nowMs, ...ofProducer })
    } else if (kind < 15) {
      const [producer] = [...open]
      if (producer !== undefined) end(producer)
    } else if (kind === 15) leaderEpoch++
    else if (kind === 16) machine.advance(700)
    else if (kind === 17) log.expireProducers(Infinity, 0)
    else {
      if (random.below(2) === 0) for (const producer of open) end(producer)
      const mapBytes = random.below(2) === 0 ? 24 * 16 : 1024 * 1024
      const { endOffset } = clean(machine, log, { checkpoint, mapBytes })
      checkpoint = Math.max(checkpoint, endOffset)
    }
  }
  log.close()
  return { machine, log }
}

const damages = ({ machine }: Compacted): string[] =>
  verifyPlace(inspect(machine), logDirectory, { records: true, progress: () => {} })
    .problems.filter(({ severity }) => severity === 'damage')
    .map(({ path, message }) => `${path} ${message}`)

describe('verify', () => {
  test('finds nothing wrong with compacted logs', () => {
    const kinds = { gaps: 0, transactionIndexes: 0, snapshots: 0 }
    for (let seed = 1; seed <= 30; seed++) {
      const compactedOne = compactedLog(seed)
      const { problems, partitions } = verifyPlace(inspect(compactedOne.machine), logDirectory, {
        records: true,
        progress: () => {},
      })
      expect(
        problems.filter(({ severity }) => severity === 'damage'),
        `seed ${seed}`,
      ).toEqual([])
      const { directory, log } = partitions[0]!
      if (log.records < log.logEndOffset - log.logStartOffset) kinds.gaps++
      kinds.transactionIndexes += directory.files.filter(({ kind }) => kind === 'txnindex').length
      kinds.snapshots += directory.files.filter(({ kind }) => kind === 'snapshot').length
    }
    for (const count of Object.values(kinds)) expect(count).toBeGreaterThan(10)
  })

  test('finds an entry of a transaction index that no marker is behind, and one that is missing', () => {
    let found = 0
    for (let seed = 1; found < 20; seed++) {
      const compactedOne = compactedLog(seed)
      const disk = inspect(compactedOne.machine)
      const name = disk.list(logDirectory).find(each => each.name.endsWith('.txnindex'))?.name
      const path = `${logDirectory}/${name}`
      const size = name === undefined ? 0 : disk.stat(path)!.bytes
      if (size === 0) continue
      found++
      const file = disk.open(path, 'write')
      const bytes = Buffer.alloc(size)
      file.read(bytes, 0)
      // The offset of the marker.
      bytes[25]! ^= 1
      file.write([bytes], 0)
      expect(damages(compactedOne).join()).toMatch(/no marker says so|the batches say/)
      file.close()
    }
  })

  test('finds a producer snapshot that is behind the batches', () => {
    let found = 0
    for (let seed = 1; found < 20; seed++) {
      const compactedOne = compactedLog(seed)
      const disk = inspect(compactedOne.machine)
      const snapshots = disk
        .list(logDirectory)
        .filter(({ name }) => name.endsWith('.snapshot'))
        .map(({ name }) => name)
        .sort()
      const [first, last] = [snapshots[0], snapshots.at(-1)]
      if (first === last) continue
      const read = (name: string): Buffer => {
        const file = disk.open(`${logDirectory}/${name}`, 'read')
        const bytes = Buffer.alloc(file.size())
        file.read(bytes, 0)
        file.close()
        return bytes
      }
      // What was known long before.
      const old = read(first!)
      if (old.length <= 10 || old.equals(read(last!))) continue
      const file = disk.open(`${logDirectory}/${last}`, 'write')
      file.truncate(0)
      file.write([old], 0)
      file.close()
      if (damages(compactedOne).some(text => text.includes('.snapshot says of producer'))) found++
      expect(seed).toBeLessThan(200)
    }
  })
})
