/**
 * The process ends at every change that it makes to its disk, as a kill and with the power, in everything that a log goes through. What is
 * found then is a part of what was written, with everything that was promised to be durable, and all that is derived from it agrees.
 */
import { describe, expect, test } from 'vitest'
import { batchOf, startWallMs } from '../harness.ts'
import { crashEverywhere, describeReport } from './points.ts'
import { LogScene, type SceneOptions } from './scene.ts'

const minuteMs = 60_000

const scenarios: Readonly<Record<string, SceneOptions>> = {
  'append, roll, flush and checkpoint': {
    scenario(scene) {
      scene.append(8, 1)
      scene.flush()
      scene.checkpoint()
      scene.append(5, 2, { records: 3 })
      scene.checkpoint()
      scene.append(3, 2)
      scene.flush()
      scene.append(2, 4)
      scene.stop()
    },
  },
  'every append flushed': {
    config: { flushMessages: 1 },
    scenario(scene) {
      scene.append(9, 1)
      scene.checkpoint()
      scene.append(2, 3)
    },
  },
  truncation: {
    scenario(scene) {
      scene.append(12, 1)
      scene.flush()
      scene.checkpoint()
      scene.append(4, 2)
      scene.truncate(13)
      scene.append(3, 3)
      scene.truncate(5)
      scene.append(9, 4)
      scene.flush()
      scene.checkpoint()
      scene.truncate(7)
      scene.append(1, 5)
      scene.stop()
    },
  },
  'a follower that begins anew': {
    scenario(scene) {
      scene.append(9, 1)
      scene.flush()
      scene.checkpoint()
      scene.beginAnewAt(40)
      const batch = (baseOffset: number, epoch: number): Buffer =>
        batchOf([`r${baseOffset}`, 'more'], {
          baseOffset,
          partitionLeaderEpoch: epoch,
          timestamp: startWallMs + baseOffset,
        })
      scene.replicate([40, 42, 44, 46, 48].map(offset => batch(offset, offset < 44 ? 2 : 3)))
      scene.flush()
      scene.checkpoint()
      scene.beginAnewAt(20)
      scene.replicate([20, 22, 24, 26].map(offset => batch(offset, 5)))
      scene.stop()
    },
  },
  retention: {
    needsOrderOfNames: true,
    config: { retentionMs: minuteMs, fileDeleteDelayMs: 1000 },
    scenario(scene) {
      scene.append(20, 1)
      scene.flush()
      scene.checkpoint()
      expect(scene.retain(startWallMs + minuteMs + 18_000)).toBeGreaterThan(1)
      scene.append(6, 2)
      scene.machine.advance(2000)
      scene.checkpoint()
      scene.append(9, 2)
      scene.retain(startWallMs + 2 * minuteMs)
      scene.machine.advance(2000)
      scene.append(3, 3)
      scene.stop()
    },
  },
  'deletion of records': {
    needsOrderOfNames: true,
    scenario(scene) {
      scene.append(15, 1, { records: 2 })
      scene.deleteRecords(7)
      scene.checkpoint()
      scene.append(4, 2)
      scene.deleteRecords(21)
      expect(scene.retain(startWallMs)).toBeGreaterThan(0)
      scene.machine.advance(2000)
      scene.flush()
      scene.checkpoint()
      scene.deleteRecords(34)
      scene.retain(startWallMs)
      scene.append(2, 2)
      scene.stop()
    },
  },
  'producers and transactions': {
    scenario(scene) {
      for (let round = 0; round < 4; round++) {
        scene.produce(1, 1, { transactional: false, records: 2 })
        scene.produce(2, 1, { transactional: true })
        scene.produce(3, 1, { transactional: true, records: 2 })
        scene.endTransaction(2, 1, round % 2 === 0 ? 'abort' : 'commit')
        if (round === 1) scene.flush()
        if (round === 2) scene.checkpoint()
        if (round === 2) scene.endTransaction(3, 1, 'abort')
      }
      scene.truncate(13)
      scene.produce(4, 2, { transactional: true })
      scene.endTransaction(4, 2, 'abort')
      scene.flush()
      scene.checkpoint()
      scene.produce(5, 2, { transactional: false })
      scene.stop()
    },
  },
  'a topic deleted and made anew': {
    scenario(scene) {
      scene.append(9, 1)
      scene.flush()
      scene.checkpoint()
      scene.deleteTopic()
      scene.machine.advance(2000)
      scene.makeTopicAnew('AAAAAAAAAAAAAAAAAAAAAg')
      scene.append(5, 0)
      scene.flush()
      scene.deleteTopic()
      scene.makeTopicAnew('AAAAAAAAAAAAAAAAAAAAAw')
      scene.append(7, 0)
      scene.checkpoint()
      scene.machine.advance(2000)
      scene.stop()
    },
  },
  'stops and starts, of two directories': {
    logDirs: ['/data', '/more/data'],
    scenario(scene) {
      scene.append(7, 1)
      scene.stop()
      scene.start()
      scene.append(3, 2)
      scene.flush()
      scene.stop()
      scene.start()
      scene.append(2, 2)
    },
  },
}

describe('a process that ends at any change of its disk leaves a whole log', () => {
  test.each(Object.entries(scenarios))(
    '%s',
    (name, options) => {
      const report = crashEverywhere(() => new LogScene(options))
      console.log(describeReport(name, report))
      expect(report.changes).toBeGreaterThan(0)
      expect(report.points).toBeGreaterThan(report.changes)
      expect(report.restarts).toBeGreaterThan(report.tried)
    },
    60_000,
  )
})
