// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {IConsent} from "../src/interfaces/IConsent.sol";
import {IReceipts} from "../src/interfaces/IReceipts.sol";
import {IRecords} from "../src/interfaces/IRecords.sol";
import {AnchorFields, GrantFields, RecordId, Scope} from "../src/Types.sol";
import {Vm, vm} from "./Vm.sol";
import {World} from "./World.sol";

/// @dev A Listed grant reaches what is in a list that was delivered under it, and nothing else.
contract ListedTest is World {
    AnchorFields[4] private _in;
    bytes32[4] private _leaves;
    bytes32 private _root;
    AnchorFields private _outside;

    function setUp() public {
        settle();
        for (uint256 i = 0; i < 4; ++i) {
            _in[i] = accepted(uint8(i));
            _leaves[i] = leafOf(idOf(_in[i]));
        }
        _root = node(node(_leaves[0], _leaves[1]), node(_leaves[2], _leaves[3]));
        _outside = accepted(3);
    }

    function pathOf(uint256 i) private view returns (bytes32[] memory path) {
        path = new bytes32[](2);
        path[0] = _leaves[i ^ 1];
        path[1] = i < 2 ? node(_leaves[2], _leaves[3]) : node(_leaves[0], _leaves[1]);
    }

    function openListed(AnchorFields memory a, GrantFields memory g, bytes32[] memory path) private {
        bytes32 nonce = draw();
        vm.prank(reader);
        receipts.openListed(idOf(a), g.purposeTag, nonce, a, g, saltOf(idOf(a)), path);
    }

    function notCovered(AnchorFields memory a, GrantFields memory g, bytes32 salt, bytes32[] memory path) private {
        bytes memory reason = abi.encodeWithSelector(IReceipts.RecordNotCovered.selector, idOf(g), idOf(a));
        bytes32 nonce = draw();
        vm.expectRevert(reason);
        vm.prank(reader);
        receipts.openListed(idOf(a), g.purposeTag, nonce, a, g, salt, path);
    }

    function notCovered(AnchorFields memory a, GrantFields memory g, bytes32[] memory path) private {
        notCovered(a, g, saltOf(idOf(a)), path);
    }

    function deliver(GrantFields memory g, bytes32 root) private {
        vm.prank(patient);
        consent.deliverList(g, 1, "list", root);
    }

    /// @dev The same stands in crates/service/consent/src/list.rs.
    function test_vector() public pure {
        bytes32[] memory path = new bytes32[](2);
        path[0] = hex"0303030303030303030303030303030303030303030303030303030303030303";
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(bytes32(hex"0101010101010101010101010101010101010101010101010101010101010101"), bytes32(hex"0202020202020202020202020202020202020202020202020202020202020202")))));
        require(MerkleProof.processProof(path, leaf) == hex"3b80f538afcf953531be115fccd78aa19e48f377257f12bb372a59ab05de63eb", "root");
    }

    function test_whatIsInTheFirstListIsOpened() public {
        GrantFields memory g = grantedListed(_root);
        for (uint256 i = 0; i < 4; ++i) {
            vm.recordLogs();
            openListed(_in[i], g, pathOf(i));
            Vm.Log memory log = vm.getRecordedLogs()[0];
            require(log.topics[0] == IReceipts.ReadOpened.selector, "event");
            require(log.topics[2] == RecordId.unwrap(idOf(_in[i])), "record");
        }
    }

    function test_aLaterListAddsToTheFirst() public {
        GrantFields memory g = grantedListed("of nothing");
        notCovered(_in[1], g, pathOf(1));
        require(!consent.isDelivered(idOf(g), _root), "not yet");
        vm.recordLogs();
        deliver(g, _root);
        Vm.Log memory log = vm.getRecordedLogs()[0];
        require(log.topics[0] == IConsent.Delivered.selector, "event");
        require(keccak256(log.data) == keccak256(abi.encode(uint32(1), bytes32("list"))), "data");
        require(consent.isDelivered(idOf(g), _root), "delivered");
        openListed(_in[1], g, pathOf(1));
        deliver(g, leafOf(idOf(_outside)));
        openListed(_outside, g, new bytes32[](0));
        openListed(_in[2], g, pathOf(2));
    }

    function test_whatIsInNoListIsRefused() public {
        GrantFields memory g = grantedListed(_root);
        notCovered(_outside, g, pathOf(0));
        notCovered(_outside, g, new bytes32[](0));
        // Another's path, a cut one, a longer one, another salt.
        notCovered(_in[0], g, pathOf(2));
        bytes32[] memory path = new bytes32[](1);
        path[0] = _leaves[1];
        notCovered(_in[0], g, path);
        path = new bytes32[](3);
        (path[0], path[1]) = (pathOf(0)[0], pathOf(0)[1]);
        notCovered(_in[0], g, path);
        notCovered(_in[0], g, "another", pathOf(0));
    }

    /// @dev A path from an inner node has the shape of a shorter one: no record and salt hash to it.
    function testFuzz_anInnerNodeIsNoLeaf(bytes32 salt) public {
        GrantFields memory g = grantedListed(_root);
        bytes32[] memory path = new bytes32[](1);
        path[0] = node(_leaves[2], _leaves[3]);
        notCovered(_outside, g, salt, path);
        notCovered(_in[0], g, salt, path);
    }

    function testFuzz_noOtherPathOpens(uint256 place, bytes32[] memory path) public {
        GrantFields memory g = grantedListed(_root);
        notCovered(_outside, g, path);
        AnchorFields memory a = _in[place % 4];
        if (keccak256(abi.encode(path)) != keccak256(abi.encode(pathOf(place % 4)))) notCovered(a, g, path);
    }

    function test_aListOfAnotherGrantOpensNothing() public {
        GrantFields memory g = grantedListed("of nothing");
        GrantFields memory other = grantedListed(_root);
        notCovered(_in[0], g, pathOf(0));
        openListed(_in[0], other, pathOf(0));
        deliver(other, leafOf(idOf(_outside)));
        notCovered(_outside, g, new bytes32[](0));
    }

    function test_aRecordOfAnotherOwnerIsNotCovered() public {
        grantWrite(reader, doctor, 2);
        AnchorFields memory a = fieldsOf(doctor, reader, 1, 3);
        vm.prank(doctor);
        records.anchor(a);
        vm.prank(reader);
        records.accept(a);
        GrantFields memory g = grantedListed(leafOf(idOf(a)));
        notCovered(a, g, new bytes32[](0));
    }

    function test_pathsHaveSixteenStepsAtMost() public {
        bytes32[] memory path = new bytes32[](16);
        bytes32 root = leafOf(idOf(_outside));
        for (uint256 i = 0; i < 16; ++i) {
            path[i] = draw();
            root = node(root, path[i]);
        }
        openListed(_outside, grantedListed(root), path);
        bytes32[] memory longer = new bytes32[](17);
        for (uint256 i = 0; i < 16; ++i) {
            longer[i] = path[i];
        }
        notCovered(_outside, grantedListed(node(root, 0)), longer);
    }

    function test_eachWayOfOpeningIsForItsGrants() public {
        GrantFields memory g = grantedListed(_root);
        vm.expectRevert(abi.encodeWithSelector(IReceipts.RecordNotCovered.selector, idOf(g), idOf(_in[0])));
        vm.prank(reader);
        receipts.openRead(idOf(_in[0]), g.purposeTag, "read", _in[0], g);
        notCovered(_in[0], grantedClasses(0), pathOf(0));
        notCovered(_in[3], grantedClasses(8), pathOf(3));
        notCovered(_in[0], granted(_in[0]), pathOf(0));
    }

    function test_anEndedGrantOpensAndTakesNothing() public {
        GrantFields memory g = grantedListed(_root);
        vm.prank(patient);
        consent.revoke(g);
        bytes memory revoked = abi.encodeWithSelector(IConsent.GrantRevoked.selector, idOf(g));
        vm.expectRevert(revoked);
        openListed(_in[0], g, pathOf(0));
        vm.expectRevert(revoked);
        deliver(g, _root);
        GrantFields memory later = grantedListed(_root);
        vm.warp(later.until);
        vm.expectRevert(abi.encodeWithSelector(IConsent.GrantExpired.selector, idOf(later), later.until));
        openListed(_in[0], later, pathOf(0));
        vm.expectRevert(abi.encodeWithSelector(IConsent.GrantExpired.selector, idOf(later), later.until));
        deliver(later, _root);
    }

    function test_erasedAndLimitedAsEveryGrant() public {
        GrantFields memory g = grantOf(Scope.Listed, RecordId.wrap(_root), 0);
        g.reads = 1;
        vm.prank(patient);
        consent.grant(g, _in[0]);
        openListed(_in[0], g, pathOf(0));
        vm.expectRevert(abi.encodeWithSelector(IReceipts.ReadsExhausted.selector, idOf(g), 1));
        openListed(_in[1], g, pathOf(1));
        vm.prank(patient);
        records.erase(_in[2]);
        GrantFields memory other = grantedListed(_root);
        vm.expectRevert(abi.encodeWithSelector(IRecords.RecordErased.selector, idOf(_in[2])));
        openListed(_in[2], other, pathOf(2));
    }

    function test_listsAreTheOwnersAndOfListedGrants() public {
        GrantFields memory g = grantedListed(_root);
        vm.expectRevert(abi.encodeWithSelector(IConsent.NotOwner.selector, idOf(g), idOf(reader)));
        vm.prank(reader);
        consent.deliverList(g, 1, 0, leafOf(idOf(_outside)));
        GrantFields memory all = grantedClasses(0);
        vm.expectRevert(abi.encodeWithSelector(IConsent.WrongScope.selector, idOf(all)));
        deliver(all, _root);
        // A list without a root, and one with classes beside it, are none.
        AnchorFields memory none;
        GrantFields memory empty = grantOf(Scope.Listed, RecordId.wrap(0), 0);
        vm.expectRevert(abi.encodeWithSelector(IConsent.WrongScope.selector, idOf(empty)));
        vm.prank(patient);
        consent.grant(empty, none);
        GrantFields memory both = grantOf(Scope.Listed, RecordId.wrap(_root), 8);
        vm.expectRevert(abi.encodeWithSelector(IConsent.WrongScope.selector, idOf(both)));
        vm.prank(patient);
        consent.grant(both, none);
    }
}
