/** How far each replica's log had come, and the high watermark: one small chart per partition. A line that falls is a log that was cut. */
import { axis, chart, scaleOf } from './timeline-svg.ts'
import { escape, grouped } from './text.ts'
import type { PartitionLane, Timeline } from './timeline-model.ts'

const height = 150
const styles: ReadonlyMap<string, string> = new Map([
  ['high watermark', 'watermark'],
  ['last stable offset', 'stable'],
])

export function offsetsSvg(timeline: Timeline, partition: PartitionLane): string {
  const x = scaleOf(timeline.endMs)
  const most = Math.max(1, ...[...partition.offsets.values()].flatMap(points => points.map(([, offset]) => offset)))
  const y = (offset: number) => Math.round((height - 8 - (offset / most) * (height - 20)) * 10) / 10
  const series = [...partition.offsets].sort(
    ([a], [b]) => Number(a === 'high watermark') - Number(b === 'high watermark') || a.localeCompare(b),
  )
  const lines = series.map(([name, points]) => {
    const style = styles.get(name) ?? `replica r${(Number(name.slice('broker '.length)) - 1) % 5}`
    return pieces(points)
      .map(
        piece =>
          `<polyline class="${style}" points="${staircase(piece, x, y)}" data-tip="${escape(`${partition.name}, ${name}: ${piece.at(-1)?.[1]} at the end`)}"/>`,
      )
      .join('')
  })
  return `<svg class="offsets" viewBox="0 0 ${chart.width} ${height + 22}" role="img" aria-label="Offsets of ${escape(partition.name)}">
<text class="heading" x="0" y="16">${escape(partition.name.replace(/^lab-/, ''))}</text>
<text class="label" x="${chart.left - 10}" y="${y(most) + 4}" text-anchor="end">${grouped(most)}</text>
<text class="label" x="${chart.left - 10}" y="${y(0) + 4}" text-anchor="end">0</text>
${axis(timeline, x, 0, height)}
${lines.join('\n')}
</svg>`
}

type Points = readonly (readonly [timeMs: number, offset: number])[]

/** Splits where a broker said nothing for a while, so that no line is drawn through a time when it was down. */
function pieces(points: Points): Points[] {
  const found: (readonly [number, number])[][] = []
  let last = -Infinity
  for (const point of points) {
    if (point[0] - last > 2_500) found.push([])
    found.at(-1)?.push(point)
    last = point[0]
  }
  return found
}

function staircase(points: Points, x: (ms: number) => number, y: (offset: number) => number): string {
  const corners: string[] = []
  let previous: number | undefined
  for (const [ms, offset] of points) {
    const at = Math.round(x(ms) * 10) / 10
    if (previous !== undefined && previous !== offset) corners.push(`${at},${y(previous)}`)
    corners.push(`${at},${y(offset)}`)
    previous = offset
  }
  return corners.join(' ')
}
