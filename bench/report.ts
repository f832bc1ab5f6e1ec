/** Figures as text: the table on the terminal and the Markdown of docs/benchmarks.md. Pure. */
import Table from 'cli-table3'
import type { Figure } from './figures.ts'
import type { Machine } from './measure/machine.ts'

export interface Results {
  readonly measuredAt: string
  readonly command: string
  readonly rounds: number
  readonly quick: boolean
  readonly machine: Machine
  readonly figures: readonly Figure[]
  /** Cases that did not come to an end, with the reason. */
  readonly failures: readonly { readonly case: string; readonly why: string }[]
}

const headings = ['case', 'figure', 'Faultline', 'Apache Kafka', 'ratio', 'target', '']

export function textTable(figures: readonly Figure[]): string {
  const table = new Table({ head: headings, style: { head: [], border: [], compact: true } })
  for (const figure of figures) table.push(row(figure))
  return table.toString()
}

/** One line for each target that was missed, and for each case that failed. */
export function shortcomings(results: Results): string[] {
  const missed = results.figures
    .filter(figure => figure.verdict === 'missed')
    .map(figure => {
      const found = figure.least === undefined ? `ratio ${ratio(figure.ratio)}` : amount(figure.ours, figure.unit)
      return `missed: ${figure.case}, ${figure.name}: ${found}, target ${target(figure)}`
    })
  return [...missed, ...results.failures.map(({ case: name, why }) => `failed: ${name}: ${why}`)]
}

export function markdown(results: Results): string {
  const { machine } = results
  const missed = shortcomings(results)
  const lines = [
    '# Benchmarks',
    '',
    'Faultline beside Apache Kafka on the same machine, in the same run. Written by `node bench/main.ts --write`; do not edit.',
    '',
    `- measured ${results.measuredAt} with \`${results.command}\`: ${results.rounds} round${results.rounds === 1 ? '' : 's'} per engine, medians`,
    `- ${machine.cores} cores (${machine.cpu}), ${machine.memoryGiB} GiB, ${machine.system}; Node.js ${machine.node}, Java ${machine.java}, Apache Kafka ${machine.kafka}`,
    `- load average before the run: ${machine.loadBefore.join(' ')}`,
    ...(results.quick
      ? ['- **with `--quick`: small counts, which prove that it runs and say little about speed**']
      : []),
    '',
    '`ratio` is Faultline / Apache Kafka. A target with ≤ is met by a smaller ratio, one with ≥ by a larger one; figures without a target are reported only.',
    '',
    `| ${headings.map(heading => (heading === '' ? 'verdict' : heading)).join(' | ')} |`,
    '| --- | --- | ---: | ---: | ---: | ---: | --- |',
    ...results.figures.map(figure => `| ${row(figure).join(' | ')} |`),
    '',
    '## What falls short',
    '',
    ...(missed.length === 0 ? ['Nothing: every target was met.'] : missed.map(line => `- ${line}`)),
    '',
    ...method,
  ]
  return `${lines.join('\n')}\n`
}

const method = [
  '## How it is measured',
  '',
  '- One engine is up at a time; rounds of the two alternate, and so does which of them goes first. Everything is on 127.0.0.1, clients and brokers share the cores. Dirty pages are written out (`sync`) before each measurement.',
  '- Both engines run on the same properties, those that `./faultline up` writes. The heap of Kafka is its own default, 1 GB, for one broker and 512 MB for three.',
  '- `start`: from the start of the command `./faultline up` on empty directories (with `kafka-storage format` for Kafka) to a record that was acknowledged with acks=all and fetched back; and to a record that a new consumer group has received.',
  '- `memory`: VmRSS of the broker’s process some seconds after the start, and its peak (VmHWM) after a load of 1 KiB records produced with acks=all and consumed; with three brokers the mean of the three.',
  '- `connections`: VmRSS of one broker’s process when 10,000 connections have each been answered an ApiVersions request and are idle; and what each of them adds to it.',
  '- `produce`, `replicated`: Kafka’s own `ProducerPerformance` with batch.size=65536 and linger.ms=5, after a warm-up run on the same broker, one partition (replicated: three partitions, replication factor 3, min.insync.replicas 2). The rate is what the client reports for the whole run; CPU is utime + stime of the broker’s process from /proc, divided by the records (replicated: of all three brokers).',
  '- `consume`: Kafka’s own `ConsumerPerformance` over the same records; the rate leaves out the time to join the group.',
  '- `proxy`: as `replicated`, once with `up --proxy` and once without; the target is about the quotient of our own two rates.',
  '- `failover`: a Java producer with acks=all and otherwise default settings sends a record every 5 ms; the process of the partition’s leader gets kill -9. The figure is the longest gap between two acknowledgements.',
  '- `log-size`: the log alone, in one process; logs above 1 MB are sparse files, with batches of 1 KiB between batches of 64 MiB whose value is a hole. The logs take turns.',
  '- `partitions`: topics of 500 partitions, a record in each; a start ends when every partition has its leader.',
  '- `large-batches`: a client that costs next to nothing sends prepared batches of 256 KiB, acks=1, five in flight, to one partition.',
  '- `recovery` (Faultline alone): from the start of a broker after kill -9 to its last record read, with a log of 1, 10 and 100 GB and 0 to 256 MB above the recovery point. The old part are sparse segments of one batch of zeros each; the part above the recovery point are real batches of 64 KiB.',
  '- `compaction`: one client sends small records one after the other, with 2 ms in between, acks=all; first while nothing else happens, then from the moment on when another topic of that broker, 256 MB of 20,000 keys in segments of 16 MB, is altered to cleanup.policy=compact, until the cleaner’s checkpoint names it (log.cleaner.backoff.ms=100).',
]

function row(figure: Figure): string[] {
  return [
    figure.case,
    figure.name,
    amount(figure.ours, figure.unit),
    amount(figure.kafka, figure.unit),
    ratio(figure.ratio),
    target(figure),
    figure.verdict === 'report' ? '' : figure.verdict,
  ]
}

function target(figure: Figure): string {
  if (figure.least !== undefined) return `≥ ${figure.least} (Faultline)`
  return figure.target === undefined ? '' : `${figure.better === 'lower' ? '≤' : '≥'} ${figure.target}`
}

function ratio(value: number | undefined): string {
  return value === undefined ? '' : significant(value)
}

function amount(value: number | undefined, unit: string): string {
  return value === undefined ? '' : `${significant(value)} ${unit}`.trimEnd()
}

/** Three digits that mean something; whole numbers above a hundred, with separators. */
function significant(value: number): string {
  if (value === 0) return '0'
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US')
  return value.toPrecision(3)
}
