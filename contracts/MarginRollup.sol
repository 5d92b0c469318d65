// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {IBatchVerifier} from "./interfaces/IBatchVerifier.sol";
import {ITokenVault} from "./interfaces/ITokenVault.sol";
import {IRegistryHolder} from "./interfaces/IInstrumentRegistry.sol";
import {IRiskOracle} from "./interfaces/IRiskOracle.sol";
import {BatchWords, HEADER_WORDS} from "./libraries/BatchWords.sol";
import {EventWords} from "./libraries/EventWords.sol";
import {L1Operations} from "./L1Operations.sol";
import {L1Queue} from "./libraries/L1Queue.sol";
import {Movements} from "./libraries/Movements.sol";
import {PendingDeposits} from "./libraries/PendingDeposits.sol";

/// @title Referee of the margin rollup.
/// @notice Accepts a new state root only with a proof that the batch obeys docs/protocol.md.
/// No proxy, no owner: rules and verifiers are fixed at deployment.
/// A batch moves no token: it changes ledger numbers of the vault, so no token can block it.
contract MarginRollup is L1Operations {
    using L1Queue for L1Queue.Queue;

    /// @dev L1 time − batch time. Prices must be fresh where they decide who trades at what.
    uint256 private constant LAG_WITH_TRADES_SEC_MAX = PendingDeposits.WINDOW_SEC;
    uint256 private constant LAG_SEC_MAX = 30 minutes;
    uint256 private constant ROUND_AGE_SEC_MAX = 180;
    /// @dev So that nobody can hold back an unwelcome round: without its table there are no batches.
    uint256 private constant UNPROVED_SEC_MAX = 10 minutes;

    uint256 private constant OPERATION_WORDS = 4;
    /// @dev For unchecked blocks: elsewhere the sum would be checked again at every use.
    uint256 private constant FIRST_EVENT = BatchWords.STATEMENT_PREFIX + HEADER_WORDS;
    /// @dev No account: indices have 24 bits.
    uint256 private constant NO_ACCOUNT = type(uint256).max;

    address public immutable operator;
    uint256 public immutable accountWords;

    /// @dev One slot with the numbers of the last batch.
    address public submitter;
    uint32 public batchNumber;
    uint32 public batchTimeSec;
    uint32 public acceptedIndex;
    uint256 public stateRoot;

    mapping(uint256 sizeIndex => BatchSize) private _sizes;
    /// @dev The first of them once more, in code: a batch of the usual size reads no slot for it.
    IBatchVerifier private immutable _firstVerifier;
    uint256 private immutable _firstCircuitHash;
    uint16 private immutable _firstAccounts;
    uint16 private immutable _firstL1Operations;
    uint16 private immutable _firstWithdrawals;
    uint16 private immutable _firstLiquidations;

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
        (_firstVerifier, _firstCircuitHash) = (sizes[0].verifier, sizes[0].circuitHash);
        (_firstAccounts, _firstL1Operations) = (sizes[0].accounts, sizes[0].l1Operations);
        (_firstWithdrawals, _firstLiquidations) = (sizes[0].withdrawals, sizes[0].liquidations);
    }

    // BATCHES

    /// @param body outcomes, withdrawals, liquidations, retirement and accounts, encoded as BatchWords.decode reads them
    /// @param commitment the circuit's commitment to everything that enters a key or an amount
    function submitBatch(
        BatchHeader calldata header,
        bytes calldata body,
        uint256 commitment,
        Proof calldata proof
    ) external {
        _requireSubmitter();
        IRiskOracle.PriceStatus memory prices = oracle.priceStatus(header.acceptedIndex);
        _requireRunning(prices.pausedSec);
        BatchSize memory size = batchSize(header.sizeIndex);
        if (address(size.verifier) == address(0)) revert UnknownBatchSize(header.sizeIndex);
        uint256[] memory statement = _bind(header, size, prices, body, commitment);
        uint256[3] memory publicInputs = BatchWords.publicInputs(statement);
        if (!size.verifier.verifyProof(proof.a, proof.b, proof.c, publicInputs)) {
            revert InvalidBatchProof(batchNumber + 1);
        }
        _apply(header, size, statement);
    }

    // RETIREMENT

    /// @notice Tells the registry which settled instrument a batch proved to be held by nobody. For anyone and at any
    /// time, also in a frozen rollup; until then no other batch can retire.
    function finishRetirement() external {
        uint256 instrumentId = _queue.bounds.retiredInstrument;
        if (instrumentId == 0) revert NothingRetired();
        _queue.bounds.retiredInstrument = 0;
        IRegistryHolder(address(oracle)).parameters().retire(instrumentId);
    }

    /// @notice What finishRetirement would tell, 0 for nothing.
    function unfinishedRetirement() external view returns (uint256 instrumentId) {
        return _queue.bounds.retiredInstrument;
    }

    // SUBMITTER

    /// @notice Replaces the key that sends batches; nothing else is in the operator's power.
    function setSubmitter(address newSubmitter) external {
        if (msg.sender != operator) revert NotOperator(msg.sender);
        _settleFees();
        submitter = newSubmitter;
        emit SubmitterChanged(newSubmitter);
    }

    function batchSize(uint256 sizeIndex) public view returns (BatchSize memory) {
        if (sizeIndex != 0) return _sizes[sizeIndex];
        return
            BatchSize({
                verifier: _firstVerifier,
                accounts: _firstAccounts,
                l1Operations: _firstL1Operations,
                withdrawals: _firstWithdrawals,
                liquidations: _firstLiquidations,
                circuitHash: _firstCircuitHash
            });
    }

    // BATCH, STEP 1: the statement, from what the contract knows and what the submitter says

    /// @dev Commitment, word count and the public words in the order of docs/protocol.md §7.
    function _bind(
        BatchHeader calldata header,
        BatchSize memory size,
        IRiskOracle.PriceStatus memory prices,
        bytes calldata body,
        uint256 commitment
    ) private view returns (uint256[] memory statement) {
        uint256 eventBodyWords = uint256(size.l1Operations) + size.withdrawals + size.liquidations + 1;
        uint256 accountBodyWords = size.accounts * accountWords;
        uint256[] memory bodyWords = BatchWords.decode(body, eventBodyWords + accountBodyWords);
        uint256 accountsAt = _retirementAt(size) + 1;
        statement = new uint256[](accountsAt + accountBodyWords);
        statement[0] = commitment;
        statement[1] = statement.length - BatchWords.STATEMENT_PREFIX;
        _bindHeader(statement, header, prices, size.circuitHash);
        _bindOperations(statement, bodyWords, header.l1OperationCount, size.l1Operations);
        _bindEvents(statement, bodyWords, header, size);
        BatchWords.copy(bodyWords, eventBodyWords, statement, accountsAt, accountBodyWords);
    }

    function _bindHeader(
        uint256[] memory statement,
        BatchHeader calldata header,
        IRiskOracle.PriceStatus memory prices,
        uint256 circuitHash
    ) private view {
        if (header.newStateRoot >= BatchWords.FIELD_MODULUS) revert RootNotInField(header.newStateRoot);
        uint256 booked = vault.fundBookedMicros();
        if (header.fundPaymentsMicros > booked) revert FundOverdrawn(booked, header.fundPaymentsMicros);
        _requireCurrent(header, prices);
        IRiskOracle.AcceptedTable memory table = prices.table;
        bool pricesUsable = !table.isJump && header.batchTimeSec <= table.roundTimeSec + ROUND_AGE_SEC_MAX;
        bytes32 domain = keccak256(abi.encode(block.chainid, address(this), circuitHash));
        uint256[HEADER_WORDS] memory words;
        words[0] = uint256(domain) % BatchWords.FIELD_MODULUS;
        words[1] = block.chainid;
        words[2] = uint160(address(this));
        words[3] = batchNumber + 1;
        words[4] = stateRoot;
        words[5] = header.newStateRoot;
        words[6] = header.batchTimeSec;
        words[7] = table.tableHash;
        words[8] = table.marginWord;
        words[9] = pricesUsable ? 1 : 0;
        words[10] = booked;
        words[11] = header.feesMicros;
        words[12] = header.penaltiesMicros;
        words[13] = header.fundPaymentsMicros;
        words[14] = header.hasTrades ? 1 : 0;
        BatchWords.copyHeader(words, statement, BatchWords.STATEMENT_PREFIX);
    }

    /// @dev The newest table accepted when the batch was sealed; the lag bounds how long ago that was.
    function _requireCurrent(BatchHeader calldata header, IRiskOracle.PriceStatus memory prices) private view {
        uint256 timeSec = header.batchTimeSec;
        uint256 index = header.acceptedIndex;
        if (timeSec < batchTimeSec) revert BatchTimeFell(batchTimeSec, timeSec);
        if (timeSec > block.timestamp) revert BatchTimeAheadOfL1(block.timestamp, timeSec);
        uint256 lagMaxSec = header.hasTrades ? LAG_WITH_TRADES_SEC_MAX : LAG_SEC_MAX;
        if (block.timestamp - timeSec > lagMaxSec) revert BatchTooLate(block.timestamp - timeSec, lagMaxSec);
        if (index < acceptedIndex) revert TableFell(acceptedIndex, index);
        if (index >= prices.acceptedCount) revert UnknownTable(index, prices.acceptedCount);
        uint256 acceptedAtSec = prices.table.acceptedAtSec;
        if (acceptedAtSec > timeSec) revert TableNotYetAccepted(acceptedAtSec, timeSec);
        uint256 nextAcceptedAtSec = prices.nextAcceptedAtSec;
        if (nextAcceptedAtSec != 0 && nextAcceptedAtSec <= timeSec) revert TableNotNewest(index, nextAcceptedAtSec);
        uint256 postedAtSec = prices.oldestUnprovedPostedAtSec;
        if (postedAtSec != 0 && block.timestamp - postedAtSec > UNPROVED_SEC_MAX) revert RoundUnproved(postedAtSec);
    }

    /// @dev Rows opWord, keyX, keyY, outcome: the first three from the queue, the last from the body.
    function _bindOperations(
        uint256[] memory statement,
        uint256[] memory bodyWords,
        uint256 count,
        uint256 rows
    ) private view {
        (uint256 head, uint256 countMax) = (_queue.bounds.head, _queue.bounds.tail - _queue.bounds.head);
        if (countMax > rows) countMax = rows;
        if (count > countMax) revert TooManyOperations(count, countMax);
        // Indices of rows cannot overflow; arrays check their bounds all the same.
        unchecked {
            for (uint256 i = 0; i < rows; ++i) {
                uint256 outcomeWord = bodyWords[i];
                if (i >= count) {
                    if (outcomeWord != 0) revert OutcomeWithoutOperation(outcomeWord);
                    continue;
                }
                uint256 position = FIRST_EVENT + OPERATION_WORDS * i;
                uint256 word = _queue.entries[head + i].word;
                statement[position] = word;
                statement[position + 3] = outcomeWord;
                if (L1Queue.kindOf(word) != L1Queue.REGISTER) continue;
                L1Queue.Key storage key = _queue.keys[head + i];
                (statement[position + 1], statement[position + 2]) = (key.x, key.y);
            }
        }
    }

    /// @dev Withdrawals, then rows liquidation, pending deposits, then the retired instrument.
    function _bindEvents(
        uint256[] memory statement,
        uint256[] memory bodyWords,
        BatchHeader calldata header,
        BatchSize memory size
    ) private view {
        uint256 from = size.l1Operations;
        uint256 position = _withdrawalsAt(size);
        BatchWords.copy(bodyWords, from, statement, position, size.withdrawals);
        (uint256 lastAccount, uint256 pendingWord) = (NO_ACCOUNT, 0);
        // Indices of rows cannot overflow; arrays check their bounds all the same.
        unchecked {
            from += size.withdrawals;
            position += size.withdrawals;
            for (uint256 end = from + size.liquidations; from < end; ++from) {
                uint256 word = bodyWords[from];
                if (word != 0) {
                    uint256 accountIndex = EventWords.liquidatedAccount(word);
                    if (lastAccount == NO_ACCOUNT) _requirePendingWhole(header);
                    // Rows of an account stand together.
                    if (accountIndex != lastAccount) pendingWord = _pendingWord(statement, accountIndex, header);
                    lastAccount = accountIndex;
                    (statement[position], statement[position + 1]) = (word, pendingWord);
                }
                position += 2;
            }
            statement[position] = bodyWords[from];
        }
    }

    /// @dev No deposit that was queued by batch time is left out of what counts as pending. Later ones may be:
    /// otherwise a small deposit in each block would stop a liquidation.
    function _requirePendingWhole(BatchHeader calldata header) private view {
        (uint256 end, uint256 tail) = (header.pendingEnd, _queue.bounds.tail);
        if (end < _queue.bounds.head || end > tail) revert PendingDepositsCut(end);
        if (end < tail && _queue.entries[end].enqueuedAtSec <= header.batchTimeSec) revert PendingDepositsCut(end);
    }

    /// @dev Deposits of a liquidated account that wait in the queue below `pendingEnd`: they may count as the account's. So
    /// none of them may be credited in the same batch: it would count twice.
    function _pendingWord(
        uint256[] memory statement,
        uint256 accountIndex,
        BatchHeader calldata header
    ) private view returns (uint256) {
        unchecked {
            uint256 lastOperation = FIRST_EVENT + OPERATION_WORDS * header.l1OperationCount;
            for (uint256 position = FIRST_EVENT; position < lastOperation; position += OPERATION_WORDS) {
                if (_isDepositOf(statement[position], accountIndex)) revert DepositOfLiquidatedAccount(accountIndex);
            }
        }
        return PendingDeposits.sumBelow(_queue, _pending[accountIndex], header.pendingEnd);
    }

    // BATCH, STEP 3: what the proved words mean here

    /// @dev The order of ledger changes, which decides what liquidity is left for whom, is part of docs/protocol.md §6.
    function _apply(BatchHeader calldata header, BatchSize memory size, uint256[] memory statement) private {
        uint32 number = batchNumber + 1;
        (batchNumber, batchTimeSec, acceptedIndex) = (number, header.batchTimeSec, header.acceptedIndex);
        stateRoot = header.newStateRoot;
        uint256[] memory movements = new uint256[](header.l1OperationCount + size.withdrawals);
        uint256 newQueueHead = _applyQueue(header.l1OperationCount, statement[_retirementAt(size)], statement, movements);
        bool hasMovements = _applyWithdrawals(header.l1OperationCount, size, statement, movements);
        _tellLiquidations(number, size, statement);
        uint256 incomeMicros = uint256(header.feesMicros) + header.penaltiesMicros;
        if (hasMovements || incomeMicros + header.fundPaymentsMicros > 0) {
            vault.book(movements, incomeMicros, header.fundPaymentsMicros);
        }
        emit BatchAccepted(number, header.newStateRoot, header.batchTimeSec, header.acceptedIndex, newQueueHead);
    }

    /// @dev What the batch retires is only noted: the registry is told in a transaction of its own.
    /// @param movements gets what each operation means for the vault; zero for nothing
    /// @return newHead of the queue
    function _applyQueue(
        uint256 count,
        uint256 retirementWord,
        uint256[] memory statement,
        uint256[] memory movements
    ) private returns (uint256 newHead) {
        L1Queue.Bounds memory bounds = _queue.bounds;
        if (retirementWord != 0) {
            if (bounds.retiredInstrument != 0) revert RetirementUnfinished(bounds.retiredInstrument);
            bounds.retiredInstrument = EventWords.retiredInstrument(retirementWord);
        } else if (count == 0) {
            return bounds.head;
        }
        for (uint256 i = 0; i < count; ++i) {
            uint256 outcomeWord = statement[_outcomeAt(i)];
            (uint256 word, uint256 feeUnits) = _queue.remove(bounds.head);
            bool isAllowed;
            (isAllowed, movements[i]) = _applyOperation(word, EventWords.outcome(outcomeWord));
            if (!isAllowed) revert BadOutcome(bounds.head, outcomeWord);
            emit OperationServed(bounds.head, uint32(L1Queue.accountOf(word)), outcomeWord);
            ++bounds.head;
            bounds.earnedFeeUnits += uint48(feeUnits);
        }
        _queue.bounds = bounds;
        return bounds.head;
    }

    function _applyOperation(
        uint256 word,
        EventWords.Outcome memory outcome
    ) private returns (bool isAllowed, uint256 movement) {
        uint256 kind = L1Queue.kindOf(word);
        (uint256 amount, uint256 served, uint256 reason) = (L1Queue.amountOf(word), outcome.served, outcome.reason);
        if (kind == L1Queue.WITHDRAW) {
            bool isLiquidity = reason == EventWords.REASON_LIQUIDITY;
            isAllowed = served == amount
                ? reason == EventWords.REASON_NONE
                : served < amount && (isLiquidity || reason == EventWords.REASON_MARGIN);
            isAllowed = isAllowed && outcome.isApplied == (served > 0);
            address owner = ownerOf[L1Queue.accountOf(word)];
            return (isAllowed, _serving(isLiquidity, L1Queue.tokenOf(word), served, owner));
        }
        if (kind == L1Queue.DEPOSIT && !outcome.isApplied) {
            isAllowed = L1Queue.tokenOf(word) != QUOTE && reason == EventWords.REASON_POSITION_CAP && served == 0;
            return (isAllowed, _refund(word));
        }
        isAllowed = outcome.isApplied && reason == EventWords.REASON_NONE;
        if (kind == L1Queue.DEPOSIT) {
            _dequeueDeposit(word);
            movement = Movements.pack(Movements.CREDIT, L1Queue.tokenOf(word), amount, address(0));
            return (isAllowed && served == amount, movement);
        }
        if (kind == L1Queue.FUND_DONATION) movement = Movements.pack(Movements.DONATE, QUOTE, amount, address(0));
        return (isAllowed && served == 0, movement);
    }

    /// @param movements gets what each row means for the vault, from index `from` on
    /// @return hasMovements whether anything but zero is in the list
    function _applyWithdrawals(
        uint256 from,
        BatchSize memory size,
        uint256[] memory statement,
        uint256[] memory movements
    ) private view returns (bool hasMovements) {
        hasMovements = from > 0;
        uint256 position = _withdrawalsAt(size);
        for (uint256 i = 0; i < size.withdrawals; ++i) {
            uint256 word = statement[position + i];
            if (word == 0) continue;
            EventWords.Withdrawal memory row = EventWords.withdrawal(word);
            address owner = ownerOf[row.accountIndex];
            if (owner == address(0)) revert UnknownAccount(row.accountIndex);
            movements[from + i] = _serving(row.isShort, row.tokenId, row.served, owner);
            hasMovements = true;
        }
    }

    function _serving(
        bool isShortOfLiquidity,
        uint256 tokenId,
        uint256 served,
        address owner
    ) private pure returns (uint256 movement) {
        return Movements.pack(isShortOfLiquidity ? Movements.SERVE_ALL : Movements.SERVE, tokenId, served, owner);
    }

    /// @dev Tells the rows up to the last that is used, as the proof saw them.
    function _tellLiquidations(uint32 number, BatchSize memory size, uint256[] memory statement) private {
        uint256 position = _liquidationsAt(size);
        uint256 words = 2 * uint256(size.liquidations);
        unchecked {
            while (words > 0 && statement[position + words - 2] == 0) words -= 2;
        }
        if (words == 0) return;
        uint256[] memory rows = new uint256[](words);
        BatchWords.copy(statement, position, rows, 0, words);
        emit Liquidated(number, rows);
    }

    // INTERNALS

    function _isDepositOf(uint256 word, uint256 accountIndex) private pure returns (bool) {
        return L1Queue.kindOf(word) == L1Queue.DEPOSIT && L1Queue.accountOf(word) == accountIndex;
    }

    function _outcomeAt(uint256 operation) private pure returns (uint256) {
        // Fewer than 2^32 operations cannot overflow.
        unchecked {
            return FIRST_EVENT + OPERATION_WORDS * operation + 3;
        }
    }

    function _withdrawalsAt(BatchSize memory size) private pure returns (uint256) {
        // A few words of 16 bits each cannot overflow.
        unchecked {
            return FIRST_EVENT + OPERATION_WORDS * size.l1Operations;
        }
    }

    function _liquidationsAt(BatchSize memory size) private pure returns (uint256) {
        unchecked {
            return _withdrawalsAt(size) + size.withdrawals;
        }
    }

    function _retirementAt(BatchSize memory size) private pure returns (uint256) {
        unchecked {
            return _liquidationsAt(size) + 2 * uint256(size.liquidations);
        }
    }

    /// @dev The batch must be the input of its transaction, where everyone can read it: a plain account calls.
    function _requireSubmitter() private view {
        if (msg.sender != submitter) revert NotSubmitter(msg.sender);
        // An origin without code is no contract, so nothing stands between the transaction and this call.
        // solhint-disable-next-line avoid-tx-origin
        if (msg.sender != tx.origin || msg.sender.code.length != 0) revert NotTopLevelCall(msg.sender);
    }

    function _submitter() internal view override returns (address) {
        return submitter;
    }
}
