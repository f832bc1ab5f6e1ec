import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { projectRoot } from '#scripts/cluster/state.ts'
import { loadLab } from '#scripts/labs/load.ts'
import { drawLab } from '#scripts/labs/random/random-lab.ts'
import { labFile } from '#scripts/labs/random/write-lab.ts'
import { heldInLosses } from '#scripts/labs/scripts.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'faultline-write-lab-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const safe = { ...drawLab(1), acks: -1, idempotent: true, minInsync: 2, unclean: false } as const

test.each([
  ['a finding that its settings do not promise against', 'documented', { ...safe, acks: 1 } as const, 'main-as-found'],
  ['a broken promise', 'undocumented', safe, 'acks-1'],
])(
  'a lab that is written for %s has a control that nothing but a loss makes caught',
  async (_, name, drawn, control) => {
    const file = path.join(folder, `${name}.ts`)
    // As of this installation, which the test runner does not know by the name that labs have for it.
    const module = pathToFileURL(path.join(projectRoot, 'scripts/library/lab.ts')).href
    writeFileSync(file, labFile(drawn, 'lost-write', name).replace('faultline/lab', module))
    const { variants } = await loadLab(file)
    const held = variants.map(({ name, role, mustHold }) => ({ name, role, mustHold }))
    expect(held).toContainEqual({ name: control, role: 'control', mustHold: heldInLosses })
    expect(held.filter(({ role }) => role === 'main')).toMatchObject([{ mustHold: undefined }])
  },
)
