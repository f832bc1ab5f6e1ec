import { describe, expect, test } from 'vitest'
import type { CheckResult } from '#scripts/checkers/result.ts'
import type { Runtime } from '#scripts/cluster/cluster.ts'
import { runLab } from '#scripts/labs/run.ts'
import { expectationOn, lab, type Lab, type Variant } from '#scripts/labs/lab.ts'
import { judge, judgeAgain, matches, type LeftOut, type VariantResult } from '#scripts/labs/result.ts'
import { activeController, followerOf, followersOf, leaderOf, node } from '#scripts/labs/targets.ts'

const variant = (name: string, role: Variant['role'], expect: Variant['expect']): Variant => ({
  name,
  summary: name,
  role,
  workload: {},
  script: async () => undefined,
  checks: ['lost-write'],
  expect,
})

const definition: Lab = {
  name: '42-example',
  summary: 'An example.',
  question: 'Is it?',
  prediction: { choices: ['yes', 'no'], answer: 0 },
  topology: { brokers: 3, controllers: 0, settings: {} },
  needs: [],
  variants: [variant('main', 'main', 'valid'), variant('worse', 'control', ['lost-write'])],
  watch: [],
  explanation: 'Because.',
  reading: [],
}

const check = (name: string, valid: CheckResult['valid']): CheckResult => ({
  name,
  valid,
  explanation: name,
  count: 0,
  cases: [],
})
const outcome = (
  name: string,
  role: Variant['role'],
  verdict: VariantResult['verdict'],
  asExpected: boolean,
): VariantResult => ({
  name,
  role,
  summary: name,
  expected: role === 'main' ? 'valid' : ['lost-write'],
  verdict,
  asExpected,
  results: [check('lost-write', verdict === 'valid' ? true : verdict === 'invalid' ? false : 'unknown')],
  durationMs: 1,
  operations: 1,
  acknowledged: 1,
})

describe('a lab definition', () => {
  test('is refused when a variant expects what none of its checks can find', () => {
    const [main, worse] = definition.variants as [Variant, Variant]
    const variants = [main, { ...worse, expect: ['unseen'] }]
    expect(() => lab({ ...definition, variants })).toThrow(/worse expects unseen to find something/)
    const own = { name: 'unseen', judge: () => check('unseen', false) }
    expect(lab({ ...definition, variants: [main, { ...worse, checks: [own], expect: ['unseen'] }] }).name).toBe(
      '42-example',
    )
    const twice = [main, { ...worse, checks: ['lost-write' as const, { ...own, name: 'lost-write' }] }]
    expect(() => lab({ ...definition, variants: twice })).toThrow(/two checks of the same name/)
  })

  test('is refused when what must hold in a variant is none of its checks, or is to find something there', () => {
    const [main, worse] = definition.variants as [Variant, Variant]
    const held = (mustHold: readonly string[]) => () =>
      lab({ ...definition, variants: [main, { ...worse, checks: ['lost-write', 'duplicate'], mustHold }] })
    expect(held(['unseen'])).toThrow(/in variant worse unseen must hold, which is none of its checks/)
    expect(held(['lost-write'])).toThrow(/in variant worse lost-write must hold, and is expected to find something/)
    expect(held(['duplicate'])().name).toBe('42-example')
  })

  test('is refused without a negative control, because it could not tell a pass from a blind test', () => {
    expect(() => lab({ ...definition, variants: definition.variants.slice(0, 1) })).toThrow(/no negative control/)
  })
  test('is refused when a control expects no failure', () => {
    const variants = [variant('main', 'main', 'valid'), variant('worse', 'control', 'valid')]
    expect(() => lab({ ...definition, variants })).toThrow(/the control worse expects no failure/)
  })
  test('is refused when every control needs what a runtime may lack', () => {
    const control: Variant = { ...variant('worse', 'control', ['unseen']), needs: ['power-failure'] }
    expect(() => lab({ ...definition, variants: [variant('main', 'main', 'valid'), control] })).toThrow(
      /every control needs/,
    )
  })
  test('is refused when the answer is none of the choices', () => {
    expect(() => lab({ ...definition, prediction: { choices: ['yes'], answer: 1 } })).toThrow(/none of the 1 choices/)
  })
  test('may expect another verdict of an engine or a version of it', () => {
    const special: Variant = {
      ...variant('x', 'main', 'valid'),
      expectOn: { 'apache-kafka': ['unseen'], 'apache-kafka@3.9': ['duplicate'] },
    }
    expect(expectationOn(special, 'faultline')).toBe('valid')
    expect(expectationOn(special, 'apache-kafka')).toEqual(['unseen'])
    expect(expectationOn(special, 'apache-kafka', '3.9')).toEqual(['duplicate'])
  })
})

