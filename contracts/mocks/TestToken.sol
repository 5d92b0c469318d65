// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title A token for local chains and tests: anyone may mint.
contract TestToken is ERC20 {
    uint8 private immutable _decimals;

    constructor(string memory name_, string memory symbol_, uint8 decimals_) ERC20(name_, symbol_) {
        _decimals = decimals_;
    }

    function mint(address to, uint256 amountWei) external {
        _mint(to, amountWei);
    }

    function decimals() public view override returns (uint8) {
        return _decimals;
    }
}
