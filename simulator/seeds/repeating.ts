/** Does something again and again, after pauses of random lengths, until it is told to stop. */
import type { Prng } from '../world/prng.ts'
import type { World } from '../world/world.ts'

export interface RepeatingOptions {
  readonly world: World
  readonly random: Prng
  readonly pauseMsMax: number
}

const pauseMsMin = 100

export abstract class Repeating<Options extends RepeatingOptions> {
  protected readonly options: Options
  #running = true

  constructor(options: Options) {
    this.options = options
  }

  protected abstract one(): Promise<void>

  /** Goes on until it is told to `stop`. */
  async run(): Promise<void> {
    const { world, random, pauseMsMax } = this.options
    while (this.#running) {
      await world.sleep(random.between(pauseMsMin, pauseMsMax))
      if (this.#running) await this.one()
    }
  }

  stop(): void {
    this.#running = false
  }
}
