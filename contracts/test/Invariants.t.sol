// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Handler, Rule} from "./Handler.sol";

/// @dev What must hold after any sequence of acts.
contract InvariantsTest {
    bool public constant IS_TEST = true;

    Handler private _handler;

    function setUp() public {
        _handler = new Handler();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    function never(Rule rule) private view {
        require(_handler.broken(rule) == 0, "it happened");
    }

    function invariant_anchorsAreThoseThatTheModelAllows() external view {
        never(Rule.AnchorAsModel);
    }

    function invariant_noMedicalAnchorByAnUnaccreditedAuthor() external view {
        never(Rule.MedicalByUnaccredited);
    }

    function invariant_recordIdsAreUnique() external view {
        never(Rule.IdTwice);
    }

    function invariant_grantIdsAreUnique() external view {
        never(Rule.GrantIdTwice);
    }

    function invariant_ownersActsAreTheOwners() external view {
        never(Rule.OwnerAlone);
    }

    function invariant_receiptsAreThoseThatTheModelAllows() external view {
        never(Rule.ReceiptAsModel);
    }

    function invariant_noReceiptWithoutALiveGrant() external view {
        never(Rule.ReceiptWithoutLiveGrant);
    }

    function invariant_revokedGrantsAuthoriseNothing() external view {
        require(_handler.liveThoughEnded() == 0, "live though ended");
    }

    function invariant_livenessAgreesWithTheModel() external view {
        require(_handler.livenessDiffers() == 0, "liveness");
    }

    function invariant_erasedRecordsAreNeverOpened() external view {
        never(Rule.ReceiptOfErased);
    }

    function invariant_onlyAcceptedRecordsAreOpened() external view {
        never(Rule.ReceiptOfUnaccepted);
    }

    function invariant_classZeroIsNeverOpenedByClass() external view {
        never(Rule.ClassZeroByClass);
    }

    function invariant_noReceiptIsGivenTwice() external view {
        never(Rule.ReceiptTwice);
    }

    function invariant_nobodyAmendsAnotherOwnersRecord() external view {
        never(Rule.ForeignAmendment);
    }

    function invariant_noClassThatFollowersDoNotReadIsTaken() external view {
        never(Rule.UnknownClassTaken);
    }

    function invariant_noReceiptUnderAListedGrantOfARecordInNoListOfIt() external view {
        never(Rule.ReceiptOfUnlisted);
    }

    function invariant_readsStayWithinTheirLimit() external view {
        never(Rule.TooManyReads);
    }

    function invariant_receiptsAreTheReadersAndOfTheGrantersRecords() external view {
        never(Rule.ForeignReader);
    }

    function invariant_forwarderNoncesNeverRepeat() external view {
        never(Rule.NonceTwice);
        require(_handler.noncesDiffer() == 0, "nonces or key versions");
    }

    function invariant_privilegedCallsHaveARole() external view {
        never(Rule.PrivilegedWithoutRole);
    }

    function invariant_recordsKeepTheirTimeAndCommitmentAndFlags() external view {
        require(_handler.recordsDiffer() == 0, "records");
    }

    function invariant_writeGrantsAgreeWithTheModel() external view {
        require(_handler.writingDiffers() == 0, "write grants");
    }

    function invariant_olderSealingKeysStay() external view {
        require(_handler.firstKeysDiffer() == 0, "keys");
    }

    function invariant_pastStatusNeverChanges() external view {
        require(_handler.pastDiffers() == 0, "past status");
    }

    /// @dev The handler is no use if it reaches nothing: a fixed walk must meet every interesting outcome.
    function test_theWalkReachesEverything() external {
        uint256 seed = 1;
        for (uint256 i = 0; i < 1_000; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256[5] memory d = [seed >> 8, seed >> 64, seed >> 128, seed >> 160, seed >> 192];
            uint256 act = seed % 26;
            if (act == 0) _handler.tick(d[0] % 4 hours);
            else if (act < 3) _handler.write(d[0], d[1], uint8(d[2]), d[3]);
            else if (act < 7) _handler.anchor(4, d[1], uint8(d[2]), uint8(d[3]), d[4]);
            else if (act < 10) _handler.accept(d[0], d[1]);
            else if (act < 11) _handler.erase(d[0], d[1], d[2]);
            else if (act < 15) _handler.allow(d[0], d[1], uint8(d[2]), d[3], d[4]);
            else if (act < 16) _handler.end(d[0], d[1], d[2]);
            else if (act < 21) _handler.open(d[0], d[1], d[2], d[3]);
            else if (act < 22) _handler.suspend(d[0], d[1]);
            else if (act < 23) _handler.relay(d[0], bytes32(d[1]));
            else if (act < 24) _handler.presume(d[0], d[1]);
            else _handler.deliver(d[0], d[1], d[2]);
        }
        require(_handler.anchorCount() > 10 && _handler.grantCount() > 10, "few anchors or grants");
        require(_handler.openCount() > 10 && _handler.refusedOpenCount() > 20, "few receipts or refusals");
        require(_handler.listedOpenCount() > 2, "few reads of what is listed");
        require(_handler.relayCount() > 10, "few relayed requests");
        require(_handler.amendCount() > 1, "few amendments");
        for (uint256 i = 0; i <= uint256(type(Rule).max); ++i) {
            never(Rule(i));
        }
    }
}
