// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Keepers: who holds key shares, under which wrap keys, and which committee is in force
interface IKeepers {
    /// @notice A keeper came to be or changed hands.
    event KeeperRegistered(
        uint8 indexed index, address signer, uint32 version, bytes32 wrapKey, string endpoint
    );
    /// @notice A newer wrap key; older versions stay readable.
    event WrapKeyRotated(uint8 indexed index, uint32 version, bytes32 key);
    /// @notice A committee, the keepers 1 to n, is in force from this block on.
    event CommitteeFormed(uint32 indexed id, uint8 n, uint8 t);

    /// @notice Index 0 is never a share's.
    error ZeroIndex();
    /// @notice A wrap key of zero.
    error ZeroKey(uint8 index);
    /// @notice No signer was named.
    error ZeroSigner(uint8 index);
    /// @notice No keeper has this index.
    error UnknownKeeper(uint8 index);
    /// @notice The sender does not sign for this keeper.
    error NotKeeper(uint8 index, address sender);
    /// @notice t is not of 1 to n.
    error WrongThreshold(uint8 n, uint8 t);
    /// @notice No committee was in force.
    error NoCommittee(uint64 blockNumber);

    /// @notice Registers a keeper or hands its index to another operator. Restricted to the keeper registrar's role.
    function register(uint8 index, address operatorSigner, bytes32 wrapKey_, string calldata endpoint) external;

    /// @notice Sets a keeper's next wrap key; the sender is its signer.
    function rotateWrapKey(uint8 index, bytes32 key) external;

    /// @notice Puts the keepers 1 to n in force, t of whom open a record. Restricted to the keeper registrar's role.
    function formCommittee(uint8 n, uint8 t) external;

    /// @notice What is known of a keeper; all empty if there is none.
    function keeper(uint8 index)
        external
        view
        returns (address signer, bytes32 wrapKey_, uint32 version, string memory endpoint);

    /// @notice A keeper's wrap key of a version and the time it was set, or zero.
    function wrapKey(uint8 index, uint32 version) external view returns (bytes32 key, uint64 since);

    /// @notice The committee in force.
    function committee() external view returns (uint32 id, uint8 n, uint8 t);

    /// @notice The committee in force at the end of a block.
    function committeeAt(uint64 blockNumber) external view returns (uint32 id, uint8 n, uint8 t);

    /// @notice A committee, in force from the end of block since to before the end of block until (0: still); all zero
    /// if there is none of this id.
    function committeeOf(uint32 id) external view returns (uint64 since, uint64 until, uint8 n, uint8 t);
}
