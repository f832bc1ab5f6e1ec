/**
 * The rules about names that are taken: one cluster per name, leftovers of a command that died are explained and not guessed at, kept
 * data is continued. The same for every runtime with a state directory.
 */
import { failure, usageError } from '../errors.ts'
import { brokerIds, nodeIds, type ClusterSpec } from './cluster.ts'
import { engineOf, engineText } from './engine-name.ts'
import { conditionOf, identify } from './process/liveness.ts'
import { claimBasePort, releasePorts } from './ports.ts'
import type { ProcessHandle } from './process/liveness.ts'
import type { ClusterRecord } from './state.ts'
import {
  claimName,
  clusterNames,
  logDirectories,
  readRecord,
  requireOwnState,
  stateDirectory,
  stateHome,
} from './state.ts'

/** Takes ports for a cluster that names none, and its name. When the name cannot be had the ports are given back. */
export async function claimUp(
  request: ClusterSpec,
): Promise<{ readonly spec: ClusterSpec; readonly existing: ClusterRecord | undefined }> {
  const spec = request.port === 0 ? { ...request, port: await claimBasePort(request) } : request
  try {
    return { spec, existing: await beginUp(spec) }
  } catch (error) {
    if (request.port === 0) releasePorts(spec.port)
    throw error
  }
}

/**
 * Takes the name for a new cluster.
 *
 * @returns the record of a cluster that was put down with its data kept, which is then continued; undefined for a new one
 */
export async function beginUp(spec: ClusterSpec): Promise<ClusterRecord | undefined> {
  if (claimName(spec.name)) return undefined
  const record = readRecord(spec.name)
  const down = `./faultline down --name ${spec.name}`
  if (record === undefined) {
    requireOwnState(spec.name)
    throw failure(
      `${stateDirectory(spec.name)} is there but holds no cluster: another command is just beginning, or was cut off.`,
      `Try again; if it stays, ${down} removes it.`,
    )
  }
  if (record.phase === 'up') {
    // A lab picks its ports itself and knows no --port.
    const second = `another name starts a second one: --name ${spec.name}-2 (and with up: --port ${record.spec.port + 1_000})`
    throw failure(
      `A cluster named ${spec.name} is up already (or its processes died; ./faultline status --name ${spec.name} tells).`,
      `${down} takes it away; ${second}`,
    )
  }
  if (record.phase === 'starting') {
    const alive = (await conditionOf(record.owner)) !== 'gone'
    if (alive)
      throw failure(
        `Another command (process ${record.owner.pid}) is just starting the cluster ${spec.name}.`,
        'Wait for it, or use another --name.',
      )
    throw failure(
      `An earlier "up" of ${spec.name} was cut off and left things behind in ${stateDirectory(spec.name)}.`,
      `${down} cleans up, then try again.`,
    )
  }
  requireSameShape(record.spec, spec)
  return record
}

function requireSameShape(kept: ClusterSpec, wanted: ClusterSpec): void {
  if (
    kept.brokers === wanted.brokers &&
    brokerIds(kept).length === brokerIds(wanted).length &&
    kept.controllers === wanted.controllers &&
    kept.runtime === wanted.runtime &&
    engineText(kept) === engineText(wanted) &&
    nodeIds(wanted).every(id => engineText(engineOf(kept, id)) === engineText(engineOf(wanted, id))) &&
    kept.security === wanted.security &&
    kept.proxy === wanted.proxy &&
    kept.faults === wanted.faults &&
    nodeIds(wanted).every(id => logDirectories(kept, id).length === logDirectories(wanted, id).length) &&
    kept.dataDir === wanted.dataDir
  )
    return
  const options = `--runtime ${kept.runtime} --engine ${engineText(kept)} --brokers ${brokerIds(kept).length} --controllers ${kept.controllers}${kept.dataDir === undefined ? '' : ` --data ${kept.dataDir}`} --security ${kept.security ?? 'none'}${kept.proxy === true ? ' --proxy' : ''}${kept.faults === true ? ' --faults' : ''}`
  throw usageError(
    `The cluster ${kept.name} is down with its data kept, and has another shape: ${options}.`,
    `./faultline up --name ${kept.name} continues it as it was; or drop its data with ./faultline down --name ${kept.name}.`,
  )
}

/** The record of an existing cluster; refuses with the names that there are. */
export function findCluster(name: string): ClusterRecord {
  const record = readRecord(name)
  if (record !== undefined) return record
  const others = clusterNames()
  throw failure(
    `There is no cluster named ${name} in ${stateHome()}.`,
    others.length === 0
      ? `./faultline up --name ${name} starts one.`
      : `There is: ${others.join(', ')}. Say which with --name.`,
  )
}

/** This command, so that another one can tell whether it is still at work. */
export async function ownProcess(): Promise<ProcessHandle> {
  const handle = await identify(process.pid)
  if (handle === undefined) throw new Error(`process ${process.pid} does not find itself`)
  return handle
}
