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
  readonly #gone: Set<string>
  readonly #isSame: boolean
  #turns = 0
  #steps: Generator | undefined
  #answer = false
  text = ''
  isHolder = false

  /** @param isSame  each of its lives says the same */
  constructor(name: string, files: LockFiles, gone: Set<string>, isSame: boolean) {
    this.#name = name
    this.#files = files
    this.#gone = gone
    this.#isSame = isSame
  }

  begin(): void {
    this.text = this.#isSame ? this.#name : `${this.#name}-${++this.#turns}`
    this.#gone.delete(this.text)
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
    } else this.#answer = value !== undefined && (value.text === this.text || this.#gone.has(value.text))
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

test.each([
  ['something else each time', false],
  ['the same each time, as where process ids and times begin anew', true],
])('of contenders that say %s one has the lock, in whatever order they go and whoever is killed', (_, isSame) => {
  fc.assert(
    fc.property(leftBehind, schedule, (left, actions) => {
      const content = new Map<string, string>()
      if (left !== undefined) content.set(path, left)
      const gone = new Set(['', 'killed long ago'])
      const killed = new Set(gone)
      const kill = (contender: Contender): void => {
        const text = contender.kill()
        gone.add(text)
        killed.add(text)
      }
      const contenders = ['a', 'b', 'c', 'd'].map(name => new Contender(name, filesOf(content), gone, isSame))
      for (const { who, what } of actions) {
        if (what === 'kill') kill(contenders[who]!)
        else contenders[who]!.step()
        expect(contenders.filter(({ isHolder }) => isHolder).length).toBeLessThan(2)
        for (const { isHolder, text } of contenders) if (isHolder) expect(content.get(path)).toBe(text)
      }
      // Whoever is left has it in the end, and nothing stays behind but what those left that were killed.
      contenders.slice(1).forEach(kill)
      for (let steps = 0; !contenders[0]!.isHolder; steps++) {
        contenders[0]!.step()
        expect(steps).toBeLessThan(1_000)
      }
      contenders[0]!.step()
      expect(content.has(path)).toBe(false)
      for (const text of content.values()) expect(killed).toContain(text)
    }),
    { numRuns: 1_500 },
  )
})
