// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

/// @title Returns nothing from transfers, as some of the oldest and largest tokens do.
contract NoReturnToken {
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;

    error TooLittle();

    function decimals() external pure returns (uint8) {
        return 6;
    }

    function mint(address to, uint256 amountWei) external {
        balanceOf[to] += amountWei;
    }

    function approve(address spender, uint256 amountWei) external {
        allowance[msg.sender][spender] = amountWei;
    }

    function transfer(address to, uint256 amountWei) external {
        _move(msg.sender, to, amountWei);
    }

    function transferFrom(address from, address to, uint256 amountWei) external {
        if (allowance[from][msg.sender] < amountWei) revert TooLittle();
        allowance[from][msg.sender] -= amountWei;
        _move(from, to, amountWei);
    }

    function _move(address from, address to, uint256 amountWei) private {
        if (balanceOf[from] < amountWei) revert TooLittle();
        balanceOf[from] -= amountWei;
        balanceOf[to] += amountWei;
    }
}
