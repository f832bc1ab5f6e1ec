/**
 * How long all checks together take to judge a large history: seconds on the clock and of the processor. The history is the reference model's, with lost answers, failures, holes and the logs of three replicas; it is valid, so nothing ends early.
 *
 *   node bench/checkers.ts [--steps 820000] [--seed 1]
 */
import { parseArgs } from 'node:util'
import { check, everyCheck } from '#scripts/checkers/check.ts'
import { isRecordOperation, pollsOf } from '#scripts/history/operation.ts'
import { generate } from '#tests/scripts/checkers/model.ts'

const { values: args } = parseArgs({
  options: { steps: { type: 'string', default: '820000' }, seed: { type: 'string', default: '1' } },
})

const history = generate({
  seed: Number(args.seed),
  partitions: 8,
  producers: 6,
  consumers: 4,
  steps: Number(args.steps),
  lostResponses: 2,
  failures: 3,
  holeEvery: 20,
  replicaLogs: true,
})
let operations = 0
let polled = 0
for (const entry of history) {
  if (!isRecordOperation(entry)) continue
  if (entry.type === 'invoke') operations++
  else for (const { records } of pollsOf(entry)) polled += records.length
}
console.log(`${operations} operations in ${history.length} entries, ${polled} records polled`)
const beginMs = performance.now()
const used = process.cpuUsage()
const verdict = check(history, everyCheck)
const { user, system } = process.cpuUsage(used)
const wallSeconds = ((performance.now() - beginMs) / 1000).toFixed(1)
console.log(
  `${everyCheck.length} checks: ${String(verdict.valid)} after ${wallSeconds} s, ${((user + system) / 1e6).toFixed(1)} s of processor time`,
)
for (const { name, valid } of verdict.results) if (valid !== true) console.log(`  ${name}: ${valid}`)
