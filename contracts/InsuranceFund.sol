// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

/// @title Keeps the quote tokens that cover bankrupt accounts.
/// @notice Holds money and decides nothing: what the fund may pay is booked in TokenVault from proved batches.
/// The vault creates its fund, so there is nothing to initialise and nobody else to obey.
contract InsuranceFund {
    using SafeERC20 for IERC20;

    IERC20 public immutable quoteToken;
    address public immutable vault;

    error NotVault(address caller);

    constructor(IERC20 quoteToken_) {
        quoteToken = quoteToken_;
        vault = msg.sender;
    }

    /// @notice Moves tokens to the vault, where they cover a booked fund payment.
    function payVault(uint256 amountWei) external {
        if (msg.sender != vault) revert NotVault(msg.sender);
        quoteToken.safeTransfer(vault, amountWei);
    }
}
