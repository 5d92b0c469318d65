// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {InsuranceFund} from "./InsuranceFund.sol";
import {ITokenVault} from "./interfaces/ITokenVault.sol";
import {DelayedWords} from "./libraries/DelayedWords.sol";
import {EventWords} from "./libraries/EventWords.sol";
import {Movements} from "./libraries/Movements.sol";
import {OutflowLimit} from "./libraries/OutflowLimit.sol";

/// @title The money of the rollup: what is held, whom it is owed to, and how it leaves.
/// @notice For every token and at every moment (ITokenVault.Conservation):
/// held + fundHeld = claims + queued + liquid + fundBooked. Ledger numbers change with batches and L1 operations only;
/// moving tokens, claiming and maturing never change `liquid` and `fundBooked`, so a proof can rely on them.
contract TokenVault is ITokenVault, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    uint256 private constant QUOTE = 0;
    uint256 private constant TOKENS_MAX = 4;
    uint256 private constant QUOTE_CAP_MICROS_MAX = 2 ** 70 - 1;
    uint256 private constant SPOT_CAP_LOTS_MAX = 2 ** 30;
    /// @dev A tenth of what users own may leave in 24 hours.
    uint256 private constant OUTFLOW_DIVISOR = 10;

    /// @dev Above all layouts of claims: keeps the slot of an owner from being empty.
    uint256 private constant OPENED = 2 ** 255;
    /// @dev Of an owner without delayed claims: no hash, and not empty for the same reason.
    bytes32 private constant CHAIN_START = bytes32(uint256(1));

    /// @dev In units; the tokens' own amounts appear only where tokens move. Two slots of the quote token; a spot token
    /// has one (SpotLedger).
    struct Ledger {
        /// @dev What the L2 accounts own in sum; negative after fees on a dry vault.
        int88 liquid;
        /// @dev Principal of deposits and donations in the L1 queue.
        uint72 queued;
        /// @dev Of the quote token: what the insurance fund owns.
        uint88 fundBooked;
        /// @dev Keeps the first slot from being empty, so that no batch pays for filling it.
        bool isListed;
        uint72 held;
        uint72 claims;
        uint56 outflowBookedUntilUs;
        /// @dev Of the token's configuration, because it is read with the rest.
        uint56 outflowFloor;
    }

    /// @dev One slot. A spot token has at most 2^30 lots, and neither fees nor a fund.
    struct SpotLedger {
        uint40 liquid;
        uint40 queued;
        uint40 held;
        uint40 claims;
        uint56 outflowBookedUntilUs;
        uint40 outflowFloor;
    }

    /// @notice The rollup creates its vault, so there is nothing to initialise and nobody else to obey.
    address public immutable rollup;
    InsuranceFund public immutable fund;

    uint128 public fundHeldMicros;
    /// @dev Claims of all tokens in one word, laid out as pending deposits are (EventWords.pending), and OPENED.
    mapping(address owner => uint256) private _claims;
    /// @dev An owner's withdrawals beyond the outflow limit that nobody has recorded yet: each sets chain =
    /// keccak256(chain, its word). So a batch fills no slot for them; their words are in events, their slots are paid by
    /// who records them.
    mapping(address owner => bytes32) public delayedChain;
    mapping(uint256 delayedId => DelayedClaim) public delayedClaims;
    uint256 public delayedCount;

    uint256 public immutable tokenCount;
    mapping(uint256 tokenId => Token) private _tokens;
    Ledger private _quoteLedger;
    mapping(uint256 tokenId => SpotLedger) private _spotLedgers;

    modifier onlyRollup() {
        if (msg.sender != rollup) revert NotRollup(msg.sender);
        _;
    }

    constructor(Token[] memory tokens) {
        rollup = msg.sender;
        tokenCount = tokens.length;
        _require(tokens.length > 0 && tokens.length <= TOKENS_MAX, "no token or too many");
        for (uint256 i = 0; i < tokens.length; ++i) {
            uint256 capMax = i == QUOTE ? QUOTE_CAP_MICROS_MAX : SPOT_CAP_LOTS_MAX;
            _require(address(tokens[i].token).code.length > 0, "token without code");
            _require(tokens[i].weiPerUnit > 0 && tokens[i].depositMinUnits > 0, "unit or minimum is zero");
            _require(tokens[i].capUnits <= capMax, "cap too large");
            uint256 floor = tokens[i].outflowFloorUnits;
            uint256 floorMax = i == QUOTE ? type(uint56).max : type(uint40).max;
            _require(floor >= OutflowLimit.LIMIT_MIN && floor <= floorMax, "outflow floor out of range");
            for (uint256 j = 0; j < i; ++j) _require(address(tokens[i].token) != address(tokens[j].token), "token listed twice");
            _tokens[i] = tokens[i];
            if (i > QUOTE) _spotLedgers[i].outflowFloor = uint40(floor);
        }
        (_quoteLedger.isListed, _quoteLedger.outflowFloor) = (true, uint56(tokens[QUOTE].outflowFloorUnits));
        fund = new InsuranceFund(tokens[QUOTE].token);
    }

    // FOR EVERYONE

    /// @notice Pays everything the caller may claim of a token.
    function claim(uint256 tokenId) external nonReentrant returns (uint256 amountUnits) {
        Token storage token = _token(tokenId);
        amountUnits = claimsUnits(msg.sender, tokenId);
        if (amountUnits == 0) revert NothingToClaim();
        // A booked fund payment may still lie in the fund.
        if (tokenId == QUOTE && _quoteLedger.held < _quoteLedger.queued + amountUnits) _moveTreasury();
        _claims[msg.sender] -= EventWords.pending(tokenId, amountUnits);
        Ledger memory ledger = _load(tokenId);
        ledger.claims -= uint72(amountUnits);
        ledger.held -= uint72(amountUnits);
        _store(tokenId, ledger);
        emit ClaimPaid(msg.sender, uint8(tokenId), amountUnits);
        token.token.safeTransfer(msg.sender, amountUnits * token.weiPerUnit);
    }

    /// @notice Takes the last withdrawals off their owner's chain: what the outflow limit let through at once becomes
    /// claimable, the rest ready for release. For anyone; in pieces if there are many. When a claim becomes due does not
    /// depend on when it is recorded.
    /// @param earlier the chain before these claims; 1 if there is none before them
    /// @param words of ClaimDelayed, in its order
    function recordDelayed(address owner, bytes32 earlier, uint256[] calldata words) external {
        bytes32 chain = earlier;
        for (uint256 i = 0; i < words.length; ++i) chain = DelayedWords.append(chain, words[i]);
        // Whoever was never opened has no chain, so nothing can be appended to it either. Refused before a slot is
        // filled: who records one word ahead of another's call must not cost that call the slots of all its words.
        if (words.length == 0 || chain != delayedChain[owner]) revert NotTheLastDelayed(owner);
        delayedChain[owner] = earlier;
        for (uint256 i = 0; i < words.length; ++i) {
            (DelayedClaim memory delayed, uint256 immediateUnits) = DelayedWords.read(owner, words[i]);
            delayedClaims[delayedCount] = delayed;
            emit ClaimRecorded(delayedCount++, owner, words[i]);
            if (immediateUnits > 0) _creditClaim(owner, delayed.tokenId, immediateUnits);
        }
    }

    /// @notice Makes claimable what has become due of a claim that exceeded the outflow limit. For anyone.
    function release(uint256 delayedId) external returns (uint256 amountUnits) {
        DelayedClaim storage delayed = delayedClaims[delayedId];
        // Rounded down: the last unit comes when the whole time has passed.
        uint256 dueUnits = block.timestamp >= delayed.endsAtSec
            ? delayed.amountUnits
            : block.timestamp <= delayed.startsAtSec
                ? 0
                : (uint256(delayed.amountUnits) * (block.timestamp - delayed.startsAtSec)) /
                    (delayed.endsAtSec - delayed.startsAtSec);
        amountUnits = dueUnits - delayed.releasedUnits;
        if (amountUnits == 0) revert NothingToClaim();
        delayed.releasedUnits = uint128(dueUnits);
        _creditClaim(delayed.owner, delayed.tokenId, amountUnits);
    }

    /// @notice Brings the tokens of the insurance fund in line with its booked money. For anyone.
    function moveTreasury() external nonReentrant {
        _moveTreasury();
    }

    function tokenConfig(uint256 tokenId) external view returns (Token memory) {
        return _token(tokenId);
    }

    /// @notice What `owner` may claim of a token now.
    function claimsUnits(address owner, uint256 tokenId) public view returns (uint256) {
        return EventWords.pendingOf(_claims[owner], tokenId);
    }

    function fundBookedMicros() external view returns (uint256) {
        return _quoteLedger.fundBooked;
    }

    function conservation(uint256 tokenId) external view returns (Conservation memory sums) {
        _token(tokenId);
        Ledger memory ledger = _load(tokenId);
        sums.heldUnits = ledger.held;
        sums.claimsUnits = ledger.claims;
        sums.queuedUnits = ledger.queued;
        sums.liquidUnits = ledger.liquid;
        if (tokenId == QUOTE) (sums.fundBookedMicros, sums.fundHeldMicros) = (ledger.fundBooked, fundHeldMicros);
    }

    // FOR THE ROLLUP

    /// @notice Takes tokens that the payer approved and counts them as queued.
    function pull(
        address payer,
        uint256 tokenId,
        uint256 amountWei
    ) external onlyRollup nonReentrant returns (uint256 amountUnits) {
        Token storage token = _token(tokenId);
        amountUnits = amountWei / token.weiPerUnit;
        if (amountUnits * token.weiPerUnit != amountWei) revert NotWholeUnits(amountWei, token.weiPerUnit);
        if (amountUnits < token.depositMinUnits) revert AmountTooSmall(amountUnits, token.depositMinUnits);
        Ledger memory ledger = _load(tokenId);
        uint256 roomUnits = token.capUnits > ledger.held ? token.capUnits - ledger.held : 0;
        if (amountUnits > roomUnits) revert AmountTooLarge(amountUnits, roomUnits);
        ledger.held += uint72(amountUnits);
        ledger.queued += uint72(amountUnits);
        _store(tokenId, ledger);
        uint256 balanceWei = token.token.balanceOf(address(this));
        token.token.safeTransferFrom(payer, address(this), amountWei);
        uint256 receivedWei = token.token.balanceOf(address(this)) - balanceWei;
        if (receivedWei != amountWei) revert TransferNotExact(amountWei, receivedWei);
    }

    /// @notice An owner's first account: later claims find slots that are in use, and cost its owner, not the batch.
    function open(address owner) external onlyRollup {
        _claims[owner] |= OPENED;
        if (delayedChain[owner] == 0) delayedChain[owner] = CHAIN_START;
    }

    /// @notice The ledger changes of a batch: `movements` (libraries/Movements; zero: none) in their order, the treasury
    /// last.
    /// Tokens follow later (claim, moveTreasury), so nothing about a token can stop a batch.
    function book(uint256[] calldata movements, uint256 incomeMicros, uint256 paymentsMicros) external onlyRollup {
        for (uint256 i = 0; i < movements.length; ++i) {
            if (movements[i] != 0) _move(movements[i]);
        }
        if (incomeMicros == 0 && paymentsMicros == 0) return;
        Ledger storage ledger = _quoteLedger;
        (uint256 booked, int256 liquid) = (ledger.fundBooked, ledger.liquid);
        booked = booked + incomeMicros - paymentsMicros;
        liquid = liquid + int256(paymentsMicros) - int256(incomeMicros);
        (ledger.fundBooked, ledger.liquid) = (SafeCast.toUint88(booked), SafeCast.toInt88(liquid));
    }

    // INTERNALS

    function _move(uint256 word) private {
        (uint256 kind, uint256 tokenId) = (Movements.kindOf(word), Movements.tokenOf(word));
        (uint256 amount, address owner) = (Movements.amountOf(word), Movements.ownerOf(word));
        if (kind >= Movements.SERVE) return _serve(owner, tokenId, amount, kind == Movements.SERVE_ALL);
        Ledger memory ledger = _load(tokenId);
        ledger.queued -= uint72(amount);
        if (kind == Movements.CREDIT) {
            ledger.liquid += int88(uint88(amount));
        } else if (kind == Movements.DONATE) {
            ledger.fundBooked += uint88(amount);
        } else {
            // Outside the outflow limit: it never was part of the state.
            ledger.claims += uint72(amount);
            _creditClaim(owner, tokenId, amount);
        }
        _store(tokenId, ledger);
    }

    function _load(uint256 tokenId) private view returns (Ledger memory ledger) {
        if (tokenId == QUOTE) return _quoteLedger;
        SpotLedger memory spot = _spotLedgers[tokenId];
        (ledger.liquid, ledger.queued) = (int88(uint88(spot.liquid)), spot.queued);
        (ledger.held, ledger.claims) = (spot.held, spot.claims);
        (ledger.outflowBookedUntilUs, ledger.outflowFloor) = (spot.outflowBookedUntilUs, spot.outflowFloor);
    }

    /// @dev The cap keeps a spot token's numbers far within their widths; one that is not, or is negative, stops here.
    function _store(uint256 tokenId, Ledger memory ledger) private {
        if (tokenId == QUOTE) {
            _quoteLedger = ledger;
            return;
        }
        uint256 bits = uint256(int256(ledger.liquid)) | ledger.queued | ledger.held | ledger.claims;
        assert(bits >> 40 == 0);
        _spotLedgers[tokenId] = SpotLedger({
            liquid: uint40(uint88(ledger.liquid)),
            queued: uint40(ledger.queued),
            held: uint40(ledger.held),
            claims: uint40(ledger.claims),
            outflowBookedUntilUs: ledger.outflowBookedUntilUs,
            outflowFloor: uint40(ledger.outflowFloor)
        });
    }

    /// @dev An account withdraws: its L1 owner gets a claim. What the L2 accounts do not own together cannot
    /// leave, and who is served short for want of liquidity gets all there is.
    function _serve(address owner, uint256 tokenId, uint256 served, bool isShortOfLiquidity) private {
        if (tokenId >= tokenCount) revert UnknownToken(tokenId);
        Ledger memory ledger = _load(tokenId);
        uint256 available = ledger.liquid > 0 ? uint88(ledger.liquid) : 0;
        if (served > available) revert ServedBeyondLiquidity(tokenId, served, available);
        if (isShortOfLiquidity && served < available) revert ShortWithLiquidityLeft(tokenId, served, available);
        if (served == 0) return;
        ledger.liquid -= int88(uint88(served));
        ledger.claims += SafeCast.toUint72(served);
        ledger.outflowBookedUntilUs = _creditWithinLimit(owner, tokenId, served, ledger);
        _store(tokenId, ledger);
    }

    /// @dev Credits what is within the outflow limit; what exceeds it, in part or whole, joins the owner's chain.
    function _creditWithinLimit(
        address owner,
        uint256 tokenId,
        uint256 amount,
        Ledger memory ledger
    ) private returns (uint56 newBookedUntilUs) {
        // Wherever the tokens lie: a fund payment may still be in the fund, and the fund's income in the vault. Liquidity
        // is not negative: the amount was taken from it.
        uint256 ownedUnits = uint256(ledger.claims) + ledger.queued + uint88(ledger.liquid);
        uint256 limit = ownedUnits / OUTFLOW_DIVISOR;
        if (limit < ledger.outflowFloor) limit = ledger.outflowFloor;
        uint256 immediate;
        uint256 startsAtSec;
        uint256 endsAtSec;
        (immediate, startsAtSec, endsAtSec, newBookedUntilUs) = OutflowLimit.book(
            ledger.outflowBookedUntilUs,
            amount,
            limit
        );
        if (immediate == amount) {
            _creditClaim(owner, tokenId, amount);
            return newBookedUntilUs;
        }
        uint256 claimWord = DelayedWords.pack(tokenId, amount - immediate, startsAtSec, endsAtSec, immediate);
        delayedChain[owner] = DelayedWords.append(delayedChain[owner], claimWord);
        emit ClaimDelayed(owner, claimWord);
    }

    function _creditClaim(address owner, uint256 tokenId, uint256 amount) private {
        _claims[owner] += EventWords.pending(tokenId, amount);
        emit ClaimCredited(owner, uint8(tokenId), amount);
    }

    /// @dev The fund keeps its booked money, less what a dry vault lacks: then the rollup holds exactly its claims,
    /// its queue and what the L2 accounts own. Never negative: a withdrawal never takes more than `liquid`.
    function _moveTreasury() private {
        Ledger storage ledger = _quoteLedger;
        Token storage token = _tokens[QUOTE];
        int256 shortfall = ledger.liquid < 0 ? int256(ledger.liquid) : int256(0);
        uint256 target = uint256(int256(uint256(ledger.fundBooked)) + shortfall);
        uint256 present = fundHeldMicros;
        if (target == present) return;
        fundHeldMicros = uint128(target);
        ledger.held = SafeCast.toUint72(ledger.held + present - target);
        emit TreasuryMoved(target);
        if (target > present) token.token.safeTransfer(address(fund), (target - present) * token.weiPerUnit);
        else fund.payVault((present - target) * token.weiPerUnit);
    }

    function _token(uint256 tokenId) private view returns (Token storage) {
        if (tokenId >= tokenCount) revert UnknownToken(tokenId);
        return _tokens[tokenId];
    }

    function _require(bool isMet, string memory reason) private pure {
        if (!isMet) revert BadTokens(reason);
    }
}
