import { describe, expect, test } from 'vitest'
import type { CheckResult } from '#scripts/checkers/result.ts'
import { expectationOn, lab, type Lab, type Variant } from '#scripts/labs/lab.ts'
import { judge, judgeAgain, matches, type VariantResult } from '#scripts/labs/result.ts'
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
  test('is unknown when something could not be judged, or only a part was run', () => {
    expect(
      judge(definition, [outcome('main', 'main', 'unknown', false), outcome('worse', 'control', 'invalid', true)])
        .verdict,
    ).toBe('unknown')
    expect(judge(definition, [outcome('main', 'main', 'valid', true)], true).verdict).toBe('unknown')
  })
  test('on a variant that is judged again is about that variant alone', () => {
    const again = (...what: Parameters<typeof outcome>) => judgeAgain(definition, outcome(...what)).verdict
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
