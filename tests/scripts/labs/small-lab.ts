/** A lab of one main and one control, for tests of what runs labs: only what a test is about is said by it. */
import { lab, quickFailover, type Lab, type Variant } from '#scripts/labs/lab.ts'

type Given = Pick<Variant, 'script' | 'checks'> & Partial<Pick<Variant, 'workload'>>

export function smallLab(main: Given, control: Given & { readonly expect: readonly string[] }): Lab {
  return lab({
    name: 'small-lab',
    summary: '',
    question: '',
    prediction: { choices: ['yes'], answer: 0 },
    topology: { brokers: 3, controllers: 1, settings: quickFailover },
    needs: [],
    variants: [
      { workload: {}, ...main, name: 'main', summary: '', role: 'main', expect: 'valid' },
      { workload: {}, ...control, name: 'control', summary: '', role: 'control' },
    ],
    watch: [],
    explanation: '',
    reading: [],
  })
}
