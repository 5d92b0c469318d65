/** A process that proves once with the default prover, closes it, and has nothing more to do. */
import { openBackend } from '#prover/prove.ts';
import { fixtureArtifacts, squareChainInput } from './circuits.ts';

const backend = await openBackend(await fixtureArtifacts('square-chain-short'), {});
const { publicSignals } = await backend.prove(squareChainInput(3n));
await backend.close();
console.log(backend.name, publicSignals.length);
