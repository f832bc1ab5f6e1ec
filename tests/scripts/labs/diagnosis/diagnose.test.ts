import { describe, expect, test } from 'vitest'
import {
  diagnose,
  diagnoseHastily,
  diagnoseWithoutWrites,
  diagnosisText,
  symptomLines,
} from '#scripts/labs/diagnosis/diagnose.ts'
import { drawnRounds, eachOnce, outerFaults, type Round } from '#scripts/labs/diagnosis/hidden-faults.ts'
import { median, type BrokerSymptoms, type Symptoms } from '#scripts/labs/diagnosis/symptoms.ts'

const well = (broker: number): BrokerSymptoms => ({
  broker,
  answers: 'yes',
  isAliveToOthers: true,
  sees: [1, 2, 3],
  inSyncIn: 3,
  leads: 1,
  write: { errorCode: 0, tookMs: 3, aheadMs: 0 },
})

/** Three brokers, of which the second is as given. */
function withSecond(second: Partial<BrokerSymptoms>): Symptoms {
  return { brokers: [well(1), { ...well(2), ...second }, well(3)], partitions: 3, usualWriteMs: 3 }
}

const gone = { isAliveToOthers: false, inSyncIn: 0, leads: 0 }

describe('a diagnosis', () => {
  test.each([
    ['dead', { ...gone, answers: 'refuses', sees: [], write: undefined }],
    ['dead', { answers: 'refuses', sees: [], write: undefined }],
    ['frozen', { ...gone, answers: 'is silent', sees: [], write: undefined }],
    ['cut off', gone],
    ['full disk', { write: { errorCode: 56, tookMs: 2, aheadMs: undefined } }],
    ['wrong clock', { write: { errorCode: 0, tookMs: 2, aheadMs: -3_600_000 } }],
    ['slow disk', { write: { errorCode: 0, tookMs: 250, aheadMs: 3_000 } }],
  ] as const)('%s: %j', (ailment, second) => {
    expect(diagnose(withSecond(second))).toEqual({ ailment, broker: 2 })
  })

  test('is nothing while all are well, also on a busy machine, where all are slow', () => {
    expect(diagnose(withSecond({}))).toEqual({ ailment: 'nothing' })
    const slow = { errorCode: 0, tookMs: 400, aheadMs: 20 }
    const brokers = [1, 2, 3].map(id => ({ ...well(id), write: slow }))
    expect(diagnose({ brokers, partitions: 3, usualWriteMs: 3 })).toEqual({ ailment: 'nothing' })
    expect(diagnose(withSecond({ write: { errorCode: 0, tookMs: 40, aheadMs: 0 } }))).toEqual({ ailment: 'nothing' })
  })

  test('measures a write by what is usual on this machine', () => {
    const symptoms = withSecond({ write: { errorCode: 0, tookMs: 250, aheadMs: 0 } })
    expect(diagnose({ ...symptoms, usualWriteMs: 62 })).toEqual({ ailment: 'slow disk', broker: 2 })
    expect(diagnose({ ...symptoms, usualWriteMs: 70 })).toEqual({ ailment: 'nothing' })
  })

  test('is unclear when two brokers have symptoms', () => {
    const { brokers, partitions } = withSecond(gone)
    const third = { ...well(3), answers: 'refuses', write: undefined } as const
    expect(diagnose({ brokers: [...brokers.slice(0, 2), third], partitions, usualWriteMs: 3 })).toEqual({
      ailment: 'unclear',
    })
  })

  test('names broker and ailment', () => {
    expect(diagnosisText({ ailment: 'frozen', broker: 2 })).toBe('broker 2: it is frozen')
    expect(diagnosisText({ ailment: 'nothing' })).toBe('nothing is wrong')
    expect(diagnosisText({ ailment: 'unclear' })).toBe('more than one broker has symptoms')
  })
})

describe('a diagnosis that leaves something out', () => {
  const dead = { ...gone, answers: 'refuses', sees: [], write: undefined } as const
  const frozen = { ...gone, answers: 'is silent', sees: [], write: undefined } as const

  test('in haste is right about who is dead or cut off, and wrong about who is frozen', () => {
    const hasty = [{}, dead, gone, frozen].map(second => diagnosisText(diagnoseHastily(withSecond(second))))
    const isDead = 'broker 2: its process is dead'
    expect(hasty).toEqual(['nothing is wrong', isDead, 'broker 2: it is cut off from the other nodes', isDead])
  })

  test('without writes sees no fault inside of a node, and the others all the same', () => {
    const slow = withSecond({ write: { errorCode: 0, tookMs: 250, aheadMs: -3_600_000 } })
    expect(diagnoseWithoutWrites(slow)).toEqual({ ailment: 'nothing' })
    expect(diagnoseWithoutWrites(withSecond(frozen))).toEqual({ ailment: 'frozen', broker: 2 })
  })
})

describe('hidden faults', () => {
  const drawn = Array.from({ length: 200 }, (_, seed) => drawnRounds(seed, outerFaults, [1, 2, 3]))
  const namesOf = (rounds: readonly Round[]) => rounds.map(({ fault }) => fault.ailment)

  test('are the same for the same seed, and none follows from those before', () => {
    expect(drawnRounds(7, outerFaults, [1, 2, 3])).toEqual(drawn[7])
    const third = new Map<string, Set<string>>()
    for (const [first, second, last = ''] of drawn.map(namesOf))
      third.set(`${first}, ${second}`, (third.get(`${first}, ${second}`) ?? new Set()).add(last))
    expect([...third.values()].map(({ size }) => size)).toEqual(Array<number>(9).fill(3))
  })

  test('can be each of them once', () => {
    const rounds = eachOnce(1, outerFaults, [1, 2, 3])
    expect(namesOf(rounds)).toEqual(['dead', 'frozen', 'cut off'])
    expect(rounds.every(({ broker }) => [1, 2, 3].includes(broker))).toBe(true)
  })
})

describe('symptoms in words', () => {
  test('say what there is to see, and not what it means', () => {
    const lines = symptomLines(withSecond({ ...gone, sees: [1, 2, 3] }))
    expect(lines[1]).toBe(
      'broker 2: answers and sees 1, 2, 3 alive; the others call it gone; in sync in 0 of 3 partitions, leads 0; a write takes 3 ms',
    )
    const silent = withSecond({ answers: 'is silent', isAliveToOthers: undefined, sees: [], write: undefined })
    expect(symptomLines(silent)[1]).toBe(
      'broker 2: takes a connection and never answers; nobody tells of it; in sync in 3 of 3 partitions, leads 1',
    )
    const late = withSecond({ write: { errorCode: 0, tookMs: 2, aheadMs: -90_000 } })
    expect(symptomLines(late)[1]).toContain('a write takes 2 ms, dated 90 s earlier than by the others')
    const full = withSecond({ write: { errorCode: 56, tookMs: 2, aheadMs: undefined } })
    expect(symptomLines(full)[1]).toContain('refuses a write with error 56 after 2 ms')
  })
})

test('the median of two is the lower one, and of none there is none', () => {
  expect([median([9, 1, 5]), median([7, 2]), median([])]).toEqual([5, 2, undefined])
})
