/**
 * Lab 16: can a reader of a compacted topic miss that a key was deleted?
 * Setup: 1 broker, a topic with cleanup.policy=compact. A reader builds a table from it: a value sets the key, a tombstone removes it.
 * Fault: the reader stops before a key is deleted and comes back later; meanwhile the cleaner works.
 * Expect: a reader that comes back within delete.retention.ms still finds the tombstone, and one that starts from the beginning finds neither
 *   value nor tombstone: both have the right table.
 * Control: a reader that comes back after the tombstone was removed must be caught keeping a ghost: a key that does not exist any more.
 */
import { factCheck } from '#scripts/checkers/facts.ts'
import { driving, lab, type Variant } from '#scripts/labs/lab.ts'
import { HandWorkload } from '#scripts/workload/by-hand.ts'
import type { HandRecord, ReadRecord } from '#scripts/workload/hand-requests.ts'

const day = 86_400_000
/** Records this far apart lie in segments of their own: the cleaner never works on the one that is written to. */
const segmentMs = 5_000
const stepMs = 10_000
const hour = 3_600_000

/** A table that is kept up to date from a log. */
class Table {
  readonly rows = new Map<string, string>()
  /** Next offset to read. */
  position = 0

  apply(records: readonly ReadRecord[]): void {
    for (const { offset, key, value } of records) {
      this.position = offset + 1
      if (key === null) continue
      if (value === null) this.rows.delete(key)
      else this.rows.set(key, value)
    }
  }
}

type Reader = 'back in time' | 'from the beginning' | 'back too late'

function reading(reader: Reader): Pick<Variant, 'workload' | 'script'> {
  const deleteRetentionMs = reader === 'back in time' ? day : 100
  return driving(
    parts =>
      new HandWorkload(parts, {
        settings: {
          'cleanup.policy': 'compact',
          'min.cleanable.dirty.ratio': '0.01',
          'segment.ms': String(segmentMs),
          'delete.retention.ms': String(deleteRetentionMs),
        },
      }),
    async (run, workload) => {
      let timestamp = Date.now() - 10 * hour
      const truth = new Map<string, string>()
      const write = async (record: HandRecord & { readonly key: string }) => {
        timestamp += stepMs
        await workload.write({ partition: 0, records: [{ ...record, timestamp }] })
        if (record.value === null) truth.delete(record.key)
        else truth.set(record.key, record.value)
      }
      run.step('two keys are written, and the reader has them in its table')
      await write({ key: 'ada', value: 'London' })
      await write({ key: 'grace', value: 'New York' })
      const table = new Table()
      table.apply(await workload.read(0, 0))
      run.step('the reader is away; a key is deleted')
      const tombstone = table.position
      await write({ key: 'ada', value: null })
      const gone = reader === 'back in time' ? 0 : tombstone
      run.step(gone === 0 ? 'the cleaner removes the value' : 'the cleaner removes the value, then the tombstone')
      let ticks = 0
      const records = await workload.until(
        `the record at offset ${gone} is gone`,
        async () => {
          // Each write begins a segment, so that there is always something to clean.
          await write({ key: 'clock', value: String(ticks++) })
          return await workload.read(0, 0)
        },
        log => log.every(({ offset }) => offset !== gone),
      )
      run.fact(
        'the value is gone',
        records.every(({ offset }) => offset !== 0),
      )
      run.fact(
        'the tombstone is gone',
        records.every(({ offset }) => offset !== tombstone),
      )
      run.step('the reader goes on')
      const from = reader === 'from the beginning' ? new Table() : table
      from.apply(await workload.read(0, from.position))
      const differing = [...new Set([...truth.keys(), ...from.rows.keys()])].filter(
        key => truth.get(key) !== from.rows.get(key),
      )
      run.fact('keys in which the table is wrong', differing.join(', ') || 'none')
    },
  )
}

const tableIsRight = factCheck({
  name: 'table-equals-log',
  promise: 'The table of the reader has what was written last, and nothing of what was deleted.',
  about: ['the value is gone', 'the tombstone is gone', 'keys in which the table is wrong'],
  broken: ({ 'keys in which the table is wrong': keys }) =>
    keys === 'none' ? undefined : `The table is wrong in: ${keys}. It was deleted, and the reader never heard of it.`,
})

