import hardhatEthers from '@nomicfoundation/hardhat-ethers';
import hardhatEthersChaiMatchers from '@nomicfoundation/hardhat-ethers-chai-matchers';
import hardhatNetworkHelpers from '@nomicfoundation/hardhat-network-helpers';
import { defineConfig } from 'hardhat/config';

// Optimizer settings were measured: viaIR triples the compile time and makes loops dearer; 3,000 runs instead of 200 save
// a batch 2,000 gas and cost MarginRollup 2.3 of the 24.5 kB that a contract may have. The hardfork is pinned, because gas per
// byte of calldata and the size of a contract depend on it.
const compiler = (runs: number) => ({
  version: '0.8.37',
  path: `${import.meta.dirname}/node_modules/solc/soljson.js`,
  settings: {
    optimizer: { enabled: true, runs },
    viaIR: false,
    evmVersion: 'cancun',
  },
});

export default defineConfig({
  plugins: [hardhatEthers, hardhatEthersChaiMatchers, hardhatNetworkHelpers],
  solidity: {
    // What is built for deployment holds no test: no verifier that takes everything.
    splitTestsCompilation: true,
    compilers: [compiler(3000)],
    // Its constructor lists a whole registry: code and list together must fit 49,152 bytes. It runs once a round.
    overrides: { 'contracts/RiskParameters.sol': compiler(1) },
  },
  paths: {
    sources: './contracts',
    artifacts: './build/hardhat/artifacts',
    cache: './build/hardhat/cache',
    tests: { solidity: './test/contracts/fuzz' },
  },
  // `hardhat test solidity`. The seed is fixed, so a run can be repeated; a failure is kept and tried first.
  test: {
    solidity: {
      fuzz: { runs: 512, failurePersistDir: './build/hardhat/failed-fuzz' },
      invariant: {
        runs: 64,
        depth: 64,
        failOnRevert: true,
        failurePersistDir: './build/hardhat/failed-invariants',
      },
    },
  },
  networks: {
    default: {
      type: 'edr-simulated',
      chainType: 'l1',
      chainId: 31337,
      hardfork: 'osaka',
      allowUnlimitedContractSize: false,
    },
    // The chain of the main job: it goes on to the day of the replayed prices, which is none before this one.
    replay: {
      type: 'edr-simulated',
      chainType: 'l1',
      chainId: 31337,
      hardfork: 'osaka',
      allowUnlimitedContractSize: false,
      allowBlocksWithSameTimestamp: true,
      initialDate: '2021-05-19T12:00:00Z',
    },
  },
});
