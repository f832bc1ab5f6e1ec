/** `fault add`, `list`, `heal`, `release`: the catalogue of faults and the ones at work, through the command line. */
import type { Cluster } from '../cluster/cluster.ts'
import { attachCluster, runtimeByName } from '../cluster/runtimes.ts'
import { LeftAsItIs, usageError } from '../errors.ts'
import { activeFaults, healFaults as heal } from '../faults/active.ts'
import { takeBack } from '../faults/take-back.ts'
import { faultKind, faultKinds } from '../faults/catalogue.ts'
import type { ActiveFault, AppliedFault, FaultKind, FaultProof } from '../faults/kind.ts'
import { unlessAborted } from '../labs/interruptible.ts'
import { requireLinks } from '../faults/link-kinds.ts'
import { describePlaces, places, type LackAt } from '../faults/matrix.ts'
import { durationMs } from '../faults/schedule-file.ts'
import { after, every, whenObserved, type Trigger } from '../faults/schedule.ts'
import type { Observation } from '../observe/model.ts'
import type { Parameters } from '../proxy/parameters.ts'
import { table } from './describe.ts'
import { carryOut } from './fault-run.ts'
import { parseLinks, parseWords, type LinkWords } from './fault-words.ts'
import type { CommonOptions } from './options.ts'
import { resolveNodesFor } from './options.ts'
import type { Session } from './session.ts'

interface AddOptions extends CommonOptions, LinkWords {
  /** False: do not look whether it took effect. */
  readonly proof?: boolean
  readonly at?: string
  readonly repeat?: string
  readonly lasts?: string
  /** Conditions; a kind may have a parameter of that name, too, and its values are told apart. */
  readonly when?: readonly string[]
  readonly within?: string
}

export async function addFault(
  kindName: string,
  words: readonly string[],
  options: AddOptions,
  session: Session,
): Promise<void> {
  const kind = faultKind(kindName)
  const { nodes: names, parameters: others } = parseWords(kind, words)
  const { conditions, parameters } = tellApart(kind, options.when ?? [], others)
  const cluster = await attachCluster(options.name)
  const { output } = session
  const links = await unlessAborted(parseLinks(kind, options, cluster), session.signal)
  const resolved = async (_?: Cluster, seen?: Observation): Promise<readonly number[]> =>
    kind.targets === 'nodes'
      ? await resolveNodesFor(kind.verb ?? 'break', cluster, names, {
          note: message => output.note(message),
          called: kind.name,
          seen,
        })
      : []
  const isTimed = [options.at, options.repeat, options.lasts, options.within, conditions[0]].some(
    each => each !== undefined,
  )
  if (isTimed) {
    const { strangerAmong } = await import('../faults/targets.ts')
    const stranger = await strangerAmong(cluster, names)
    if (stranger !== undefined) throw usageError(`${stranger.charAt(0).toUpperCase()}${stranger.slice(1)}.`)
    const { trigger, times, forMs } = await occasions({ ...options, when: conditions }, names, cluster)
    const order = { kind: kind.name, nodes: resolved, parameters, proof: options.proof !== false, times }
    const fault = { ...order, trigger, ...(links && { links }), ...(forMs !== undefined && { forMs }) }
    return await carryOut(cluster, [fault], session)
  }
  const nodes = await unlessAborted(resolved(), session.signal)
  output.progress(kind.targets === 'links' ? 'Probing the links' : `${kind.name}: node ${nodes.join(', ')}`)
  const { signal } = session
  signal.throwIfAborted()
  const applied = await kind.apply({ cluster, nodes, links, parameters, proof: options.proof !== false, signal })
  if (signal.aborted && kind.isMomentary === true)
    throw new LeftAsItIs(applied.map(({ summary }) => summary).join('; '), signal.reason)
  if (signal.aborted) throw await takeBack(cluster, applied, signal.reason)
  if (kind.targets === 'links') {
    const [fault] = applied
    output.result(fault, () => (fault === undefined ? '' : appliedLines(fault).join('\n')))
    return
  }
  const faults = withProofs(await activeFaults(cluster), applied)
  const text = await faultTable(faults)
  output.result(faults, () => [...applied.flatMap(appliedLines), '', text].join('\n'))
}

/** `crash-at` has a `--when before` of its own. */
function tellApart(
  kind: FaultKind,
  given: readonly string[],
  others: Parameters,
): { readonly conditions: readonly string[]; readonly parameters: Parameters } {
  const own = kind.parameters.find(({ name }) => name === 'when')
  const isOwn = (text: string) => own?.type === 'choice' && own.choices.includes(text)
  const parameters = given.filter(isOwn).map(text => ['when', text])
  return {
    conditions: given.filter(text => !isOwn(text)),
    parameters: { ...others, ...(Object.fromEntries(parameters) as Parameters) },
  }
}

