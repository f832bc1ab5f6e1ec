/**
 * The file `quorum-state`: epoch, leader and vote, in Kafka's JSON form (QuorumStateData version 0, for static voters; version 1 is read).
 * It is fsynced before anything that relies on it leaves the node; a vote that could be forgotten would be two votes.
 * Source: KIP-595 "Quorum State"; schema QuorumStateData.
 */
import type { Disk } from '../environment/environment.ts'
import { LogDirectoryError } from '../log/meta-properties.ts'
import { parentOf, readFile, replaceFile } from '../log/small-files.ts'
import type { HardState } from './ready.ts'

export const quorumStateFileName = 'quorum-state'

interface QuorumStateJson {
  readonly data_version: number
  readonly leaderId: number
  readonly leaderEpoch: number
  readonly votedId: number
}

export class QuorumStateFile {
  private readonly disk: Disk
  private readonly path: string
  private readonly voters: readonly number[]
  /** The directory itself may be new, and its name not durable: with it a vote would be lost. */
  private directoryIsDurable = false

  constructor(disk: Disk, directory: string, voters: readonly number[]) {
    this.disk = disk
    this.path = `${directory}/${quorumStateFileName}`
    this.voters = voters
  }

  /** Undefined when the node never took part. Throws when the file is damaged: guessing an epoch could break a promise. */
  read(): HardState | undefined {
    const content = readFile(this.disk, this.path)
    if (content === undefined) return undefined
    const state = parse(content.toString('utf8'))
    if (state === undefined) {
      throw new LogDirectoryError(
        `${this.path}: expected one line of JSON with data_version 0 or 1, leaderId, leaderEpoch and votedId; restore the file, ` +
          'or start this node with an empty metadata log directory if the other voters are healthy',
      )
    }
    return {
      epoch: state.leaderEpoch,
      leaderId: state.leaderId < 0 ? undefined : state.leaderId,
      votedId: state.votedId < 0 ? undefined : state.votedId,
    }
  }

  /** Returns once the state is durable. */
  write(state: HardState): void {
    const json = {
      clusterId: '',
      leaderId: state.leaderId ?? -1,
      leaderEpoch: state.epoch,
      votedId: state.votedId ?? -1,
      appliedOffset: 0,
      currentVoters: this.voters.map(voterId => ({ voterId })),
      data_version: 0,
    }
    replaceFile(this.disk, this.path, JSON.stringify(json), { durable: true })
    if (this.directoryIsDurable) return
    this.disk.syncDirectory(parentOf(parentOf(this.path)))
    this.directoryIsDurable = true
  }
}

function parse(text: string): QuorumStateJson | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  const state = value as Partial<QuorumStateJson> | null
  const numbers = [state?.data_version, state?.leaderId, state?.leaderEpoch, state?.votedId]
  if (!numbers.every(Number.isSafeInteger)) return undefined
  const version = state?.data_version
  return version === 0 || version === 1 ? (state as QuorumStateJson) : undefined
}
