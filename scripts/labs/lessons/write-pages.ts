/** `make docs`: writes docs/lessons from the labs, and removes the page of a lab that is gone. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { lessonPages, lessonsFolder } from './lessons.ts'

const pages = await lessonPages()
mkdirSync(lessonsFolder, { recursive: true })
for (const file of readdirSync(lessonsFolder)) if (!pages.has(file)) rmSync(join(lessonsFolder, file))
for (const [file, text] of pages) writeFileSync(join(lessonsFolder, file), text)
