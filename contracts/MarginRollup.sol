// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {ITokenVault} from "./interfaces/ITokenVault.sol";
import {IRiskOracle} from "./interfaces/IRiskOracle.sol";
import {BatchWords} from "./libraries/BatchWords.sol";
import {EventWords} from "./libraries/EventWords.sol";
import {L1Operations} from "./L1Operations.sol";
import {L1Queue} from "./libraries/L1Queue.sol";

/// @title Referee of the margin rollup.
/// @notice Accepts a new state root only with a proof that the batch obeys docs/protocol.md.
/// No proxy, no owner: rules and verifiers are fixed at deployment.
/// A batch moves no token: it changes ledger numbers of the vault, so no token can block it.
contract MarginRollup is L1Operations {
    using L1Queue for L1Queue.Queue;

    /// @dev L1 time − batch time. Prices must be fresh where they decide who trades at what.
    uint256 private constant LAG_WITH_TRADES_SEC_MAX = 5 minutes;
    uint256 private constant LAG_SEC_MAX = 30 minutes;
    uint256 private constant ROUND_AGE_SEC_MAX = 180;
    /// @dev So that nobody can hold back an unwelcome round: without its table there are no batches.
    uint256 private constant UNPROVED_SEC_MAX = 10 minutes;

    uint256 private constant HEADER_WORDS = 15;
    uint256 private constant OPERATION_WORDS = 4;
    uint256 private constant FIRST_EVENT = BatchWords.STATEMENT_PREFIX + HEADER_WORDS;

    address public immutable operator;
    uint256 public immutable accountWords;

    /// @dev One slot with the numbers of the last batch.
    address public submitter;
    uint32 public batchNumber;
    uint32 public batchTimeSec;
    uint32 public acceptedIndex;
    uint256 public stateRoot;

    mapping(uint256 sizeIndex => BatchSize) private _sizes;

    constructor(
        Settings memory settings,
        ITokenVault.Token[] memory tokens,
        BatchSize[] memory sizes
    ) L1Operations(settings.oracle, settings.treeDepth, tokens) {
        _require(settings.operator != address(0) && settings.submitter != address(0), "no operator or submitter");
        _require(settings.genesisRoot < BatchWords.FIELD_MODULUS, "genesis root not in the field");
        _require(settings.accountWords > 1 && sizes.length > 0, "no account words or no batch size");
        operator = settings.operator;
        submitter = settings.submitter;
        stateRoot = settings.genesisRoot;
        accountWords = settings.accountWords;
        for (uint256 i = 0; i < sizes.length; ++i) {
            _require(address(sizes[i].verifier).code.length > 0, "verifier without code");
            _require(sizes[i].l1Operations > 0, "a batch that cannot serve the queue");
            _sizes[i] = sizes[i];
        }
    }

    // BATCHES

    /// @param body outcomes, withdrawals, liquidations and accounts, encoded as BatchWords.decode reads them
    /// @param commitment the circuit's commitment to everything that enters a key or an amount
    function submitBatch(
        BatchHeader calldata header,
        bytes calldata body,
        uint256 commitment,
        Proof calldata proof
    ) external {
        _requireSubmitter();
        BatchSize memory size = _sizes[header.sizeIndex];
        if (address(size.verifier) == address(0)) revert UnknownBatchSize(header.sizeIndex);
        uint256[] memory statement = _bind(header, size, body, commitment);
        uint256[3] memory publicInputs = BatchWords.publicInputs(statement);
        if (!size.verifier.verifyProof(proof.a, proof.b, proof.c, publicInputs)) {
            revert InvalidBatchProof(batchNumber + 1);
        }
        _apply(header, size, statement);
    }

    // SUBMITTER

    /// @notice Replaces the key that sends batches; nothing else is in the operator's power.
    function setSubmitter(address newSubmitter) external {
        if (msg.sender != operator) revert NotOperator(msg.sender);
        submitter = newSubmitter;
        emit SubmitterChanged(newSubmitter);
    }

    function batchSize(uint256 sizeIndex) external view returns (BatchSize memory) {
        return _sizes[sizeIndex];
    }

    // BATCH, STEP 1: the statement, from what the contract knows and what the submitter says

    /// @dev Commitment, word count and the public words in the order of docs/protocol.md §7.
    function _bind(
        BatchHeader calldata header,
        BatchSize memory size,
        bytes calldata body,
        uint256 commitment
    ) private view returns (uint256[] memory statement) {
        uint256 eventBodyWords = uint256(size.l1Operations) + size.withdrawals + size.liquidations;
        uint256 accountBodyWords = size.accounts * accountWords;
        uint256[] memory bodyWords = BatchWords.decode(body, eventBodyWords + accountBodyWords);
        uint256 accountsAt = _liquidationsAt(size) + 2 * uint256(size.liquidations);
        statement = new uint256[](accountsAt + accountBodyWords);
        statement[0] = commitment;
        statement[1] = statement.length - BatchWords.STATEMENT_PREFIX;
        _bindHeader(statement, header, size.circuitHash);
        _bindOperations(statement, bodyWords, header.l1OperationCount, size.l1Operations);
        _bindEvents(statement, bodyWords, header, size);
        BatchWords.copy(bodyWords, eventBodyWords, statement, accountsAt, accountBodyWords);
    }

    function _bindHeader(uint256[] memory statement, BatchHeader calldata header, uint256 circuitHash) private view {
        if (header.newStateRoot >= BatchWords.FIELD_MODULUS) revert RootNotInField(header.newStateRoot);
        uint256 booked = vault.fundBookedMicros();
        if (header.fundPaymentsMicros > booked) revert FundOverdrawn(booked, header.fundPaymentsMicros);
        IRiskOracle.AcceptedTable memory table = _currentTable(header);
        bool pricesUsable = !table.isJump && header.batchTimeSec <= table.roundTimeSec + ROUND_AGE_SEC_MAX;
        bytes32 domain = keccak256(abi.encode(block.chainid, address(this), circuitHash));
        uint256 position = BatchWords.STATEMENT_PREFIX;
        statement[position] = uint256(domain) % BatchWords.FIELD_MODULUS;
        statement[position + 1] = block.chainid;
        statement[position + 2] = uint160(address(this));
        statement[position + 3] = batchNumber + 1;
        statement[position + 4] = stateRoot;
        statement[position + 5] = header.newStateRoot;
        statement[position + 6] = header.batchTimeSec;
        statement[position + 7] = table.tableHash;
        statement[position + 8] = table.esCount;
        statement[position + 9] = pricesUsable ? 1 : 0;
        statement[position + 10] = booked;
        statement[position + 11] = header.feesMicros;
        statement[position + 12] = header.penaltiesMicros;
        statement[position + 13] = header.fundPaymentsMicros;
        statement[position + 14] = header.hasTrades ? 1 : 0;
    }

    /// @dev The newest table accepted when the batch was sealed; the lag bounds how long ago that was.
    function _currentTable(BatchHeader calldata header) private view returns (IRiskOracle.AcceptedTable memory table) {
        uint256 timeSec = header.batchTimeSec;
        uint256 index = header.acceptedIndex;
        if (timeSec < batchTimeSec) revert BatchTimeFell(batchTimeSec, timeSec);
        if (timeSec > block.timestamp) revert BatchTimeAheadOfL1(block.timestamp, timeSec);
        uint256 lagMaxSec = header.hasTrades ? LAG_WITH_TRADES_SEC_MAX : LAG_SEC_MAX;
        if (block.timestamp - timeSec > lagMaxSec) revert BatchTooLate(block.timestamp - timeSec, lagMaxSec);
        if (index < acceptedIndex) revert TableFell(acceptedIndex, index);
        uint256 count = oracle.acceptedCount();
        if (index >= count) revert UnknownTable(index, count);
        table = oracle.acceptedTable(index);
        if (table.acceptedAtSec > timeSec) revert TableNotYetAccepted(table.acceptedAtSec, timeSec);
        if (index + 1 < count) {
            uint256 nextAcceptedAtSec = oracle.acceptedTable(index + 1).acceptedAtSec;
            if (nextAcceptedAtSec <= timeSec) revert TableNotNewest(index, nextAcceptedAtSec);
        }
        uint256 postedAtSec = oracle.oldestUnprovedPostedAtSec();
        if (postedAtSec != 0 && block.timestamp - postedAtSec > UNPROVED_SEC_MAX) revert RoundUnproved(postedAtSec);
    }

    /// @dev Rows opWord, keyX, keyY, outcome: the first three from the queue, the last from the body.
    function _bindOperations(
        uint256[] memory statement,
        uint256[] memory bodyWords,
        uint256 count,
        uint256 rows
    ) private view {
        uint256 head = _queue.head;
        uint256 countMax = _queue.tail - head < rows ? _queue.tail - head : rows;
        if (count > countMax) revert TooManyOperations(count, countMax);
        for (uint256 i = 0; i < rows; ++i) {
            uint256 position = FIRST_EVENT + OPERATION_WORDS * i;
            statement[position + 3] = bodyWords[i];
            if (i >= count) {
                if (bodyWords[i] != 0) revert OutcomeWithoutOperation(bodyWords[i]);
                continue;
            }
            statement[position] = _queue.entries[head + i].word;
            if (L1Queue.kindOf(statement[position]) == L1Queue.REGISTER) {
                L1Queue.Key storage key = _queue.keys[head + i];
                (statement[position + 1], statement[position + 2]) = (key.x, key.y);
            }
        }
    }

    /// @dev Withdrawals, then rows liquidation, pending deposits.
    function _bindEvents(
        uint256[] memory statement,
        uint256[] memory bodyWords,
        BatchHeader calldata header,
        BatchSize memory size
    ) private view {
        uint256 from = size.l1Operations;
        uint256 position = _withdrawalsAt(size);
        BatchWords.copy(bodyWords, from, statement, position, size.withdrawals);
        from += size.withdrawals;
        position += size.withdrawals;
        for (uint256 i = 0; i < size.liquidations; ++i) {
            uint256 word = bodyWords[from + i];
            if (word == 0) continue;
            statement[position + 2 * i] = word;
            statement[position + 2 * i + 1] = _pendingWord(statement, EventWords.liquidatedAccount(word), header);
        }
    }

    /// @dev Deposits of a liquidated account that wait in the queue: they count as the account's. So none of them may
    /// be credited in the same batch (it would count twice), and none that was queued by batch time may be left out.
    /// Later ones may: otherwise a small deposit in each block would stop a liquidation.
    function _pendingWord(
        uint256[] memory statement,
        uint256 accountIndex,
        BatchHeader calldata header
    ) private view returns (uint256 pendingWord) {
        for (uint256 i = 0; i < header.l1OperationCount; ++i) {
            if (_isDepositOf(statement[FIRST_EVENT + OPERATION_WORDS * i], accountIndex)) {
                revert DepositOfLiquidatedAccount(accountIndex);
            }
        }
        (uint256 end, uint256 tail) = (header.pendingEnd, _queue.tail);
        if (end < _queue.head || end > tail) revert PendingDepositsCut(end);
        if (end < tail && _queue.entries[end].enqueuedAtSec <= header.batchTimeSec) revert PendingDepositsCut(end);
        pendingWord = _pending[accountIndex];
        for (uint256 i = end; i < tail; ++i) {
            uint256 word = _queue.entries[i].word;
            if (_isDepositOf(word, accountIndex)) {
                pendingWord -= EventWords.pending(L1Queue.tokenOf(word), L1Queue.amountOf(word));
            }
        }
    }

    // BATCH, STEP 3: what the proved words mean here

    /// @dev The order of ledger changes, which decides what liquidity is left for whom, is part of docs/protocol.md §6.
    function _apply(BatchHeader calldata header, BatchSize memory size, uint256[] memory statement) private {
        uint32 number = ++batchNumber;
        stateRoot = header.newStateRoot;
        batchTimeSec = header.batchTimeSec;
        acceptedIndex = header.acceptedIndex;
        uint256 feeUnits = 0;
        for (uint256 i = 0; i < header.l1OperationCount; ++i) {
            feeUnits += _applyOperation(statement[FIRST_EVENT + OPERATION_WORDS * i + 3]);
        }
        if (feeUnits > 0) feeClaimsWei[msg.sender] += feeUnits * L1Queue.FEE_UNIT_WEI;
        uint256 position = _withdrawalsAt(size);
        for (uint256 i = 0; i < size.withdrawals; ++i) _applyWithdrawal(statement[position + i]);
        position = _liquidationsAt(size);
        for (uint256 i = 0; i < size.liquidations; ++i) {
            _tellLiquidation(number, statement[position + 2 * i], statement[position + 2 * i + 1]);
        }
        uint256 incomeMicros = uint256(header.feesMicros) + header.penaltiesMicros;
        if (incomeMicros + header.fundPaymentsMicros > 0) vault.bookTreasury(incomeMicros, header.fundPaymentsMicros);
        emit BatchAccepted(number, header.newStateRoot, header.batchTimeSec, header.acceptedIndex, _queue.head);
    }

    /// @return feeUnits what the operation had paid
    function _applyOperation(uint256 outcomeWord) private returns (uint256 feeUnits) {
        uint64 queueIndex = _queue.head;
        L1Queue.Entry memory entry = _queue.pop();
        EventWords.Outcome memory outcome = EventWords.outcome(outcomeWord);
        uint256 kind = L1Queue.kindOf(entry.word);
        uint256 accountIndex = L1Queue.accountOf(entry.word);
        bool isAllowed;
        if (kind == L1Queue.DEPOSIT) isAllowed = _applyDeposit(accountIndex, entry.word, outcome);
        else if (kind == L1Queue.WITHDRAW) isAllowed = _applyForcedWithdrawal(accountIndex, entry.word, outcome);
        else {
            isAllowed = outcome.isApplied && outcome.reason == EventWords.REASON_NONE && outcome.served == 0;
            if (kind == L1Queue.FUND_DONATION) vault.creditDonation(L1Queue.amountOf(entry.word));
        }
        if (!isAllowed) revert BadOutcome(queueIndex, outcomeWord);
        emit OperationServed(queueIndex, uint32(accountIndex), outcomeWord);
        return entry.feeUnits;
    }

    function _applyDeposit(
        uint256 accountIndex,
        uint256 word,
        EventWords.Outcome memory outcome
    ) private returns (bool isAllowed) {
        (uint256 tokenId, uint256 amount) = (L1Queue.tokenOf(word), L1Queue.amountOf(word));
        if (!outcome.isApplied) {
            _refundDeposit(accountIndex, word);
            return tokenId != QUOTE && outcome.reason == EventWords.REASON_POSITION_CAP && outcome.served == 0;
        }
        _pending[accountIndex] -= EventWords.pending(tokenId, amount);
        vault.creditDeposit(tokenId, amount);
        return outcome.reason == EventWords.REASON_NONE && outcome.served == amount;
    }

    function _applyForcedWithdrawal(
        uint256 accountIndex,
        uint256 word,
        EventWords.Outcome memory outcome
    ) private returns (bool isAllowed) {
        (uint256 amount, uint256 reason) = (L1Queue.amountOf(word), outcome.reason);
        if (outcome.isApplied != (outcome.served > 0) || outcome.served > amount) return false;
        bool isLiquidity = reason == EventWords.REASON_LIQUIDITY;
        vault.serve(ownerOf[accountIndex], L1Queue.tokenOf(word), outcome.served, isLiquidity);
        if (outcome.served == amount) return reason == EventWords.REASON_NONE;
        return isLiquidity || reason == EventWords.REASON_MARGIN;
    }

    function _applyWithdrawal(uint256 word) private {
        if (word == 0) return;
        EventWords.Withdrawal memory row = EventWords.withdrawal(word);
        address owner = ownerOf[row.accountIndex];
        if (owner == address(0)) revert UnknownAccount(row.accountIndex);
        vault.serve(owner, row.tokenId, row.served, row.isShort);
    }

    function _tellLiquidation(uint32 number, uint256 word, uint256 pendingWord) private {
        if (word == 0) return;
        EventWords.Liquidation memory row = EventWords.liquidation(word);
        emit Liquidated(
            number,
            uint32(row.accountIndex),
            row.instrumentId,
            row.isShort,
            row.closedLots,
            row.cashMicros,
            pendingWord
        );
    }

    // INTERNALS

    function _isDepositOf(uint256 word, uint256 accountIndex) private pure returns (bool) {
        return L1Queue.kindOf(word) == L1Queue.DEPOSIT && L1Queue.accountOf(word) == accountIndex;
    }

    function _withdrawalsAt(BatchSize memory size) private pure returns (uint256) {
        return FIRST_EVENT + OPERATION_WORDS * size.l1Operations;
    }

    function _liquidationsAt(BatchSize memory size) private pure returns (uint256) {
        return _withdrawalsAt(size) + size.withdrawals;
    }

    /// @dev The batch must be the input of its transaction, where everyone can read it: a plain account calls.
    function _requireSubmitter() private view {
        if (msg.sender != submitter) revert NotSubmitter(msg.sender);
        // An origin without code is no contract, so nothing stands between the transaction and this call.
        // solhint-disable-next-line avoid-tx-origin
        if (msg.sender != tx.origin || msg.sender.code.length != 0) revert NotTopLevelCall(msg.sender);
        // An empty queue is never overdue, so the oracle need not be asked.
        _requireRunning(_queue.head == _queue.tail ? 0 : oracle.pausedSeconds());
    }
}
