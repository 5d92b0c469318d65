/**
 * A thread of the prover: does one task after another on the shared memory. It holds the kernel and a piece
 * of scratch memory of its own; which tasks may run at the same time is for the prover to know.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { INTEGER_BYTES, PAIR_BYTES } from './field-functions.ts';
import { instantiateKernel, type Kernel } from './kernel.ts';
import type { KeyLayout, SectionName } from './key-memory.ts';
import { PointSums } from './multi-exponentiation.ts';
import { type Degree, ELEMENT_BYTES } from './point-code.ts';
import { recodeScalars } from './scalar-digits.ts';
import { moveToOddPoints } from './transform.ts';

/** What a thread is started with. */
export interface ThreadSetup {
  readonly isGroth16Thread: true;
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly layout: KeyLayout;
  /** Address of this thread's scratch memory. */
  readonly scratch: number;
}

/** A piece of a proof. Ranges begin at an even number and end before `to`, even or the last. */
export type Task =
  /** Wires to field elements and recoded scalars. */
  | { readonly kind: 'witness'; readonly from: number; readonly to: number }
  /** Values of A, B and C = A·B on the domain. */
  | { readonly kind: 'rows'; readonly from: number; readonly to: number }
  /** One polynomial to the odd points. */
  | { readonly kind: 'transform'; readonly polynomial: number }
  /** A·B − C on the odd points, recoded. */
  | { readonly kind: 'quotient'; readonly from: number; readonly to: number }
  /** One window of a sum of points; the only task with a result. */
  | { readonly kind: 'window'; readonly section: SectionName; readonly window: number };

/** Coordinates of an affine point, five doubles for each component; nothing for infinity. */
export type PointDigits = readonly number[] | undefined;

/** What a thread answers. */
export type TaskReply = { readonly point: PointDigits } | { readonly error: string };

class TaskRunner {
  readonly #kernel: Kernel;
  readonly #layout: KeyLayout;
  readonly #memory: WebAssembly.Memory;
  readonly #sums: Readonly<Record<Degree, PointSums>>;

  constructor({ module, memory, layout, scratch }: ThreadSetup) {
    this.#kernel = instantiateKernel(module, memory);
    this.#layout = layout;
    this.#memory = memory;
    const sums = (degree: Degree) =>
      new PointSums(this.#kernel, memory, degree, scratch, layout.inversionBits);
    this.#sums = { 1: sums(1), 2: sums(2) };
  }

  run(task: Task): PointDigits {
    switch (task.kind) {
      case 'witness':
        this.#importWitness(task.from, task.to);
        return undefined;
      case 'rows':
        this.#evaluateRows(task.from, task.to);
        return undefined;
      case 'transform': {
        const { transform } = this.#layout;
        moveToOddPoints(this.#kernel, transform, transform.polynomials[task.polynomial]);
        return undefined;
      }
      case 'quotient':
        this.#joinQuotient(task.from, task.to);
        return undefined;
      case 'window': {
        const section = this.#layout.sections[task.section];
        return this.#sums[section.degree].windowSum(section, task.window);
      }
    }
  }

  #importWitness(from: number, to: number): void {
    const { witnessIntegers, witness, witnessScalars, toElement, sections } = this.#layout;
    const integers = witnessIntegers + from * INTEGER_BYTES;
    const couples = Math.ceil((to - from) / 2);
    this.#kernel.importScalars(integers, witness + from * ELEMENT_BYTES, couples, toElement);
    const words = (start: number) => this.#words(start + from * INTEGER_BYTES, to - from);
    recodeScalars(words(witnessIntegers), words(witnessScalars), sections.a.windowBits);
  }

  #evaluateRows(from: number, to: number): void {
    const { matrices, transform, witness } = this.#layout;
    const [a, b, c] = transform.polynomials;
    matrices.forEach(({ starts, wires, coefficients }, matrix) => {
      this.#kernel.rows(starts, wires, coefficients, witness, transform.polynomials[matrix], from, to);
    });
    const start = (from / 2) * PAIR_BYTES;
    this.#kernel.multiplyPairs(a + start, b + start, c + start, (to - from) / 2);
  }

  #joinQuotient(from: number, to: number): void {
    const { transform, quotientScalars, sections } = this.#layout;
    const start = (from / 2) * PAIR_BYTES;
    const [a, b, c] = transform.polynomials.map((polynomial) => polynomial + start);
    const target = quotientScalars + from * INTEGER_BYTES;
    this.#kernel.joinQuotient(a, b, c, target, (to - from) / 2);
    const words = this.#words(target, to - from);
    recodeScalars(words, words, sections.h.windowBits);
  }

  #words(address: number, scalarCount: number): Uint32Array {
    return new Uint32Array(this.#memory.buffer, address, (scalarCount * INTEGER_BYTES) / 4);
  }
}

function serve(setup: ThreadSetup): void {
  const runner = new TaskRunner(setup);
  parentPort?.on('message', (task: Task) => {
    let reply: TaskReply;
    try {
      reply = { point: runner.run(task) };
    } catch (error) {
      reply = { error: `${task.kind}: ${(error as Error).message}` };
    }
    parentPort?.postMessage(reply);
  });
}

if ((workerData as ThreadSetup | null)?.isGroth16Thread) serve(workerData as ThreadSetup);
