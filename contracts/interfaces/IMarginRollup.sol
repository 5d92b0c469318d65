// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {IBatchVerifier} from "./IBatchVerifier.sol";
import {IRiskOracle} from "./IRiskOracle.sol";

/// @title Vocabulary of MarginRollup: what it takes, tells and refuses.
/// @dev Units and token amounts: ITokenVault.
interface IMarginRollup {
    /// @notice A batch circuit and its rows.
    struct BatchSize {
        IBatchVerifier verifier;
        uint16 accounts;
        uint16 l1Operations;
        uint16 withdrawals;
        uint16 liquidations;
        /// @dev Names the circuit in public word 0.
        uint256 circuitHash;
    }

    struct Settings {
        IRiskOracle oracle;
        /// @dev Appoints the submitter and has no other power.
        address operator;
        address submitter;
        /// @dev Root of the state without accounts.
        uint256 genesisRoot;
        /// @dev Levels of the 4-ary account tree.
        uint8 treeDepth;
        /// @dev Public words of one account row.
        uint8 accountWords;
    }

    /// @notice What the submitter states of a batch; everything else in its first words the contract knows.
    struct BatchHeader {
        uint256 sizeIndex;
        uint256 newStateRoot;
        uint32 batchTimeSec;
        /// @dev Index of the oracle's accepted table.
        uint32 acceptedIndex;
        /// @dev Queue entries this batch consumes.
        uint32 l1OperationCount;
        /// @dev Deposits of a liquidated account below this queue index are stated, and may count as its own (docs/protocol.md §5, §7).
        uint64 pendingEnd;
        uint88 feesMicros;
        uint88 penaltiesMicros;
        uint88 fundPaymentsMicros;
        bool hasTrades;
    }

    struct Proof {
        uint256[2] a;
        uint256[2][2] b;
        uint256[2] c;
    }

    event AccountOpened(uint32 indexed accountIndex, address indexed owner);
    /// @notice The key, only of a registration, is already multiplied by the cofactor.
    /// @param word kind:4 · accountIndex:24 · tokenId:4 · amount:88, lowest first
    event OperationQueued(
        uint64 indexed queueIndex,
        uint32 indexed accountIndex,
        uint256 word,
        uint256 keyX,
        uint256 keyY,
        uint256 dueNetSec
    );
    /// @param outcomeWord isApplied:1 · reason:3 · served:88
    event OperationServed(uint64 indexed queueIndex, uint32 indexed accountIndex, uint256 outcomeWord);
    /// @param rows of each liquidation the two public words (docs/protocol.md §7), one after the other
    event Liquidated(uint64 indexed batchNumber, uint256[] rows);
    /// @notice The transaction's input holds the batch: submitBatch is only taken from a plain account.
    event BatchAccepted(
        uint64 indexed batchNumber,
        uint256 newStateRoot,
        uint256 batchTimeSec,
        uint256 acceptedIndex,
        uint256 newQueueHead
    );
    event SubmitterChanged(address submitter);
    event Frozen(uint64 queueIndex, uint256 atSec);

    error BadSettings(string reason);
    error NotOperator(address caller);
    error NotSubmitter(address caller);
    error NotTopLevelCall(address caller);
    error AmountOutOfRange(uint256 amountUnits, uint256 maxUnits);
    error NotOwner(uint32 accountIndex, address caller);
    error AccountsExhausted(uint256 accountMax);
    error BadKey(uint256 x, uint256 y);
    error SignatureExpired(uint256 expirySec);
    error BadSignature(address owner);
    error FeeTooLow(uint256 feeWei, uint256 sentWei);
    error FeeTransferFailed(address to);
    /// @notice The account has as many young deposits in the queue as it may; from then on it may queue the next.
    error TooManyDeposits(uint32 accountIndex, uint256 retryAtSec);
    error CloseNotSupported();
    error IsFrozen();
    error NotFrozen();
    error OperationOverdue(uint64 queueIndex);
    error NothingOverdue();
    error UnknownBatchSize(uint256 sizeIndex);
    error RootNotInField(uint256 root);
    error BatchTimeFell(uint256 lastSec, uint256 batchTimeSec);
    error BatchTimeAheadOfL1(uint256 l1Sec, uint256 batchTimeSec);
    error BatchTooLate(uint256 lagSec, uint256 lagMaxSec);
    error TableFell(uint256 lastIndex, uint256 acceptedIndex);
    error UnknownTable(uint256 acceptedIndex, uint256 acceptedCount);
    error TableNotYetAccepted(uint256 acceptedAtSec, uint256 batchTimeSec);
    error TableNotNewest(uint256 acceptedIndex, uint256 nextAcceptedAtSec);
    error RoundUnproved(uint256 postedAtSec);
    error TooManyOperations(uint256 count, uint256 countMax);
    error PendingDepositsCut(uint256 pendingEnd);
    error DepositOfLiquidatedAccount(uint256 accountIndex);
    error FundOverdrawn(uint256 fundBookedMicros, uint256 fundPaymentsMicros);
    error InvalidBatchProof(uint64 batchNumber);
    error BadOutcome(uint64 queueIndex, uint256 outcomeWord);
    error OutcomeWithoutOperation(uint256 outcomeWord);
    error UnknownAccount(uint256 accountIndex);
    /// @notice The registry knows of every instrument that a batch retired.
    error NothingRetired();
    /// @notice The registry must be told of this one first: finishRetirement.
    error RetirementUnfinished(uint256 instrumentId);
    error NoFees(address payee);
    error NoWaitingOperation(uint64 queueIndex);
}