/** Of `--at`, `--repeat`, `--when` and `--lasts`. */
async function occasions(
  { at, repeat, lasts, when = [], within }: AddOptions,
  names: readonly string[],
  cluster: Cluster,
) {
  const { clock } = cluster
  const [condition, ...more] = when
  const given = Object.entries({ at, repeat, when: condition }).flatMap(([name, text]) =>
    text === undefined ? [] : [`--${name}`],
  )
  if (given.length > 1)
    throw usageError(
      `${given.join(' and ')} cannot be meant together.`,
      './faultline fault run carries out a whole schedule.',
    )
  if (more.length > 0)
    throw usageError('--when is there more than once.', 'One condition of several: --when \'{"every": [{…}, {…}]}\'')
  if (within !== undefined && condition === undefined) throw usageError('--within is about --when, which is not there.')
  const time = (option: string, text: string): number =>
    durationMs(text, problem => {
      throw usageError(`${option}: ${problem}.`)
    })
  const trigger = async (): Promise<Trigger> => {
    if (repeat !== undefined) return every(clock, time('--repeat', repeat))
    if (condition === undefined) return after(clock, at === undefined ? 0 : time('--at', at))
    const [{ predicateFromText }, { watchOfRoles }] = await Promise.all([
      import('../observe/predicate-form.ts'),
      import('../observe/roles.ts'),
    ])
    return whenObserved(cluster, predicateFromText(condition, '--when'), {
      watch: watchOfRoles(names),
      ...(within === undefined ? {} : { withinMs: time('--within', within) }),
    })
  }
  const isUntilTold = at !== undefined || condition !== undefined
  return {
    trigger: await trigger(),
    times: repeat === undefined ? 1 : Infinity,
    forMs: lasts !== undefined ? time('--lasts', lasts) : isUntilTold ? Infinity : undefined,
  }
}

/** Those at work, with the proofs of the ones that were just added; what is over already comes at the end. */
function withProofs(active: readonly ActiveFault[], applied: readonly AppliedFault[]): readonly ActiveFault[] {
  const proofsOf = (id: string) => applied.find(fault => fault.id === id)
  const over = applied.filter(({ id }) => !active.some(fault => fault.id === id))
  return [...active.map(fault => ({ ...fault, ...proofsOf(fault.id), ...fault })), ...over]
}

function appliedLines({ id, summary, proofs }: AppliedFault): string[] {
  return [`${id}: ${summary}`, ...proofs.map(proofLine)]
}

function proofLine({ link, node, shown, text }: FaultProof): string {
  return `${shown === undefined ? 'not proved' : 'proof'} ${link ?? `node ${node}`}: ${text}`
}

export async function listFaults(
  options: CommonOptions & { readonly kinds?: boolean },
  session: Session,
): Promise<void> {
  if (options.kinds !== true) return await show(await attachCluster(options.name), session)
  const lacks = await lacksHere()
  const kinds = faultKinds.map(kind => describeKind(kind, lacks))
  const text = await table(
    ['kind', 'of', 'what happens', 'healed', 'parameters', 'where'],
    kinds.map(({ name, targets, summary, heals, parameters, places }) => [
      name,
      targets,
      summary,
      heals,
      parameters.map(parameter => `--${parameter.name}`).join(' '),
      places
        .filter(({ possible }) => possible)
        .map(({ runtime, engine }) => `${runtime}/${engine}`)
        .join(' '),
    ]),
  )
  session.output.result(kinds, () => text)
}

/** Of the runtimes, that of processes alone may lack something for a part of what it can. */
async function lacksHere(): Promise<readonly LackAt[]> {
  const runtime = await runtimeByName('process')
  const found = await Promise.all(
    places
      .filter(place => place.runtime === runtime.name)
      .map(async place => ({ place, lack: await runtime.lacksHere?.(place.engine) })),
  )
  return found.flatMap(({ place, lack }) => (lack === undefined ? [] : [{ ...place, ...lack }]))
}

function describeKind(kind: FaultKind, lacks: readonly LackAt[]) {
  const { name, summary, heals, expect, targets, parameters, needs } = kind
  return { name, summary, needs, heals, expect, targets, parameters, places: describePlaces(kind, lacks) }
}

export async function healFaults(
  ids: readonly string[],
  options: CommonOptions & { readonly all?: boolean },
  session: Session,
): Promise<void> {
  if (ids.length === 0 && options.all !== true)
    throw usageError('Which fault?', `./faultline fault list --name ${options.name} names them; --all heals all.`)
  const cluster = await attachCluster(options.name)
  await reviveProxy(cluster, session)
  const left = await heal(cluster, options.all === true ? 'all' : ids)
  // With links broken, or nodes broken inside, a cluster may well not serve, which is not what healing another fault waits for.
  if (left.every(({ name }) => name === 'down' || name === 'pause')) {
    session.output.progress('Waiting until every broker serves')
    await cluster.waitReady()
  }
  await show(cluster, session)
}

/** Without its proxy no node of a cluster reaches another; a new one has no faults. */
async function reviveProxy(cluster: Cluster, session: Session): Promise<void> {
  if ((await cluster.links?.status())?.state !== 'dead') return
  session.output.note('The fault proxy had ended by itself; starting it again, without the faults that it had.')
  await cluster.links?.start()
}

export async function releaseFault(id: string, options: CommonOptions, session: Session): Promise<void> {
  const released = await requireLinks(await attachCluster(options.name)).release(id)
  session.output.result({ id, released }, () => `${released} released.`)
}

async function show(cluster: Cluster, session: Session): Promise<void> {
  const faults = await activeFaults(cluster)
  const text = await faultTable(faults)
  const status = await cluster.links?.status()
  if (status?.state === 'dead')
    session.output.note(`The fault proxy has ended by itself (${status.log}): no node reaches another one.`)
  session.output.result(faults, () => text)
}

async function faultTable(faults: readonly ActiveFault[]): Promise<string> {
  if (faults.length === 0) return 'No fault is at work.'
  return await table(
    ['id', 'what', 'hits'],
    faults.map(fault => [fault.id, fault.summary, countsText(fault)]),
  )
}

function countsText({ hits, held = 0, missed = 0 }: ActiveFault): string {
  if (hits === undefined) return ''
  const more = [...(held > 0 ? [`${held} held`] : []), ...(missed > 0 ? [`${missed} missed`] : [])]
  return [String(hits), ...more].join(', ')
}