describe('the verdict of a lab', () => {
  test('is valid when the promise held and the control was caught', () => {
    const verdict = judge(definition, [
      outcome('main', 'main', 'valid', true),
      outcome('worse', 'control', 'invalid', true),
    ])
    expect(verdict.verdict).toBe('valid')
  })
  test('is invalid when the promise was broken', () => {
    const verdict = judge(definition, [
      outcome('main', 'main', 'invalid', false),
      outcome('worse', 'control', 'invalid', true),
    ])
    expect(verdict.verdict).toBe('invalid')
  })
  test('is invalid, as a test, when the control was not caught', () => {
    const verdict = judge(definition, [
      outcome('main', 'main', 'valid', true),
      outcome('worse', 'control', 'valid', false),
    ])
    expect(verdict).toMatchObject({ verdict: 'invalid' })
    expect(verdict.reason).toMatch(/^The test is not valid: the control worse/)
  })
  test('is invalid when a main that must show something shows nothing', () => {
    const silent = { ...outcome('loses', 'main', 'valid', false), expected: ['lost-write'] }
    const verdict = judge(definition, [silent, outcome('worse', 'control', 'invalid', true)])
    expect(verdict).toEqual({
      verdict: 'invalid',
      reason: 'Variant loses: a finding of lost-write was expected, and there was none',
    })
  })
  test('is invalid, as a test, when a control was caught by other checks only', () => {
    const other = {
      ...outcome('worse', 'control', 'invalid', false),
      results: [check('lost-write', true), check('duplicate', false)],
    }
    const verdict = judge(definition, [outcome('main', 'main', 'valid', true), other])
    expect(verdict.verdict).toBe('invalid')
    expect(verdict.reason).toMatch(/; a finding of lost-write was expected, and there was only of duplicate$/)
    const open = { ...other, results: [check('lost-write', 'unknown'), check('duplicate', false)] }
    expect(judge(definition, [outcome('main', 'main', 'valid', true), open]).verdict).toBe('unknown')
    const troubled = { ...other, trouble: 'the script: it was late' }
    expect(judge(definition, [outcome('main', 'main', 'valid', true), troubled])).toEqual({
      verdict: 'unknown',
      reason: 'Variant worse could not be judged: the script: it was late',
    })
  })
  test('is invalid when a control breaks what must hold in it, and unknown when nobody knows', () => {
    const caught = (duplicate: CheckResult['valid']): VariantResult => ({
      ...outcome('worse', 'control', 'invalid', duplicate === true),
      mustHold: ['duplicate'],
      results: [check('lost-write', false), check('duplicate', duplicate)],
    })
    const verdictOf = (duplicate: CheckResult['valid']) =>
      judge(definition, [outcome('main', 'main', 'valid', true), caught(duplicate)])
    expect(verdictOf(true).verdict).toBe('valid')
    expect(verdictOf(false)).toMatchObject({ verdict: 'invalid' })
    expect(verdictOf(false).reason).toMatch(/; duplicate must hold, and found something: duplicate$/)
    expect(verdictOf('unknown').verdict).toBe('unknown')
  })
  test('tells what else a control found, and trouble with a run', () => {
    const noisy = {
      ...outcome('worse', 'control', 'invalid', true),
      results: [check('lost-write', false), check('duplicate', false)],
      trouble: 'healing: a node did not start',
    }
    expect(judge(definition, [outcome('main', 'main', 'valid', true), noisy])).toEqual({
      verdict: 'valid',
      reason:
        'All promises held, and the control was caught: worse (lost-write; also found: duplicate). The run of worse had trouble: healing: a node did not start.',
    })
  })
  test('is skipped when every main was left out, and says what was left out', () => {
    const left = (name: string, role: Variant['role']) =>
      [{ name, role, summary: name, reason: 'no power here' }] satisfies readonly LeftOut[]
    const control = outcome('worse', 'control', 'invalid', true)
    const skipped = { verdict: 'skipped', reason: 'Nothing was tested. Left out: main (no power here).' }
    expect(judge(definition, [control], false, left('main', 'main'))).toEqual(skipped)
    expect(judge(definition, [], true, left('main', 'main'))).toEqual(skipped)
    const verdict = judge(definition, [outcome('main', 'main', 'valid', true), control], false, left('also', 'main'))
    expect(verdict).toMatchObject({ verdict: 'valid' })
    expect(verdict.reason).toMatch(/ Left out: also \(no power here\)\.$/)
  })
  test('is unknown when something could not be judged, or only a part was run', () => {
    expect(
      judge(definition, [outcome('main', 'main', 'unknown', false), outcome('worse', 'control', 'invalid', true)])
        .verdict,
    ).toBe('unknown')
    const main = outcome('main', 'main', 'valid', true)
    expect(judge(definition, [main], true)).toMatchObject({ verdict: 'unknown', partial: true })
    const left: LeftOut = { name: 'worse', role: 'control', summary: '', reason: 'no power here' }
    const asked = judge(definition, [main], true, [left])
    expect(asked.verdict).toBe('unknown')
    expect(asked.partial).toBeUndefined()
    expect(asked.reason).toMatch(/Left out: worse \(no power here\)\.$/)
  })
  test('on a variant that is judged again is about that variant alone', () => {
    const again = (...what: Parameters<typeof outcome>) => judgeAgain(definition, outcome(...what), 'Judged').verdict
    expect(again('main', 'main', 'valid', true)).toBe('valid')
    expect(again('worse', 'control', 'invalid', true)).toBe('valid')
    expect(again('main', 'main', 'invalid', false)).toBe('invalid')
    expect(again('worse', 'control', 'valid', false)).toBe('invalid')
    expect(again('main', 'main', 'unknown', false)).toBe('unknown')
  })
  test('asks a control for the finding that it names, not for any', () => {
    expect(matches(['lost-write', 'unseen'], 'invalid', [check('unseen', false)])).toBe(true)
    expect(matches(['lost-write'], 'invalid', [check('duplicate', false)])).toBe(false)
    expect(matches('valid', 'unknown', [check('duplicate', 'unknown')])).toBe(false)
    const both = [check('unseen', false), check('duplicate', false)]
    expect(matches(['unseen'], 'invalid', both, ['duplicate'])).toBe(false)
    expect(matches(['unseen'], 'invalid', both, ['vanished'])).toBe(true)
  })
})

