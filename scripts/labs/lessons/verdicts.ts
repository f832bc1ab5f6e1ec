/** Where the variants of a lab can run, and what must come out there. */
import { capabilitiesOf, type Capability, type Engine } from '../../cluster/cluster.ts'
import { composeRuntimeCapabilities } from '../../cluster/compose/compose-cluster.ts'
import { processRuntimeCapabilities } from '../../cluster/process/process-cluster.ts'
import { simulatedCapabilities } from '../../cluster/simulated/simulated-cluster.ts'
import { lackInContainers } from '../ability.ts'
import { expectationOn, type Expectation, type Lab, type Variant } from '../lab.ts'

export interface Place {
  readonly words: string
  readonly engine: Engine
  readonly isContainers?: true
  readonly capabilities: ReadonlySet<Capability>
}

const onProcesses = { capabilities: processRuntimeCapabilities }
const inContainers = { capabilities: composeRuntimeCapabilities }

export const places: readonly Place[] = [
  { words: 'the simulator', engine: 'faultline', capabilities: simulatedCapabilities },
  { words: 'processes', engine: 'faultline', capabilities: capabilitiesOf(onProcesses, 'faultline') },
  {
    words: 'processes of Apache Kafka',
    engine: 'apache-kafka',
    capabilities: capabilitiesOf(onProcesses, 'apache-kafka'),
  },
  {
    words: 'containers of Apache Kafka',
    engine: 'apache-kafka',
    isContainers: true,
    capabilities: capabilitiesOf(inContainers, 'apache-kafka'),
  },
]

/** What a place lacks for a variant; empty: nothing. */
export function lackingAt({ capabilities, isContainers }: Place, lab: Lab, variant?: Variant): string[] {
  const shape = isContainers === true ? lackInContainers(lab) : undefined
  return [
    ...[...lab.needs, ...(variant?.needs ?? [])].filter(each => !capabilities.has(each)),
    ...(shape === undefined ? [] : [shape]),
  ]
}

/** An engine, or a release of it that differs: `apache-kafka@4.3`. */
interface Column {
  readonly words: string
  readonly engine: Engine
  readonly version?: string
}

/** One column for each engine, and one for each release of which something else is expected. */
export function columnsOf({ variants }: Lab): Column[] {
  const versions = variants.flatMap(({ expectOn }) =>
    Object.keys(expectOn ?? {}).flatMap(key => /^apache-kafka@(.+)$/.exec(key)?.[1] ?? []),
  )
  const byNumber = (one: string, other: string) => one.localeCompare(other, 'en', { numeric: true })
  return [
    { words: 'Faultline', engine: 'faultline' },
    { words: 'Apache Kafka', engine: 'apache-kafka' },
    ...[...new Set(versions)]
      .toSorted(byNumber)
      .map(version => ({ words: `Apache Kafka ${version}`, engine: 'apache-kafka', version }) as const),
  ]
}

export function expectedText(lab: Lab, variant: Variant, { engine, version }: Column): string {
  const isSomewhere = places.some(place => place.engine === engine && lackingAt(place, lab, variant).length === 0)
  if (!isSomewhere) return 'left out'
  const expected: Expectation = expectationOn(variant, engine, version)
  return expected === 'valid' ? 'valid' : `found by ${expected.map(name => `\`${name}\``).join(' or ')}`
}
