/** `make docs`: writes docs/lessons from the labs, and removes the page of a lab that is gone. */
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeFolder } from '#broker/environment/node/make-folder.ts'
import { lessonPages, lessonsFolder } from './lessons.ts'

const pages = await lessonPages()
makeFolder(lessonsFolder)
for (const file of readdirSync(lessonsFolder)) if (!pages.has(file)) rmSync(join(lessonsFolder, file))
for (const [file, text] of pages) writeFileSync(join(lessonsFolder, file), text)
