/** Contenders for one lock, stepped through in every order that the property test thinks of, some of them killed on the way. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { releaseClaim, takeSteps, type LockFiles } from '#broker/environment/node/lock-row.ts'

const path = 'lock'

function filesOf(content: Map<string, string>): LockFiles {
  return {
    read: file => content.get(file),
    create: (file, text) => {
      if (content.has(file)) return false
      content.set(file, text)
      return true
    },
    rename: (file, to) => {
      content.set(to, content.get(file) ?? expect.fail(`${file} is gone, which was to be renamed`))
      content.delete(file)
    },
    remove: file => content.delete(file),
  }
}

/** Comes for the lock again and again, each time as another one. */
class Contender {
  readonly #files: LockFiles
  readonly #name: string
  readonly #isGone: (text: string) => boolean
  #turns = 0
  #steps: Generator | undefined
  #answer = false
  text = ''
  isHolder = false

  constructor(name: string, files: LockFiles, isGone: (text: string) => boolean) {
    this.#name = name
    this.#files = files
    this.#isGone = isGone
  }

  begin(): void {
    this.text = `${this.#name}-${++this.#turns}`
    this.#steps = takeSteps(path, this.text, this.#files)
    this.#answer = false
  }

  step(): void {
    if (this.isHolder) {
      releaseClaim({ file: path, text: this.text }, this.#files)
      this.isHolder = false
      this.#steps = undefined
      return
    }
    if (this.#steps === undefined) this.begin()
    const { done, value } = this.#steps!.next(this.#answer) as IteratorResult<{ text: string } | undefined, boolean>
    if (done === true) {
      this.isHolder = value
      if (!value) this.#steps = undefined
    } else this.#answer = value !== undefined && this.#isGone(value.text)
  }

  /** What it was about to do is never done. */
  kill(): string {
    const { text } = this
    this.isHolder = false
    this.#steps = undefined
    return text
  }
}

const leftBehind = fc.constantFrom(undefined, '', 'killed long ago')
const schedule = fc.array(
  fc.record({ who: fc.nat(3), what: fc.constantFrom('step', 'step', 'step', 'step', 'step', 'step', 'kill') }),
  { minLength: 20, maxLength: 150, size: 'max' },
)

test('of any number of contenders one has the lock, in whatever order they go and whoever is killed', () => {
  fc.assert(
    fc.property(leftBehind, schedule, (left, actions) => {
      const content = new Map<string, string>()
      if (left !== undefined) content.set(path, left)
      const gone = new Set(['', 'killed long ago'])
      const contenders = ['a', 'b', 'c', 'd'].map(name => new Contender(name, filesOf(content), text => gone.has(text)))
      for (const { who, what } of actions) {
        if (what === 'kill') gone.add(contenders[who]!.kill())
        else contenders[who]!.step()
        expect(contenders.filter(({ isHolder }) => isHolder).map(({ text }) => text).length).toBeLessThan(2)
        for (const { isHolder, text } of contenders) if (isHolder) expect(content.get(path)).toBe(text)
      }
      // Whoever is left has it in the end, and nothing stays behind but what those left that were killed.
      for (const contender of contenders.slice(1)) gone.add(contender.kill())
      for (let steps = 0; !contenders[0]!.isHolder; steps++) {
        contenders[0]!.step()
        expect(steps).toBeLessThan(1_000)
      }
      contenders[0]!.step()
      expect(content.has(path)).toBe(false)
      for (const text of content.values()) expect(gone).toContain(text)
    }),
    { numRuns: 1_500 },
  )
})
