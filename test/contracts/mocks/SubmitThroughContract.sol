// SPDX-License-Identifier: GPL-3.0-only
pragma solidity ^0.8.28;

/// @title Forwards any call, so that the rollup's caller is a contract; takes Ether only if told to.
contract SubmitThroughContract {
    bool public takesEther;

    error NoEther();

    receive() external payable {
        if (!takesEther) revert NoEther();
    }

    function setTakesEther(bool takes) external {
        takesEther = takes;
    }

    function forward(address target, bytes calldata call) external payable returns (bytes memory) {
        (bool isDone, bytes memory answer) = target.call{value: msg.value}(call);
        if (!isDone) {
            assembly ("memory-safe") {
                revert(add(answer, 32), mload(answer))
            }
        }
        return answer;
    }
}
