/**
 * The order in which test files begin: the long ones first. With two files at a time, a long one that begins last is waited for alone, and a
 * machine that never ran them knows nothing but how large they are.
 */
import path from 'node:path'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * From the longest on; what is not named takes less than half a minute. The streams stand before the interchange because they wait while
 * franz-go computes: one of its tests has four minutes and not more.
 */
const longest = [
  ...[
    'labs',
    'kafka-compose',
    'kafka-inside',
    'toolkit-compose',
    'engine-versions',
    'mixed-versions',
    'compose-files',
    'node-faults',
    'upgrades',
    'upgrades-compose',
    'toolkit-process',
    'package',
    'packet-faults',
    'toolkit-security',
    'observe',
    'fault-proxy',
    'faults-compose',
    'compose-cleanup',
    'library',
  ],
  ...['franz-go', 'streams-groups', 'interchange', 'share-consumer', 'streams'],
]

function rank({ moduleId }: TestSpecification): number {
  const place = longest.indexOf(path.basename(moduleId, '.test.ts'))
  return place < 0 ? longest.length : place
}

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // Stable: within a rank it stays as vitest has it.
    return (await super.sort(files)).sort((one, other) => rank(one) - rank(other))
  }
}
