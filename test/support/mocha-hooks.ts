/** Hooks of every test run (.mocharc.json). */
import { forgetNonces } from './ledger.ts';

export const mochaHooks = {
  /** Run side by side, files share the modules of their process: each begins with nonces of its own. */
  afterAll(): void {
    forgetNonces();
  },
};
