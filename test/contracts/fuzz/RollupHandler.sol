// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {TestToken} from "../../../contracts/mocks/TestToken.sol";
import {IBatchVerifier} from "../../../contracts/interfaces/IBatchVerifier.sol";
import {IMarginRollup} from "../../../contracts/interfaces/IMarginRollup.sol";
import {IRiskOracle} from "../../../contracts/interfaces/IRiskOracle.sol";
import {ITokenVault} from "../../../contracts/interfaces/ITokenVault.sol";
import {EventWords} from "../../../contracts/libraries/EventWords.sol";
import {L1Queue} from "../../../contracts/libraries/L1Queue.sol";
import {MarginRollup} from "../../../contracts/MarginRollup.sol";
import {TokenVault} from "../../../contracts/TokenVault.sol";
import {ClockedOracle} from "../mocks/ClockedOracle.sol";
import {PermissiveVerifier} from "../mocks/PermissiveVerifier.sol";
import {BodyEncoder} from "./BodyEncoder.sol";
import {ICheatcodes, SolidityTest} from "./SolidityTest.sol";

/// @title Everything that can happen to the money of a rollup, each step with the numbers chance gives it.
/// @notice Rollup, vault, fund and queue are the real ones, the tokens well-behaved. The verifier takes every proof and the oracle every
/// table, because here the bookkeeping is tested and the submitter states what a proof would bear out; proofs have
/// their own tests. No step may revert: what must be refused is expected to be, by name.
contract RollupHandler is SolidityTest {
    uint256 public constant USERS = 3;
    uint256 public constant TOKENS = 3;
    uint256 private constant OPERATIONS = 2;
    uint256 private constant WITHDRAWALS = 2;
    uint256 private constant LIQUIDATIONS = 1;
    /// @dev No account words but two of one account, which nothing looks at.
    uint256 private constant BODY_WORDS = OPERATIONS + WITHDRAWALS + LIQUIDATIONS + 1 + 2;
    uint256 private constant WAIT_SEC_MAX = 6 hours;
    /// @dev Deposits of an account within five minutes.
    uint256 private constant RECENT_MAX = 4;
    address private constant SUBMITTER = address(0x5b317);
    address private constant OPERATOR = address(0x0be7a707);
    /// @dev Base8 of Baby Jubjub: a point that may be a trading key.
    uint256 private constant KEY_X = 5299619240641551281634865583518297030282874472190772894086521144482721001553;
    uint256 private constant KEY_Y = 16950150798460657717958625567821834550301663161624707787222815936182638968203;

    MarginRollup public immutable rollup;
    TokenVault public immutable vault;
    ClockedOracle private immutable _oracle;
    TestToken[TOKENS] public tokens;
    uint256[TOKENS] public weiPerUnit = [1, 100_000, 10 ** 16];

    /// @dev The ledger as docs/protocol.md §6 says it runs.
    int256[TOKENS] public liquid;
    uint256 public fundBooked;
    /// @dev What was sent to the vault without being asked for.
    uint256[TOKENS] public giftsWei;
    /// @dev Batches accepted up to the freeze.
    uint32 public batchesAtFreeze;

    /// @dev Words of withdrawals beyond the outflow limit that nobody has recorded yet.
    mapping(address owner => uint256[]) private _unrecorded;

    constructor() {
        _oracle = new ClockedOracle();
        _oracle.accept(2, 1);
        IMarginRollup.BatchSize[] memory sizes = new IMarginRollup.BatchSize[](1);
        sizes[0] = IMarginRollup.BatchSize({
            verifier: IBatchVerifier(address(new PermissiveVerifier())),
            accounts: 1,
            l1Operations: uint16(OPERATIONS),
            withdrawals: uint16(WITHDRAWALS),
            liquidations: uint16(LIQUIDATIONS),
            circuitHash: 1
        });
        rollup = new MarginRollup(
            IMarginRollup.Settings(IRiskOracle(_oracle), OPERATOR, SUBMITTER, 1, 3, 2),
            _tokenList(),
            sizes
        );
        vault = rollup.vault();
        for (uint256 user = 0; user < USERS; ++user) {
            for (uint256 t = 0; t < TOKENS; ++t) {
                CHEATS.prank(userAt(user));
                tokens[t].approve(address(vault), type(uint256).max);
            }
            CHEATS.prank(_paying(user));
            rollup.registerAccount{value: 1 ether}(KEY_X, KEY_Y);
        }
    }

    function _tokenList() private returns (ITokenVault.Token[] memory list) {
        uint8[3] memory decimals = [6, 8, 18];
        list = new ITokenVault.Token[](TOKENS);
        for (uint256 t = 0; t < TOKENS; ++t) {
            tokens[t] = new TestToken("Test", "TEST", decimals[t]);
            // A low floor, so that the outflow limit binds.
            list[t] = ITokenVault.Token(tokens[t], uint96(weiPerUnit[t]), t == 0 ? 10_000_000 : 1, 2 ** 30, 40);
        }
    }

    // WHAT USERS DO

    function deposit(uint256 user, uint256 tokenSeed, uint256 seed) external {
        (uint256 t, uint256 units) = _amount(tokenSeed, seed);
        if (!_isTaking()) return;
        user = within(user, 0, USERS - 1);
        tokens[t].mint(userAt(user), units * weiPerUnit[t]);
        bytes memory call = abi.encodeCall(rollup.deposit, (uint32(user + 1), t, units * weiPerUnit[t]));
        if (_youngDeposits(user + 1) >= RECENT_MAX) {
            return _requireRefused(address(rollup), call, userAt(user), IMarginRollup.TooManyDeposits.selector);
        }
        CHEATS.prank(_paying(user));
        rollup.deposit{value: 1 ether}(uint32(user + 1), t, units * weiPerUnit[t]);
    }

    function donate(uint256 user, uint256 seed) external {
        (, uint256 micros) = _amount(0, seed);
        if (!_isTaking()) return;
        user = within(user, 0, USERS - 1);
        tokens[0].mint(userAt(user), micros);
        CHEATS.prank(_paying(user));
        rollup.donate{value: 1 ether}(micros);
    }

    function requestWithdrawal(uint256 user, uint256 tokenSeed, uint256 seed) external {
        (uint256 t, uint256 units) = _amount(tokenSeed, seed);
        if (!_isTaking()) return;
        user = within(user, 0, USERS - 1);
        CHEATS.prank(_paying(user));
        rollup.requestWithdrawal{value: 1 ether}(uint32(user + 1), t, units);
    }

    function requestCancelAll(uint256 user) external {
        if (!_isTaking()) return;
        user = within(user, 0, USERS - 1);
        CHEATS.prank(_paying(user));
        rollup.requestCancelAll{value: 1 ether}(uint32(user + 1));
    }

    // MOVING TOKENS: nothing of it is seen by a batch

    function claim(uint256 user, uint256 tokenSeed) external sameLedger {
        (address owner, uint256 t) = (userAt(within(user, 0, USERS - 1)), within(tokenSeed, 0, TOKENS - 1));
        (uint256 units, uint256 balanceWei) = (vault.claimsUnits(owner, t), tokens[t].balanceOf(owner));
        if (units == 0) {
            bytes memory call = abi.encodeCall(vault.claim, (t));
            return _requireRefused(address(vault), call, owner, ITokenVault.NothingToClaim.selector);
        }
        CHEATS.prank(owner);
        vault.claim(t);
        requireEqual("paid", tokens[t].balanceOf(owner) - balanceWei, units * weiPerUnit[t]);
        requireEqual("nothing is left to claim", vault.claimsUnits(owner, t), 0);
    }

    /// @notice Records the last withdrawals of an owner that exceeded the limit, as many as chance says, once.
    function recordDelayed(uint256 user, uint256 seed) external sameLedger {
        address owner = userAt(within(user, 0, USERS - 1));
        uint256[] storage all = _unrecorded[owner];
        if (all.length == 0) return;
        uint256 kept = within(seed, 0, all.length - 1);
        bytes32 earlier = bytes32(uint256(1));
        for (uint256 i = 0; i < kept; ++i) earlier = keccak256(abi.encode(earlier, all[i]));
        uint256[] memory last = new uint256[](all.length - kept);
        for (uint256 i = 0; i < last.length; ++i) last[i] = all[kept + i];
        while (all.length > kept) all.pop();
        vault.recordDelayed(owner, earlier, last);
        bytes memory again = abi.encodeCall(vault.recordDelayed, (owner, earlier, last));
        _requireRefused(address(vault), again, owner, ITokenVault.NotTheLastDelayed.selector);
    }

    function release(uint256 seed) external sameLedger {
        uint256 count = vault.delayedCount();
        if (count == 0) return;
        try vault.release(seed % count) returns (uint256 units) {
            requireTrue("releases something", units > 0);
        } catch (bytes memory refusal) {
            requireTrue("nothing is due", bytes4(refusal) == ITokenVault.NothingToClaim.selector);
        }
    }

    function moveTreasury() external sameLedger {
        vault.moveTreasury();
    }

    /// @notice Tokens that nobody asked for are nobody's.
    function sendUnasked(uint256 tokenSeed, uint256 amountWei) external sameLedger {
        uint256 t = within(tokenSeed, 0, TOKENS - 1);
        amountWei = within(amountWei, 0, 10 ** 20);
        giftsWei[t] += amountWei;
        tokens[t].mint(address(vault), amountWei);
    }

    function claimFees(uint256 user) external sameLedger {
        user = within(user, 0, USERS);
        address payee = user == USERS ? SUBMITTER : userAt(user);
        (uint256 dueWei, uint256 balanceWei) = (rollup.feeClaimsWei(payee), payee.balance);
        if (dueWei == 0) return;
        CHEATS.prank(payee);
        rollup.claimFees();
        requireEqual("fees paid", payee.balance - balanceWei, dueWei);
    }

    // BATCHES

    /// @notice A fair batch: it must be taken while the rollup runs, and never after.
    function submitBatch(uint256 seed) external {
        _oracle.accept(2, 1);
        uint256[] memory words = new uint256[](BODY_WORDS);
        (uint64 head, uint64 tail) = rollup.queueBounds();
        uint256 count = within(_draw(seed, 0), 0, tail - head < OPERATIONS ? tail - head : OPERATIONS);
        bool isRunning = _isTaking();
        (int256[TOKENS] memory before, uint256 fundBefore) = (liquid, fundBooked);
        for (uint256 i = 0; i < count; ++i) {
            (L1Queue.Entry memory entry, ) = rollup.queueEntry(uint64(head + i));
            words[i] = _serve(entry.word, _draw(seed, 1 + i));
        }
        for (uint256 i = 0; i < WITHDRAWALS; ++i) words[OPERATIONS + i] = _withdraw(_draw(seed, 10 + i));
        (words[BODY_WORDS - 2], words[BODY_WORDS - 1]) = (2, seed >> 8);
        IMarginRollup.BatchHeader memory header = _header(seed, count, tail, fundBefore);
        int256 incomeMicros = int256(uint256(header.feesMicros) + header.penaltiesMicros) -
            int256(uint256(header.fundPaymentsMicros));
        liquid[0] -= incomeMicros;
        fundBooked = uint256(int256(fundBooked) + incomeMicros);
        bytes memory call = abi.encodeCall(rollup.submitBatch, (header, BodyEncoder.encode(words), 1, _proof()));
        if (!isRunning) {
            (liquid, fundBooked) = (before, fundBefore);
            bytes4 reason = rollup.frozenAtSec() != 0
                ? IMarginRollup.IsFrozen.selector
                : IMarginRollup.OperationOverdue.selector;
            return _requireRefused(address(rollup), call, SUBMITTER, reason);
        }
        CHEATS.recordLogs();
        CHEATS.prank(SUBMITTER, SUBMITTER);
        (bool isTaken, bytes memory answer) = address(rollup).call(call);
        if (!isTaken) _bubble(answer);
        _noteDelayed(CHEATS.getRecordedLogs());
    }

    /// @notice A batch that pays one unit more than there is, or less than it says there is.
    function submitUnfairBatch(uint256 seed) external {
        if (!_isTaking()) return;
        _oracle.accept(2, 1);
        uint256 t = within(_draw(seed, 0), 0, TOKENS - 1);
        uint256 available = _available(t);
        bool isShort = available > 0 && _draw(seed, 1) % 2 == 0;
        uint256 served = isShort ? available - 1 : available + 1;
        uint256[] memory words = new uint256[](BODY_WORDS);
        words[OPERATIONS] = 1 | (t << 24) | (served << 28) | (isShort ? 2 ** 116 : 0);
        (, uint64 tail) = rollup.queueBounds();
        IMarginRollup.BatchHeader memory header = _header(0, 0, tail, 0);
        bytes4 reason = isShort
            ? ITokenVault.ShortWithLiquidityLeft.selector
            : ITokenVault.ServedBeyondLiquidity.selector;
        bytes memory call = abi.encodeCall(rollup.submitBatch, (header, BodyEncoder.encode(words), 1, _proof()));
        _requireRefused(address(rollup), call, SUBMITTER, reason);
        // The fund cannot pay what it has not booked before the batch.
        (words[OPERATIONS], header.fundPaymentsMicros) = (0, uint88(fundBooked + 1));
        call = abi.encodeCall(rollup.submitBatch, (header, BodyEncoder.encode(words), 1, _proof()));
        _requireRefused(address(rollup), call, SUBMITTER, IMarginRollup.FundOverdrawn.selector);
    }

    // THE END

    /// @notice Rarely, so that most histories are long: nobody serves for four days, and somebody freezes.
    function freeze(uint256 seed) external {
        if (rollup.frozenAtSec() != 0) return;
        if (!rollup.isOverdue()) {
            bytes memory call = abi.encodeCall(rollup.freeze, ());
            _requireRefused(address(rollup), call, userAt(0), IMarginRollup.NothingOverdue.selector);
        }
        if (seed % 16 != 0) return;
        (uint64 head, uint64 tail) = rollup.queueBounds();
        if (head == tail) return;
        CHEATS.warp(block.timestamp + 4 days);
        rollup.freeze();
        batchesAtFreeze = rollup.batchNumber();
    }

    /// @notice Takes back one operation of a frozen rollup, once.
    function reclaim(uint256 seed) external {
        (uint64 head, uint64 tail) = rollup.queueBounds();
        if (rollup.frozenAtSec() == 0 || head == tail) return;
        uint64 index = uint64(within(seed, head, tail - 1));
        (L1Queue.Entry memory entry, ) = rollup.queueEntry(index);
        bytes memory call = abi.encodeCall(rollup.reclaim, (index));
        if (entry.word == 0) {
            return _requireRefused(address(rollup), call, userAt(0), IMarginRollup.NoWaitingOperation.selector);
        }
        if (L1Queue.kindOf(entry.word) == L1Queue.FUND_DONATION) fundBooked += L1Queue.amountOf(entry.word);
        CHEATS.prank(userAt(0));
        rollup.reclaim(index);
    }

    function wait(uint256 seconds_) external {
        CHEATS.warp(block.timestamp + within(seconds_, 1, WAIT_SEC_MAX));
    }

    // READING

    function userAt(uint256 user) public pure returns (address) {
        return address(uint160(0xa11ce00 + user));
    }

    /// @notice Principal of a token in the queue.
    function queuedUnits(uint256 t) external view returns (uint256 units) {
        (uint64 head, uint64 tail) = rollup.queueBounds();
        for (uint64 i = head; i < tail; ++i) {
            (L1Queue.Entry memory entry, ) = rollup.queueEntry(i);
            uint256 kind = L1Queue.kindOf(entry.word);
            bool hasPrincipal = kind == L1Queue.DEPOSIT || kind == L1Queue.FUND_DONATION;
            if (hasPrincipal && L1Queue.tokenOf(entry.word) == t) units += L1Queue.amountOf(entry.word);
        }
    }

    /// @notice Sum of the deposits of a user in the queue, by a walk over all of it.
    function pendingWord(uint256 user) external view returns (uint256 word) {
        (uint64 head, uint64 tail) = rollup.queueBounds();
        for (uint64 i = head; i < tail; ++i) {
            (L1Queue.Entry memory entry, ) = rollup.queueEntry(i);
            if (L1Queue.kindOf(entry.word) != L1Queue.DEPOSIT || L1Queue.accountOf(entry.word) != user + 1) continue;
            word += EventWords.pending(L1Queue.tokenOf(entry.word), L1Queue.amountOf(entry.word));
        }
    }

    function owedUnits(uint256 t) external view returns (uint256 units) {
        for (uint256 user = 0; user < USERS; ++user) units += vault.claimsUnits(userAt(user), t);
        for (uint256 i = 0; i < vault.delayedCount(); ++i) {
            (, uint8 tokenId, , , uint128 amountUnits, uint128 releasedUnits) = vault.delayedClaims(i);
            if (tokenId == t) units += amountUnits - releasedUnits;
        }
        for (uint256 user = 0; user < USERS; ++user) {
            uint256[] storage words = _unrecorded[userAt(user)];
            for (uint256 i = 0; i < words.length; ++i) {
                if (words[i] % 16 == t) units += ((words[i] >> 4) % 2 ** 72) + (words[i] >> 156);
            }
        }
    }

    function owedWei() external view returns (uint256 sumWei) {
        sumWei = rollup.feeClaimsWei(SUBMITTER);
        for (uint256 user = 0; user < USERS; ++user) sumWei += rollup.feeClaimsWei(userAt(user));
        (uint64 head, uint64 tail) = rollup.queueBounds();
        for (uint64 i = head; i < tail; ++i) {
            (L1Queue.Entry memory entry, ) = rollup.queueEntry(i);
            sumWei += entry.feeUnits * L1Queue.FEE_UNIT_WEI;
        }
    }

    // INTERNALS

    function _noteDelayed(ICheatcodes.Log[] memory logs) private {
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].emitter != address(vault) || logs[i].topics[0] != ITokenVault.ClaimDelayed.selector) continue;
            _unrecorded[address(uint160(uint256(logs[i].topics[1])))].push(abi.decode(logs[i].data, (uint256)));
        }
    }

    /// @dev Moving tokens changes no number that a proof relies on.
    modifier sameLedger() {
        _;
        for (uint256 t = 0; t < TOKENS; ++t) {
            ITokenVault.Conservation memory sums = vault.conservation(t);
            requireEqualSigned("liquid after moving tokens", sums.liquidUnits, liquid[t]);
            if (t == 0) requireEqual("fund after moving tokens", sums.fundBookedMicros, fundBooked);
        }
    }

    /// @dev A fair outcome of a queue entry, and what it does to the ledger.
    function _serve(uint256 word, uint256 chance) private returns (uint256 outcome) {
        (uint256 kind, uint256 t, uint256 amount) = (
            L1Queue.kindOf(word),
            L1Queue.tokenOf(word),
            L1Queue.amountOf(word)
        );
        if (kind == L1Queue.FUND_DONATION) fundBooked += amount;
        if (kind == L1Queue.DEPOSIT) {
            if (t != 0 && chance % 4 == 0) return EventWords.REASON_POSITION_CAP << 1;
            liquid[t] += int256(amount);
            return 1 | (amount << 4);
        }
        if (kind != L1Queue.WITHDRAW) return 1;
        uint256 available = _available(t);
        if (amount <= available && chance % 4 > 0) {
            liquid[t] -= int256(amount);
            return 1 | (amount << 4);
        }
        bool isLiquidity = amount > available && chance % 4 > 0;
        uint256 most = amount - 1 < available ? amount - 1 : available;
        uint256 served = isLiquidity ? available : within(chance >> 8, 0, most);
        liquid[t] -= int256(served);
        uint256 reason = isLiquidity ? EventWords.REASON_LIQUIDITY : EventWords.REASON_MARGIN;
        return (served > 0 ? 1 : 0) | (reason << 1) | (served << 4);
    }

    function _withdraw(uint256 chance) private returns (uint256 word) {
        if (chance % 3 == 0) return 0;
        uint256 t = within(chance >> 8, 0, TOKENS - 1);
        uint256 available = _available(t);
        bool isShort = chance % 3 == 1;
        uint256 served = isShort ? available : within(chance >> 16, 0, available);
        if (served == 0 && !isShort) return 0;
        liquid[t] -= int256(served);
        return within(chance >> 24, 1, USERS) | (t << 24) | (served << 28) | (isShort ? 2 ** 116 : 0);
    }

    /// @dev The fund may pay what it had before the batch.
    function _header(
        uint256 seed,
        uint256 count,
        uint64 tail,
        uint256 fundBefore
    ) private view returns (IMarginRollup.BatchHeader memory) {
        return
            IMarginRollup.BatchHeader({
                sizeIndex: 0,
                newStateRoot: uint256(keccak256(abi.encode(seed))) >> 8,
                batchTimeSec: uint32(block.timestamp),
                acceptedIndex: uint32(_oracle.acceptedCount() - 1),
                l1OperationCount: uint32(count),
                pendingEnd: tail,
                feesMicros: uint88(seed == 0 ? 0 : within(_draw(seed, 20), 0, 30_000_000)),
                penaltiesMicros: uint88(seed == 0 ? 0 : within(_draw(seed, 21), 0, 1_000_000)),
                fundPaymentsMicros: uint88(_draw(seed, 22) % 2 == 0 ? 0 : within(_draw(seed, 23), 0, fundBefore)),
                hasTrades: _draw(seed, 24) % 2 == 0
            });
    }

    function _proof() private pure returns (IMarginRollup.Proof memory proof) {}

    function _available(uint256 t) private view returns (uint256) {
        return liquid[t] > 0 ? uint256(liquid[t]) : 0;
    }

    /// @dev Deposits of an account that wait and were queued less than five minutes ago.
    function _youngDeposits(uint256 account) private view returns (uint256 count) {
        (uint64 head, uint64 tail) = rollup.queueBounds();
        for (uint64 i = head; i < tail; ++i) {
            (L1Queue.Entry memory entry, ) = rollup.queueEntry(i);
            if (L1Queue.kindOf(entry.word) != L1Queue.DEPOSIT || L1Queue.accountOf(entry.word) != account) continue;
            if (block.timestamp - entry.enqueuedAtSec < 5 minutes) ++count;
        }
    }

    /// @dev Whether operations and batches are taken: neither frozen nor bound to be.
    function _isTaking() private view returns (bool) {
        return rollup.frozenAtSec() == 0 && !rollup.isOverdue();
    }

    function _amount(uint256 tokenSeed, uint256 seed) private pure returns (uint256 t, uint256 units) {
        t = within(tokenSeed, 0, TOKENS - 1);
        units = t == 0 ? within(seed, 10_000_000, 90_000_000) : within(seed, 1, 1_000);
    }

    /// @dev A user with Ether for the fee of one operation.
    function _paying(uint256 user) private returns (address payer) {
        payer = userAt(user);
        CHEATS.deal(payer, payer.balance + 1 ether);
    }

    function _draw(uint256 seed, uint256 number) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, number)));
    }

    function _requireRefused(address target, bytes memory call, address caller, bytes4 reason) private {
        CHEATS.prank(caller, caller);
        (bool isTaken, bytes memory answer) = target.call(call);
        requireTrue("must be refused", !isTaken);
        if (bytes4(answer) != reason) _bubble(answer);
    }

    function _bubble(bytes memory answer) private pure {
        assembly ("memory-safe") {
            revert(add(answer, 32), mload(answer))
        }
    }
}
