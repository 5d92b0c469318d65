/** The HTTP API as a venue: what every trader of the main job talks to, over a connection of its own. */
import { ApiRefusal, httpClient } from '#client/http.ts';
import { SequencerClient } from '#client/sequencer.ts';
import type { RefusedMessage, Venue } from './trader.ts';

export function httpVenue(baseUrl: string): Venue & { readonly client: SequencerClient } {
  const client = new SequencerClient(httpClient(baseUrl));
  return {
    client,
    account: (accountIndex) => client.account(accountIndex),
    async submit(signed, options): Promise<readonly RefusedMessage[]> {
      try {
        const outcomes = await client.submit(signed, options);
        return outcomes.flatMap((outcome) => (outcome.status === 'refused' ? [outcome.error] : []));
      } catch (error) {
        // The submission as a whole was refused: an answer to a trader, not a failure of the job.
        if (error instanceof ApiRefusal) return [{ code: error.code, message: error.message }];
        throw error;
      }
    },
  };
}
