/** What `doctor` says of one thing. */

/** `bad`: nothing works without it. `lacking`: something optional does not. */
export type Grade = 'good' | 'lacking' | 'bad'

export interface Finding {
  readonly name: string
  readonly grade: Grade
  readonly summary: string
  /** The fix, as a command or a setting. */
  readonly remedy?: string
}

export const good = (name: string, summary: string): Finding => ({ name, grade: 'good', summary })
export const lacking = (name: string, summary: string, remedy: string): Finding => ({
  name,
  grade: 'lacking',
  summary,
  remedy,
})
export const bad = (name: string, summary: string, remedy: string): Finding => ({ name, grade: 'bad', summary, remedy })
