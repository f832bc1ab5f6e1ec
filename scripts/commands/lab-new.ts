/** `lab new`: a lab of one's own, in a file that runs as it is. */
import { relative } from 'node:path'
import { installation } from '../installation/here.ts'
import { writeNewLab } from '../labs/template.ts'
import type { CommonOptions } from './options.ts'
import type { Session } from './session.ts'

export function makeNewLab(target: string, _: CommonOptions, session: Session): void {
  const { file, name } = writeNewLab(target)
  const near = relative(process.cwd(), file)
  const path = near.startsWith('..') ? file : `./${near}`
  const commands = [
    `${installation.command} lab run ${path} --runtime simulated`,
    `${installation.command} lab run --watch ${path} --runtime simulated`,
  ]
  session.output.result({ name, file }, () => `${path} is a lab that runs as it is:\n  ${commands.join('\n  ')}`)
}
