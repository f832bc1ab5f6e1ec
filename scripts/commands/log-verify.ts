/** `log verify`: names what is damaged, with file, byte and offset. */
import { resolve } from 'node:path'
import { nodeDisk } from '#broker/environment/node/disk.ts'
import { exitCodes } from '../errors.ts'
import { problemText } from '../log-files/problems.ts'
import { verifyPlace } from '../log-files/verify-place.ts'
import type { Verification } from '../log-files/verify-place.ts'
import { paint } from '../output.ts'
import type { CommonOptions } from './options.ts'
import type { Session } from './session.ts'

export function verify(path: string, options: CommonOptions & { readonly records?: boolean }, session: Session): void {
  const verified = verifyPlace(nodeDisk, resolve(path), {
    records: options.records === true,
    progress: session.output.progress,
  })
  if (verified.isDamaged) session.exitCode = exitCodes.failed
  session.output.result(documentOf(verified), () => textOf(verified))
}

export function documentOf({ partitions, problems, isDamaged }: Verification) {
  return {
    isDamaged,
    partitions: partitions.map(({ directory, log }) => ({
      path: directory.path,
      topic: directory.partition.topic,
      partition: directory.partition.partition,
      segments: directory.baseOffsets.length,
      logStartOffset: log.logStartOffset,
      logEndOffset: log.logEndOffset,
      batches: log.batches,
      records: log.records,
      bytes: log.bytes,
    })),
    problems: problems.map(({ severity, path, position, offset, message }) => ({
      severity,
      path,
      position,
      offset,
      message,
    })),
  }
}

export function textOf({ partitions, problems, isDamaged }: Verification): string {
  const lines = problems.map(problem =>
    problem.severity === 'damage' ? paint.red(problemText(problem)) : problemText(problem),
  )
  const sum = (of: (log: (typeof partitions)[number]['log']) => number) =>
    partitions.reduce((total, { log }) => total + of(log), 0)
  const damages = problems.filter(({ severity }) => severity === 'damage').length
  lines.push(
    `${partitions.length} ${partitions.length === 1 ? 'log' : 'logs'}, ${sum(log => log.batches)} batches, ${sum(log => log.records)} records, ${sum(log => log.bytes)} bytes read: ` +
      (isDamaged ? paint.red(`${damages} damaged`) : paint.green('undamaged')),
  )
  return lines.join('\n')
}