const tombstoneIs = (there: boolean) =>
  factCheck({
    name: there ? 'tombstone-is-kept' : 'tombstone-is-removed',
    promise: there
      ? 'The old value was compacted away, and its tombstone is still there.'
      : 'Neither the old value nor its tombstone is in the log any more.',
    about: ['the value is gone', 'the tombstone is gone'],
    broken: facts =>
      facts['the value is gone'] === true && facts['the tombstone is gone'] === !there
        ? undefined
        : `The value is ${facts['the value is gone'] === true ? 'gone' : 'there'}, the tombstone is ${facts['the tombstone is gone'] === true ? 'gone' : 'there'}.`,
  })

export default lab({
  name: '16-compaction-and-tombstones',
  difficulty: 2,
  lesson:
    'A topic with cleanup.policy=compact keeps, for each key, at least its last record; the cleaner rewrites old segments now and then and leaves out what has a successor. Offsets stay as they are, so a compacted log has holes. A record whose value is null is a tombstone: it says that the key is deleted. Services use such topics as tables: they read from the beginning, remember the last value of each key, and go on from there with what comes.',
  exercises: [
    'Set delete.retention.ms of the control to a day. What happens to the script?',
    'Which records does a reader see that begins in the middle of the log? Is its table right?',
    'Raise min.cleanable.dirty.ratio to 0.9. When does the cleaner come now?',
    'How would you find a ghost key in production? Who would have to be compared with whom?',
  ],
  summary: 'A reader that is away for longer than delete.retention.ms never hears of a deletion.',
  question:
    'A service keeps a table from a compacted topic. It has read a key, then it is down; the key is deleted meanwhile. When it goes on from its committed offset, does it remove the key from its table?',
  prediction: {
    choices: [
      'Yes, always: compaction keeps the last record of each key, and a tombstone is one',
      'Yes, if it comes back within delete.retention.ms; later the tombstone is gone and the key stays in its table for ever',
      'No: compaction removes tombstones at once, since they carry nothing',
      'It gets OFFSET_OUT_OF_RANGE, because its offset was compacted away, and reads everything anew',
    ],
    answer: 1,
  },
  topology: { brokers: 1, controllers: 0, settings: { 'log.cleaner.backoff.ms': '100' } },
  needs: [],
  variants: [
    {
      name: 'main',
      summary: 'the reader comes back within delete.retention.ms (a day)',
      role: 'main',
      ...reading('back in time'),
      checks: [tableIsRight, tombstoneIs(true)],
      expect: 'valid',
    },
    {
      name: 'from-the-beginning',
      summary: 'the tombstone is gone, and the reader reads the topic from its beginning',
      role: 'main',
      ...reading('from the beginning'),
      checks: [tableIsRight, tombstoneIs(false)],
      expect: 'valid',
    },
    {
      name: 'too-late',
      summary: 'the reader goes on from its offset when the tombstone is gone',
      role: 'control',
      ...reading('back too late'),
      checks: [tableIsRight, tombstoneIs(false)],
      expect: ['table-equals-log'],
    },
  ],
  watch: [
    'No error anywhere: the offset of the reader is within the log, records are merely missing from it.',
    'The fact "the tombstone is gone": false within delete.retention.ms, although the value it deletes has been removed.',
    'Turn the knob: set delete.retention.ms of the control to 86400000, and the script waits in vain for the tombstone to go: that is the promise.',
  ],
  explanation:
    'Compaction keeps at least the last record of each key, in segments that are not written to any more. A record with a null value, a tombstone, says that the key is deleted. It has to go some day too, or deleted keys would fill the log: the first cleaning that reaches it sets its end, delete.retention.ms from then on (default a day), and a later cleaning removes it (since 3.1 that end is stored in the batch, KIP-534; before, tombstones could stay for ever in a topic that was written to). Who reads from the beginning to the end within that time sees every deletion. Who stops in the middle for longer goes on behind the place where the tombstone was, without any error: offsets in a compacted log have holes, and a hole says nothing. So a table that is kept from a compacted topic must be rebuilt from the beginning when its reader was away for longer than delete.retention.ms.',
  reading: [
    'Kafka documentation, "Log Compaction": https://kafka.apache.org/documentation/#compaction',
    'Kafka documentation, topic setting delete.retention.ms: https://kafka.apache.org/documentation/#topicconfigs_delete.retention.ms',
    'KIP-534, retain tombstones and transaction markers for as long as it was promised: https://cwiki.apache.org/confluence/display/KAFKA/KIP-534',
  ],
})
