/** Refusals that tell the sequencer what to do next, apart from those that tell a user what was wrong. */
import { type Rejection, reject } from '../errors.ts';

/** A kind of row is used up: seal this batch and try again in the next. */
export const batchFull = (resource: string, capacity: number): Rejection =>
  reject('batch-full', `this batch has no more room for ${resource}; it goes into the next`, {
    resource,
    capacity,
  });

/** The operation may be right, but not together with what this batch already holds. */
export const needsNewBatch = (message: string, data: Rejection['data'] = {}): Rejection =>
  reject('needs-new-batch', message, data);

/** Whether sealing the batch and trying again may help. */
export const isBatchConflict = (rejection: Rejection): boolean =>
  rejection.code === 'batch-full' || rejection.code === 'needs-new-batch';
