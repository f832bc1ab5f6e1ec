/** Reads a V8 CPU profile: the time spent in each function itself, without what it calls. Idle time is left out. Pure. */

export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  }[]
  /** Microseconds of the monotonic clock of the system. */
  readonly startTime: number
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

export interface SelfTime {
  readonly name: string
  readonly place: string
  /** Of the time that was not idle. */
  readonly percent: number
}

/** Functions by self time between two moments of the profile's clock, the heaviest first; places are shown below `root`. */
export function selfTimes(profile: CpuProfile, root: string, fromUs = 0, toUs = Infinity): SelfTime[] {
  const frames = new Map(profile.nodes.map(node => [node.id, node.callFrame]))
  const times = new Map<string, { name: string; place: string; time: number }>()
  let busy = 0
  let nowUs = profile.startTime
  for (const [index, id] of profile.samples.entries()) {
    const frame = frames.get(id)
    const time = profile.timeDeltas[index] ?? 0
    nowUs += time
    if (nowUs < fromUs || nowUs > toUs) continue
    if (frame === undefined || frame.functionName === '(idle)') continue
    busy += time
    const file = frame.url.replace('file://', '').replace(`${root}/`, '')
    const place = file === '' ? '' : `${file}:${frame.lineNumber + 1}`
    const name = frame.functionName === '' ? '(anonymous)' : frame.functionName
    const key = `${name} ${place}`
    const entry = times.get(key)
    if (entry === undefined) times.set(key, { name, place, time })
    else entry.time += time
  }
  return [...times.values()]
    .toSorted((a, b) => b.time - a.time)
    .map(({ name, place, time }) => ({ name, place, percent: busy === 0 ? 0 : (time * 100) / busy }))
}
