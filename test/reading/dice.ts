import { generator } from "../attacks/mutations.ts";

/** Pseudo-random choices that a seed determines. */
export class Dice {
  readonly #next: (below: number) => number;

  constructor(seed: number) {
    this.#next = generator(seed);
  }

  /** An integer from 0 up to, not including, `below`. */
  below(below: number): number {
    return this.#next(below);
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.#next(times) === 0;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.#next(list.length)] as T;
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.#next(256)));
  }
}
