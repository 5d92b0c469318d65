/** How many threads a prover or a key writer starts unless it is told. */
import { availableParallelism } from 'node:os';

/** More than these only wait for each other's memory. */
const THREADS_MAX = 8;

export const defaultThreadCount = (): number => Math.min(availableParallelism(), THREADS_MAX);
