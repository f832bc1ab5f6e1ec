/** `down`: takes a cluster away, whatever state an earlier command left it in. */
import { existsSync } from 'node:fs'
import { salvage } from '../cluster/salvage.ts'
import {
  clusterNames,
  DamagedFile,
  readRecord,
  removeState,
  requireOwnState,
  stateDirectory,
} from '../cluster/state.ts'
import { runtimeByName } from '../cluster/runtimes.ts'
import { findCluster } from '../cluster/lifecycle.ts'
import { conditionOf } from '../cluster/process/liveness.ts'
import { faultRecords } from '../faults/records.ts'
import { endRecordedFault } from '../faults/restart-loop.ts'
import { exitCodes, failure, messageOf, refusedBySystem, ToolkitError } from '../errors.ts'
import type { CommonOptions } from './options.ts'
import type { Session } from './session.ts'

interface DownOptions extends CommonOptions {
  readonly keepData?: boolean
  readonly all?: boolean
}

export async function down(options: DownOptions, session: Session): Promise<void> {
  const keepData = options.keepData === true
  if (options.all === true) return await downAll(keepData, session)
  const gone = await takeDownOrSalvage(options.name, keepData, session)
  session.output.result(gone, () => textOf(gone))
}

interface Gone {
  readonly name: string
  readonly dataKept: boolean
}

/** One that cannot be taken down is no reason to leave the others. */
async function downAll(keepData: boolean, session: Session): Promise<void> {
  const gone: Gone[] = []
  const stay: { readonly name: string; readonly error: unknown }[] = []
  for (const name of clusterNames()) {
    try {
      gone.push(await takeDownOrSalvage(name, keepData, session))
    } catch (error) {
      stay.push({ name, error: refusedBySystem(error) ?? error })
    }
  }
  const text = () => (gone.length === 0 ? 'There is no cluster.' : gone.map(textOf).join('\n'))
  const [first, ...others] = stay
  if (first === undefined) return session.output.result(gone, text)
  if (gone.length > 0) session.output.note(text())
  for (const { name, error } of others) session.output.note(`${name} is not down: ${messageOf(error)}`)
  const { exitCode, remedy } =
    first.error instanceof ToolkitError ? first.error : { exitCode: exitCodes.failed, remedy: undefined }
  const names = stay.map(({ name }) => name).join(', ')
  throw new ToolkitError(exitCode, `Not down: ${names}. ${first.name}: ${messageOf(first.error)}`, {
    remedy,
    cause: first.error,
  })
}

function textOf({ name, dataKept }: Gone): string {
  return `${name} is down${dataKept ? `; its data is kept, ./faultline up --name ${name} continues it` : ''}.`
}

/** What cannot be read is no reason to leave the rest running. */
async function takeDownOrSalvage(name: string, keepData: boolean, session: Session): Promise<Gone> {
  try {
    return await takeDown(name, keepData, session)
  } catch (error) {
    if (!(error instanceof DamagedFile) || keepData) throw error
    session.output.note(error.message)
    const ended = await salvage(name)
    session.output.note(
      `${ended.length === 0 ? 'No process' : `The processes ${ended.join(', ')}`} of ${name} could be found by what they were started with${ended.length === 0 ? '' : ', and were ended'}; ${stateDirectory(name)} is removed. Data that --data has put elsewhere stays.`,
    )
    return { name, dataKept: false }
  }
}

async function takeDown(name: string, keepData: boolean, session: Session): Promise<Gone> {
  if (readRecord(name) === undefined && existsSync(stateDirectory(name))) {
    requireOwnState(name)
    session.output.note(`${stateDirectory(name)} holds no cluster: removing what an interrupted command left.`)
    removeState(name)
    return { name, dataKept: false }
  }
  const record = findCluster(name)
  if (record.phase === 'starting') {
    if ((await conditionOf(record.owner)) !== 'gone' && record.owner.pid !== process.pid) {
      throw failure(
        `The cluster ${name} is just being started by process ${record.owner.pid}.`,
        'Wait for it, or end that command first.',
      )
    }
    session.output.note(`An earlier "up" of ${name} was cut off: cleaning up after it.`)
  }
  session.output.progress(`Stopping ${name}`)
  // What kills and starts nodes by itself would bring them back.
  for (const { id } of faultRecords(name)) await endRecordedFault(name, id)
  const cluster = await (await runtimeByName(record.spec.runtime)).attach(name)
  await cluster.down({ keepData })
  return { name, dataKept: keepData }
}