describe('a runtime that lacks what variants need', () => {
  const poor: Runtime = {
    name: 'process',
    capabilities: new Set(),
    available: () => Promise.resolve({ available: true }),
    up: () => Promise.reject(new Error('a cluster was started')),
    attach: () => Promise.reject(new Error('a cluster was looked for')),
  }
  const [main, worse] = definition.variants as [Variant, Variant]
  const needy = { ...definition, variants: [{ ...main, needs: ['power-failure' as const] }, worse] }
  const options = { runtime: poor, engine: 'faultline', seed: 1 } as const

  test('starts nothing when no main can run, and says what was left out and why', async () => {
    expect(await runLab(needy, options)).toMatchObject({
      verdict: 'skipped',
      reason: 'Nothing was tested. Left out: main (the runtime process cannot do: power-failure).',
      leftOut: [{ name: 'main', role: 'main' }],
      variants: [],
    })
  })
  test('starts one for a control that was asked for by its name', async () => {
    await expect(runLab(needy, { ...options, variants: ['worse'] })).rejects.toThrow('a cluster was started')
    expect((await runLab(needy, { ...options, variants: ['main'] })).verdict).toBe('skipped')
  })
})

describe('a lab whose variants need different things', () => {
  const able: Runtime = {
    name: 'process',
    capabilities: new Set(['grow', 'partition']),
    available: () => Promise.resolve({ available: true }),
    up: spec => Promise.reject(new Error(`started ${spec.proxy === true ? 'behind a proxy' : 'without a proxy'}`)),
    attach: () => Promise.reject(new Error('a cluster was looked for')),
  }
  const options = { runtime: able, engine: 'faultline', seed: 1 } as const
  const [main, worse] = definition.variants as [Variant, Variant]

  test('has one cluster for all of them, behind a proxy where any breaks links', async () => {
    const grown = { ...main, needs: ['grow' as const] }
    const cut = { ...main, name: 'cut', needs: ['partition' as const] }
    await expect(runLab({ ...definition, variants: [grown, worse] }, options)).rejects.toThrow(
      'started without a proxy',
    )
    await expect(runLab({ ...definition, variants: [grown, cut, worse] }, options)).rejects.toThrow(
      'started behind a proxy',
    )
    await expect(runLab({ ...definition, needs: ['grow', 'partition'] }, options)).rejects.toThrow(
      'started behind a proxy',
    )
  })
})

describe('targets', () => {
  const context = {
    topic: 't',
    nodes: [],
    observation: {
      brokers: [1, 2, 3],
      reachable: [1, 2, 3],
      controller: 3,
      partitions: {
        't-0': { leader: 2, leaderEpoch: 0, replicas: [2, 3, 1], isr: [1, 2, 3], highWatermark: 0, logEndOffsets: {} },
      },
    },
  }
  test('find nodes by their role in what was observed', () => {
    expect(leaderOf(0).pick(context)).toEqual([2])
    expect(followersOf(0).pick(context)).toEqual([3, 1])
    expect(followerOf(0).pick(context)).toEqual([3])
    expect(followerOf(0, { avoidController: true }).pick(context)).toEqual([1])
    expect(activeController.pick(context)).toEqual([3])
    expect(node(1, 2).pick(context)).toEqual([1, 2])
  })
  test('say what is missing', () => {
    expect(() => leaderOf(7).pick(context)).toThrow('nothing was observed of t-7')
    expect(() =>
      activeController.pick({ ...context, observation: { ...context.observation, controller: -1 } }),
    ).toThrow(/no active controller/)
  })
})
