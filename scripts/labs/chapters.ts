/** The chapters that labs are taught in, and the way through them. */
import type { Lab } from './lab.ts'

/** In the order in which they are taught: each needs what the one before it shows. */
export const chapters = ['the log', 'replication', 'groups', 'transactions and streams', 'operations'] as const
export type Chapter = (typeof chapters)[number]

/** Where a lab belongs by its number, unless it says so itself. */
const numbers: Readonly<Record<Chapter, readonly number[]>> = {
  'the log': [1, 2, 15, 16, 17, 18, 27],
  replication: [0, 6, 7, 8, 9, 10, 11, 12, 22],
  groups: [3, 4, 5, 19, 20, 21],
  'transactions and streams': [13, 14, 28, 29, 30, 31],
  operations: [23, 24, 25, 26, 32],
}

export function chapterOf({ name, chapter }: Pick<Lab, 'name' | 'chapter'>): Chapter {
  if (chapter !== undefined) return chapter
  const number = Number(/^(\d\d)-/.exec(name)?.[1] ?? Number.NaN)
  return chapters.find(each => numbers[each].includes(number)) ?? 'operations'
}

/** Chapter by chapter, the easy ones first; of the same difficulty in the order of their numbers. */
export function inOrder<T extends Pick<Lab, 'name' | 'chapter' | 'difficulty'>>(
  labs: readonly T[],
): { readonly chapter: Chapter; readonly labs: readonly T[] }[] {
  const grouped = chapters.map(chapter => ({
    chapter,
    labs: labs
      .filter(lab => chapterOf(lab) === chapter)
      .toSorted((a, b) => difficultyOf(a) - difficultyOf(b) || a.name.localeCompare(b.name, 'en')),
  }))
  return grouped.filter(({ labs: found }) => found.length > 0)
}

export const difficulties = { 1: 'easy', 2: 'medium', 3: 'hard' } as const

export function difficultyOf({ difficulty }: Pick<Lab, 'difficulty'>): keyof typeof difficulties {
  return difficulty ?? 2
}
