/** What a definition of a lab must not say: fields that there are not, and values that cannot be meant. TypeScript would say so, and is not asked when a lab is loaded. */
import { capabilities } from '../cluster/cluster.ts'
import { appendDefaults } from '../workload/append.ts'
import type { Lab, Topology, Variant } from './lab.ts'

const labFields: Readonly<Record<keyof Lab, true>> = {
  name: true,
  chapter: true,
  difficulty: true,
  lesson: true,
  exercises: true,
  summary: true,
  question: true,
  prediction: true,
  topology: true,
  needs: true,
  variants: true,
  watch: true,
  explanation: true,
  reading: true,
}

const variantFields: Readonly<Record<keyof Variant, true>> = {
  name: true,
  summary: true,
  role: true,
  needs: true,
  workload: true,
  script: true,
  checks: true,
  expect: true,
  mustHold: true,
  removesRecords: true,
  expectOn: true,
}

const topologyFields: Readonly<Record<keyof Topology, true>> = {
  brokers: true,
  controllers: true,
  settings: true,
  nodes: true,
  logDirs: true,
}

/** It names files and topics: `lab-NAME`, `NAME.history.jsonl`. */
const variantName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/

/** The first thing that is wrong, with the field that it is in; undefined: nothing. */
export function problemOfFields(lab: Lab): string | undefined {
  const { topology, needs, variants } = lab
  return (
    unknownField('', lab, labFields) ??
    unknownField('topology.', topology, topologyFields) ??
    noCount('topology.brokers', topology.brokers, 1) ??
    noCount('topology.controllers', topology.controllers, 0) ??
    unknownNeed('needs', needs) ??
    variants.map(problemOfVariant).find(problem => problem !== undefined)
  )
}

function problemOfVariant(variant: Variant, index: number): string | undefined {
  const { name, needs = [], workload, script } = variant
  const field = `variants[${index}]`
  if (typeof name !== 'string' || !variantName.test(name))
    return `${field}.name: expected letters, digits, dots, dashes and underscores, got ${JSON.stringify(name)}`
  const inVariant = `variant ${name}, `
  if (typeof script !== 'function') return `${inVariant}script: expected a function, got ${typeof script}`
  return (
    unknownField(inVariant, variant, variantFields) ??
    unknownNeed(`${inVariant}needs`, needs) ??
    (typeof workload === 'function' ? undefined : problemOfWorkload(`${inVariant}workload.`, workload))
  )
}

function problemOfWorkload(where: string, workload: object): string | undefined {
  const unknown = unknownField(where, workload, appendDefaults)
  if (unknown !== undefined) return unknown
  for (const [name, value] of Object.entries(workload)) {
    const wanted = typeof appendDefaults[name as keyof typeof appendDefaults]
    if (typeof value !== wanted) return `${where}${name}: expected a ${wanted}, got ${JSON.stringify(value)}`
  }
  return undefined
}

function unknownField(where: string, given: object, known: object): string | undefined {
  const unknown = Object.keys(given).find(name => !Object.hasOwn(known, name))
  if (unknown === undefined) return undefined
  return `${where}${unknown}: there is no such field; expected one of ${Object.keys(known).join(', ')}`
}

function unknownNeed(where: string, needs: readonly string[]): string | undefined {
  const known: readonly string[] = capabilities
  const unknown = needs.find(need => !known.includes(need))
  if (unknown === undefined) return undefined
  return `${where}: there is no ${JSON.stringify(unknown)}; expected ${capabilities.join(', ')}`
}

function noCount(field: string, value: unknown, min: number): string | undefined {
  if (Number.isInteger(value) && (value as number) >= min) return undefined
  return `${field}: expected a whole number of ${min} or more, got ${JSON.stringify(value)}`
}
