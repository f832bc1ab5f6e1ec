/** All pages of docs/lessons by their file names. In a checkout: the beginnings of the labs' files are read from their sources. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot } from '../../cluster/state.ts'
import { listLabs, loadLab } from '../load.ts'
import { parseHeader } from './header.ts'
import { indexPage, lessonPage } from './page.ts'

export const lessonsFolder = join(projectRoot, 'docs', 'lessons')

export async function lessonPages(): Promise<ReadonlyMap<string, string>> {
  const labs = await Promise.all((await listLabs()).map(({ name }) => loadLab(name)))
  const pages = labs.map(lab => {
    const source = readFileSync(join(projectRoot, 'labs', `${lab.name}.ts`), 'utf8')
    return [`${lab.name}.md`, lessonPage(lab, parseHeader(source), labs)] as const
  })
  return new Map([['README.md', indexPage(labs)], ...pages])
}
