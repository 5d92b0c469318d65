// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {IMarginRollup} from "./interfaces/IMarginRollup.sol";
import {IRiskOracle} from "./interfaces/IRiskOracle.sol";
import {ITokenVault} from "./interfaces/ITokenVault.sol";
import {BabyJubjub} from "./libraries/BabyJubjub.sol";
import {L1Queue} from "./libraries/L1Queue.sol";
import {Movements} from "./libraries/Movements.sol";
import {PendingDeposits} from "./libraries/PendingDeposits.sol";
import {TokenVault} from "./TokenVault.sol";

/// @title What users do on L1: open accounts, deposit, ask, and stop the rollup when they are not served.
/// @notice Everything goes through one queue, strictly in order, each entry with a deadline. What the contract can
/// check is refused at the entrance, so whatever is in the queue can be served by a batch.
abstract contract L1Operations is IMarginRollup, EIP712, Nonces, ReentrancyGuardTransient {
    using L1Queue for L1Queue.Queue;

    uint256 internal constant QUOTE = 0;
    bytes32 private constant REGISTER_TYPEHASH =
        keccak256("RegisterAccount(address owner,uint256 keyX,uint256 keyY,uint256 nonce,uint256 expirySec)");

    IRiskOracle public immutable oracle;
    TokenVault public immutable vault;
    uint256 public immutable accountMax;

    uint32 public accountCount;

    mapping(uint256 accountIndex => address) public ownerOf;
    /// @dev Of the submitter less the fees that are still counted in the queue.
    mapping(address payee => uint256) internal _feeClaimsWei;

    L1Queue.Queue internal _queue;
    /// @dev Deposits in the queue: slots of PendingDeposits.
    mapping(uint256 accountIndex => uint256) internal _pending;

    constructor(
        IRiskOracle oracle_,
        uint256 treeDepth,
        ITokenVault.Token[] memory tokens
    ) EIP712("Ballast MarginRollup", "1") {
        _require(address(oracle_).code.length > 0, "oracle without code");
        _require(treeDepth > 0 && treeDepth <= 12, "account indices have 24 bits");
        oracle = oracle_;
        vault = new TokenVault(tokens);
        accountMax = 4 ** treeDepth - 1;
    }

    // ACCOUNTS

    /// @notice Opens an account of the caller for the trading key 8·(x, y) and queues its registration.
    function registerAccount(uint256 x, uint256 y) external payable returns (uint32 accountIndex) {
        return _register(msg.sender, x, y);
    }

    /// @notice The same for `owner`, who signed it (EIP-712); the caller pays the fee.
    function registerAccountFor(
        address owner,
        uint256 x,
        uint256 y,
        uint256 expirySec,
        bytes calldata signature
    ) external payable returns (uint32 accountIndex) {
        if (block.timestamp > expirySec) revert SignatureExpired(expirySec);
        bytes32 structHash = keccak256(abi.encode(REGISTER_TYPEHASH, owner, x, y, _useNonce(owner), expirySec));
        (address signer, ECDSA.RecoverError failure, ) = ECDSA.tryRecover(_hashTypedDataV4(structHash), signature);
        if (failure != ECDSA.RecoverError.NoError || signer != owner) revert BadSignature(owner);
        return _register(owner, x, y);
    }

    /// @notice Queues a new trading key; when it takes effect every order signed before is dead.
    function changeKey(uint32 accountIndex, uint256 x, uint256 y) external payable returns (uint64 queueIndex) {
        _requireOwner(accountIndex);
        return _enqueueKey(accountIndex, x, y);
    }

    // L1 OPERATIONS

    /// @notice At most four of an account within five minutes, so that nobody can make his own liquidation too dear for
    /// a batch.
    /// @param amountWei approved for the vault; a multiple of the token's unit
    function deposit(
        uint32 accountIndex,
        uint256 tokenId,
        uint256 amountWei
    ) external payable nonReentrant returns (uint64 queueIndex) {
        _requireOwner(accountIndex);
        uint256 amountUnits = vault.pull(msg.sender, tokenId, amountWei);
        uint256 slot = _pending[accountIndex];
        uint256 retryAtSec = PendingDeposits.nextAllowedSec(_queue, slot);
        if (retryAtSec != 0) revert TooManyDeposits(accountIndex, retryAtSec);
        uint256 distance;
        (_pending[accountIndex], distance) = PendingDeposits.add(_queue, slot, tokenId, amountUnits);
        return _push(L1Queue.pack(L1Queue.DEPOSIT, accountIndex, tokenId, amountUnits), distance, 0, 0);
    }

    /// @notice Forced withdrawal: a batch before the deadline pays it, or as much as margin and liquidity allow.
    function requestWithdrawal(
        uint32 accountIndex,
        uint256 tokenId,
        uint256 amountUnits
    ) external payable returns (uint64 queueIndex) {
        _requireOwner(accountIndex);
        uint256 maxUnits = vault.tokenConfig(tokenId).capUnits;
        if (amountUnits == 0 || amountUnits > maxUnits) revert AmountOutOfRange(amountUnits, maxUnits);
        return _enqueue(L1Queue.WITHDRAW, accountIndex, tokenId, amountUnits);
    }

    /// @notice When it takes effect every order signed before is dead.
    function requestCancelAll(uint32 accountIndex) external payable returns (uint64 queueIndex) {
        _requireOwner(accountIndex);
        return _enqueue(L1Queue.CANCEL_ALL, accountIndex, 0, 0);
    }

    /// @notice Reserved: no batch circuit serves a forced close yet, so none may enter the queue.
    function requestClose(uint32, uint256) external payable returns (uint64) {
        revert CloseNotSupported();
    }

    /// @notice Gives quote tokens to the insurance fund, for good.
    function donate(uint256 amountWei) external payable nonReentrant returns (uint64 queueIndex) {
        return _enqueue(L1Queue.FUND_DONATION, 0, QUOTE, vault.pull(msg.sender, QUOTE, amountWei));
    }

    // WHEN USERS ARE NOT SERVED

    /// @notice Stops all batches for good once an operation of the queue is overdue. For anyone.
    function freeze() external {
        if (_queue.bounds.frozenAtSec != 0) revert IsFrozen();
        if (!isOverdue()) revert NothingOverdue();
        _queue.bounds.frozenAtSec = uint40(block.timestamp);
        emit Frozen(_queue.bounds.head, block.timestamp);
    }

    /// @notice In a frozen rollup undoes an operation that no batch took up: a deposit goes back to its owner as a
    /// claim, a donation to the fund, and the fee to the owner (of a donation: to the caller). For anyone.
    function reclaim(uint64 queueIndex) external {
        if (_queue.bounds.frozenAtSec == 0) revert NotFrozen();
        (uint256 word, uint256 feeUnits) = _queue.remove(queueIndex);
        uint256 kind = L1Queue.kindOf(word);
        if (kind == 0) revert NoWaitingOperation(queueIndex);
        uint256[] memory movements = new uint256[](1);
        if (kind == L1Queue.DEPOSIT) movements[0] = _refund(word);
        if (kind == L1Queue.FUND_DONATION) movements[0] = _movement(Movements.DONATE, word);
        if (movements[0] != 0) vault.book(movements, 0, 0);
        address payee = kind == L1Queue.FUND_DONATION ? msg.sender : ownerOf[L1Queue.accountOf(word)];
        _feeClaimsWei[payee] += feeUnits * L1Queue.FEE_UNIT_WEI;
    }

    // FEES

    /// @notice Pays the Ether due to the caller: fees earned as submitter, or paid in excess.
    function claimFees() external nonReentrant returns (uint256 amountWei) {
        if (msg.sender == _submitter()) _settleFees();
        amountWei = _feeClaimsWei[msg.sender];
        if (amountWei == 0) revert NoFees(msg.sender);
        _feeClaimsWei[msg.sender] = 0;
        (bool isPaid, ) = msg.sender.call{value: amountWei}("");
        if (!isPaid) revert FeeTransferFailed(msg.sender);
    }

    /// @notice What `payee` may take with claimFees.
    function feeClaimsWei(address payee) external view returns (uint256) {
        uint256 earnedUnits = payee == _submitter() ? _queue.bounds.earnedFeeUnits : 0;
        return _feeClaimsWei[payee] + earnedUnits * L1Queue.FEE_UNIT_WEI;
    }

    /// @notice What the next L1 operation pays. It rises with the queue; what is sent in excess can be claimed back.
    function queueFeeWei() public view returns (uint256) {
        return _queue.feeUnits() * L1Queue.FEE_UNIT_WEI;
    }

    /// @notice Whether the oldest L1 operation has waited too long: batches end, anyone may freeze.
    function isOverdue() public view returns (bool) {
        return _queue.isOverdue(oracle.pausedSeconds());
    }

    /// @notice L1 time of the freeze, 0 while the rollup runs. There is no way back.
    function frozenAtSec() external view returns (uint256) {
        return _queue.bounds.frozenAtSec;
    }

    function queueBounds() external view returns (uint64 head, uint64 tail) {
        return (_queue.bounds.head, _queue.bounds.tail);
    }

    function queueEntry(uint64 queueIndex) external view returns (L1Queue.Entry memory, L1Queue.Key memory) {
        return (_queue.entries[queueIndex], _queue.keys[queueIndex]);
    }

    function pendingDeposits(uint32 accountIndex) external view returns (uint256 pendingWord) {
        return PendingDeposits.sum(_pending[accountIndex]);
    }

    // INTERNALS

    /// @dev Adds what the submitter has earned to what it may claim.
    function _settleFees() internal {
        _feeClaimsWei[_submitter()] += _queue.bounds.earnedFeeUnits * L1Queue.FEE_UNIT_WEI;
        _queue.bounds.earnedFeeUnits = 0;
    }

    function _submitter() internal view virtual returns (address);

    /// @dev A deposit leaves the queue for its owner's claims.
    function _refund(uint256 word) internal returns (uint256 movement) {
        _dequeueDeposit(word);
        return _movement(Movements.REFUND, word);
    }

    function _dequeueDeposit(uint256 word) internal {
        uint256 accountIndex = L1Queue.accountOf(word);
        _pending[accountIndex] = PendingDeposits.remove(_pending[accountIndex], word);
    }

    /// @dev Of the whole amount of a queue entry.
    function _movement(uint256 kind, uint256 word) internal view returns (uint256) {
        return Movements.pack(kind, L1Queue.tokenOf(word), L1Queue.amountOf(word), ownerOf[L1Queue.accountOf(word)]);
    }

    function _register(address owner, uint256 x, uint256 y) private returns (uint32 accountIndex) {
        accountIndex = ++accountCount;
        if (accountIndex > accountMax) revert AccountsExhausted(accountMax);
        ownerOf[accountIndex] = owner;
        vault.open(owner);
        emit AccountOpened(accountIndex, owner);
        _enqueueKey(accountIndex, x, y);
    }

    function _enqueueKey(uint32 accountIndex, uint256 x, uint256 y) private returns (uint64 queueIndex) {
        if (!BabyJubjub.isOnCurve(x, y)) revert BadKey(x, y);
        (uint256 keyX, uint256 keyY) = BabyJubjub.timesEight(x, y);
        // The identity, from a point of small order: anyone could sign for it.
        if (keyX == 0) revert BadKey(x, y);
        _queue.keys[_queue.bounds.tail] = L1Queue.Key(keyX, keyY);
        return _push(L1Queue.pack(L1Queue.REGISTER, accountIndex, 0, 0), 0, keyX, keyY);
    }

    function _enqueue(uint256 kind, uint32 accountIndex, uint256 tokenId, uint256 amount) private returns (uint64) {
        return _push(L1Queue.pack(kind, accountIndex, tokenId, amount), 0, 0, 0);
    }

    function _push(
        uint120 word,
        uint256 depositDistance,
        uint256 keyX,
        uint256 keyY
    ) private returns (uint64 queueIndex) {
        uint256 pausedSec = oracle.pausedSeconds();
        _requireRunning(pausedSec);
        uint256 feeWei = queueFeeWei();
        if (msg.value < feeWei) revert FeeTooLow(feeWei, msg.value);
        if (msg.value > feeWei) _feeClaimsWei[msg.sender] += msg.value - feeWei;
        uint40 dueNetSec;
        (queueIndex, dueNetSec) = _queue.push(word, depositDistance, pausedSec);
        emit OperationQueued(queueIndex, uint32(L1Queue.accountOf(word)), word, keyX, keyY, dueNetSec);
    }

    function _requireOwner(uint32 accountIndex) private view {
        if (ownerOf[accountIndex] != msg.sender) revert NotOwner(accountIndex, msg.sender);
    }

    /// @dev Neither frozen nor bound to be.
    function _requireRunning(uint256 pausedSec) internal view {
        if (_queue.bounds.frozenAtSec != 0) revert IsFrozen();
        if (_queue.isOverdue(pausedSec)) revert OperationOverdue(_queue.bounds.head);
    }

    function _require(bool isMet, string memory reason) internal pure {
        if (!isMet) revert BadSettings(reason);
    }
}
