// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IAccounts} from "../src/interfaces/IAccounts.sol";
import {IConsent} from "../src/interfaces/IConsent.sol";
import {IKeepers} from "../src/interfaces/IKeepers.sol";
import {IReceipts} from "../src/interfaces/IReceipts.sol";
import {IRecords} from "../src/interfaces/IRecords.sol";
import {AnchorFields, Class, ClassSet, GrantFields, GrantId, Kind, KindSet, RecordId, Role, Scope} from "../src/Types.sol";
import {vm} from "./Vm.sol";
import {World} from "./World.sol";

/// @dev Every custom error with its arguments.
contract RefusalsTest is World {
    function setUp() public {
        settle();
    }

    function refuse(address sender, bytes memory reason) private {
        vm.expectRevert(reason);
        vm.prank(sender);
    }

    // Accounts

    function test_AddressTaken() public {
        refuse(patient, abi.encodeWithSelector(IAccounts.AddressTaken.selector, patient));
        accounts.register(Role.Person, "key");
    }

    function test_AddressTaken_retired() public {
        rotate(idOf(patient), STRANGER);
        refuse(patient, abi.encodeWithSelector(IAccounts.AddressTaken.selector, patient));
        accounts.register(Role.Person, "key");
        refuse(stranger, abi.encodeWithSelector(IAccounts.AddressTaken.selector, stranger));
        accounts.register(Role.Person, "key");
    }

    function test_NotRegistered() public {
        bytes memory reason = abi.encodeWithSelector(IAccounts.NotRegistered.selector, stranger);
        refuse(stranger, reason);
        accounts.rotateSealingKey("key");
        refuse(stranger, reason);
        accounts.rotateAddress(reader, FAR, "");
        vm.expectRevert(reason);
        accounts.suspend(idOf(stranger));
        AnchorFields memory a = accepted(3);
        GrantFields memory g = granted(a);
        refuse(stranger, reason);
        records.anchor(a);
        refuse(stranger, reason);
        records.accept(a);
        refuse(stranger, reason);
        consent.revokeAll();
        refuse(stranger, reason);
        receipts.openRead(idOf(a), PURPOSE, 0, a, g);
    }

    function test_WrongRole() public {
        refuse(stranger, abi.encodeWithSelector(IAccounts.WrongRole.selector, stranger, Role.None));
        accounts.register(Role.None, "key");
        vm.expectRevert(abi.encodeWithSelector(IAccounts.WrongRole.selector, patient, Role.Person));
        accounts.accredit(idOf(patient), 0, 0, START, FAR, 0);
    }

    function test_ZeroKey() public {
        refuse(stranger, abi.encodeWithSelector(IAccounts.ZeroKey.selector, stranger));
        accounts.register(Role.Person, 0);
        refuse(patient, abi.encodeWithSelector(IAccounts.ZeroKey.selector, patient));
        accounts.rotateSealingKey(0);
        vm.expectRevert(abi.encodeWithSelector(IKeepers.ZeroKey.selector, 1));
        keepers.register(1, reader, 0, "");
    }

    function test_RotationExpired() public {
        refuse(patient, abi.encodeWithSelector(IAccounts.RotationExpired.selector, START - 1));
        accounts.rotateAddress(stranger, START - 1, "");
    }

    function test_WrongRotationSignature() public {
        bytes memory byAnother = signed(DOCTOR, rotation(idOf(patient), stranger, FAR));
        refuse(patient, abi.encodeWithSelector(IAccounts.WrongRotationSignature.selector, stranger));
        accounts.rotateAddress(stranger, FAR, byAnother);
    }

    function test_EmptyPeriod() public {
        vm.expectRevert(abi.encodeWithSelector(IAccounts.EmptyPeriod.selector, FAR, FAR));
        accounts.accredit(idOf(doctor), 0, 0, FAR, FAR, 0);
        vm.expectRevert(abi.encodeWithSelector(IAccounts.EmptyPeriod.selector, START - 9, START));
        accounts.accredit(idOf(doctor), 0, 0, START - 9, START, 0);
        refuse(patient, abi.encodeWithSelector(IConsent.EmptyPeriod.selector, START, START));
        consent.grantWrite(0, idOf(doctor), KindSet.wrap(2), START, 0);
        AnchorFields memory none;
        GrantFields memory g = grantOf(Scope.All, RecordId.wrap(0), 0);
        g.until = g.from;
        refuse(patient, abi.encodeWithSelector(IConsent.EmptyPeriod.selector, g.from, g.from));
        consent.grant(g, none);
    }

    function test_AlreadySuspended_NotSuspended() public {
        vm.expectRevert(abi.encodeWithSelector(IAccounts.NotSuspended.selector, doctor));
        accounts.reinstate(idOf(doctor));
        accounts.suspend(idOf(doctor));
        vm.expectRevert(abi.encodeWithSelector(IAccounts.AlreadySuspended.selector, doctor));
        accounts.suspend(idOf(doctor));
    }

    function test_Restricted_directCallerOnly() public {
        bytes memory reason = abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, stranger);
        refuse(stranger, reason);
        accounts.accredit(idOf(doctor), 0, 0, START, FAR, 0);
        refuse(stranger, reason);
        accounts.suspend(idOf(doctor));
        refuse(stranger, reason);
        accounts.reinstate(idOf(doctor));
        refuse(stranger, reason);
        keepers.register(1, stranger, "key", "");
        refuse(stranger, reason);
        keepers.formCommittee(0, 0);
        // Whoever appends the accreditor's address to a forwarded call is judged as the forwarder.
        refuse(
            address(forwarder),
            abi.encodeWithSelector(IAccessManaged.AccessManagedUnauthorized.selector, address(forwarder))
        );
        (bool done,) =
            address(accounts).call(abi.encodePacked(abi.encodeCall(accounts.suspend, (idOf(doctor))), address(this)));
        require(done, "a forwarded call used the role of the signer");
    }

    // Records

    function test_AlreadyAnchored() public {
        AnchorFields memory a = anchored(1, 3);
        a.packageDigest = "other";
        refuse(doctor, abi.encodeWithSelector(IRecords.AlreadyAnchored.selector, idOf(a)));
        records.anchor(a);
        AnchorFields[] memory twice = new AnchorFields[](2);
        twice[0] = twice[1] = fieldsOf(doctor, patient, 1, 3);
        refuse(doctor, abi.encodeWithSelector(IRecords.AlreadyAnchored.selector, idOf(twice[0])));
        records.anchorBatch(twice, new AnchorFields[](0));
    }

    function test_AlreadyAccepted_AlreadyRetracted() public {
        AnchorFields memory a = accepted(3);
        refuse(patient, abi.encodeWithSelector(IRecords.AlreadyAccepted.selector, idOf(a)));
        records.accept(a);
        vm.prank(doctor);
        records.retract(a);
        refuse(doctor, abi.encodeWithSelector(IRecords.AlreadyRetracted.selector, idOf(a)));
        records.retract(a);
    }

    function test_NotOwner() public {
        AnchorFields memory a = accepted(3);
        bytes memory reason = abi.encodeWithSelector(IRecords.NotOwner.selector, idOf(a), reader);
        refuse(reader, reason);
        records.accept(a);
        refuse(reader, reason);
        records.erase(a);
        refuse(reader, reason);
        records.replaceCapsule(a, "capsule");
        GrantFields memory g = granted(a);
        reason = abi.encodeWithSelector(IConsent.NotOwner.selector, idOf(g), reader);
        refuse(reader, reason);
        consent.grant(g, a);
        refuse(reader, reason);
        consent.revoke(g);
        refuse(reader, reason);
        consent.deliver(g, 1, 0);
    }

    function test_NotOwner_foreignRecord() public {
        AnchorFields memory a = accepted(3);
        GrantFields memory g = grantOf(Scope.One, idOf(a), 0);
        (g.owner, g.reader) = (idOf(reader), idOf(patient));
        refuse(reader, abi.encodeWithSelector(IConsent.NotOwner.selector, idOf(a), reader));
        consent.grant(g, a);
    }

    function test_NotAuthor() public {
        AnchorFields memory a = fieldsOf(doctor, patient, 1, 3);
        refuse(reader, abi.encodeWithSelector(IRecords.NotAuthor.selector, idOf(a), reader));
        records.anchor(a);
        a.kind = Kind.wrap(2);
        refuse(doctor, abi.encodeWithSelector(IRecords.NotAuthor.selector, idOf(a), doctor));
        records.anchor(a);
        a = anchored(1, 3);
        refuse(patient, abi.encodeWithSelector(IRecords.NotAuthor.selector, idOf(a), patient));
        records.retract(a);
    }

    function test_NotAuthor_inBatch() public {
        AnchorFields[] memory batch = new AnchorFields[](2);
        batch[0] = fieldsOf(doctor, patient, 1, 3);
        batch[1] = fieldsOf(reader, patient, 1, 3);
        refuse(doctor, abi.encodeWithSelector(IRecords.NotAuthor.selector, idOf(batch[1]), doctor));
        records.anchorBatch(batch, new AnchorFields[](0));
    }

    function test_NotAccredited() public {
        AnchorFields memory a = fieldsOf(doctor, patient, 1, 3);
        bytes memory reason = abi.encodeWithSelector(IRecords.NotAccredited.selector, doctor);
        accounts.suspend(idOf(doctor));
        refuse(doctor, reason);
        records.anchor(a);
        accounts.reinstate(idOf(doctor));
        vm.warp(FAR);
        refuse(doctor, reason);
        records.anchor(a);
        a = fieldsOf(reader, patient, 1, 3);
        refuse(reader, abi.encodeWithSelector(IRecords.NotAccredited.selector, reader));
        records.anchor(a);
        a.kind = Kind.wrap(5);
        refuse(reader, abi.encodeWithSelector(IRecords.NotAccredited.selector, reader));
        records.anchor(a);
    }

    function test_NotAccredited_retract() public {
        AnchorFields memory a = accepted(3);
        accounts.suspend(idOf(doctor));
        refuse(doctor, abi.encodeWithSelector(IRecords.NotAccredited.selector, doctor));
        records.retract(a);
        (,,, bool retracted,) = records.state(idOf(a));
        require(!retracted, "taken back while suspended");
    }

    function test_NotAccredited_forOthersWithoutAccreditation() public {
        grantWrite(patient, doctor, (1 << 3) | (1 << 4));
        accounts.suspend(idOf(doctor));
        for (uint8 kind = 3; kind <= 4; ++kind) {
            AnchorFields memory a = fieldsOf(doctor, patient, kind, 3);
            refuse(doctor, abi.encodeWithSelector(IRecords.NotAccredited.selector, doctor));
            records.anchor(a);
        }
        accounts.reinstate(idOf(doctor));
        AnchorFields memory device = fieldsOf(doctor, patient, 4, 3);
        vm.prank(doctor);
        records.anchor(device);
    }

    function test_NoWriteGrant() public {
        AnchorFields memory a = fieldsOf(doctor, reader, 1, 3);
        refuse(doctor, abi.encodeWithSelector(IRecords.NoWriteGrant.selector, reader, doctor, 1));
        records.anchor(a);
        a = fieldsOf(doctor, patient, 3, 3);
        refuse(doctor, abi.encodeWithSelector(IRecords.NoWriteGrant.selector, patient, doctor, 3));
        records.anchor(a);
        vm.prank(patient);
        consent.revokeWrite(idOf(doctor));
        a = fieldsOf(doctor, patient, 1, 3);
        refuse(doctor, abi.encodeWithSelector(IRecords.NoWriteGrant.selector, patient, doctor, 1));
        records.anchor(a);
        refuse(patient, abi.encodeWithSelector(IConsent.NoWriteGrant.selector, patient, doctor));
        consent.revokeWrite(idOf(doctor));
    }

    function test_NoWriteGrant_inBatch() public {
        AnchorFields[] memory batch = new AnchorFields[](2);
        batch[0] = fieldsOf(doctor, patient, 1, 3);
        batch[1] = fieldsOf(doctor, reader, 1, 3);
        refuse(doctor, abi.encodeWithSelector(IRecords.NoWriteGrant.selector, reader, doctor, 1));
        records.anchorBatch(batch, new AnchorFields[](0));
    }

    function test_NoWriteGrant_kindInBatch() public {
        AnchorFields[] memory batch = new AnchorFields[](2);
        batch[0] = fieldsOf(doctor, patient, 1, 3);
        batch[1] = fieldsOf(doctor, patient, 3, 3);
        refuse(doctor, abi.encodeWithSelector(IRecords.NoWriteGrant.selector, patient, doctor, 3));
        records.anchorBatch(batch, new AnchorFields[](0));
    }

    function test_UnknownKind() public {
        for (uint8 kind = 0; kind < 8; kind += 6) {
            AnchorFields memory a = fieldsOf(doctor, patient, kind, 3);
            refuse(doctor, abi.encodeWithSelector(IRecords.UnknownKind.selector, kind));
            records.anchor(a);
        }
    }

    function test_WrongPreimage() public {
        AnchorFields memory a = accepted(3);
        GrantFields memory g = granted(a);
        AnchorFields memory b = accepted(3);
        GrantFields memory h = grantOf(Scope.One, idOf(b), 0);
        refuse(patient, abi.encodeWithSelector(IConsent.WrongPreimage.selector, idOf(b)));
        consent.grant(h, a);
        refuse(reader, abi.encodeWithSelector(IReceipts.WrongPreimage.selector, idOf(b)));
        receipts.openRead(idOf(b), PURPOSE, 0, a, g);
        a.class = Class.wrap(4);
        refuse(patient, abi.encodeWithSelector(IRecords.WrongPreimage.selector, idOf(a)));
        records.erase(a);
        refuse(reader, abi.encodeWithSelector(IRecords.WrongPreimage.selector, idOf(a)));
        receipts.openRead(idOf(a), PURPOSE, 0, a, g);
        g.until += 1;
        vm.expectRevert(abi.encodeWithSelector(IConsent.WrongPreimage.selector, idOf(g)));
        consent.check(g);
    }

    function test_UnknownRecord() public {
        AnchorFields memory a = fieldsOf(doctor, patient, 1, 3);
        refuse(patient, abi.encodeWithSelector(IRecords.UnknownRecord.selector, idOf(a)));
        records.accept(a);
        AnchorFields memory b = fieldsOf(doctor, patient, 1, 3);
        b.amends = idOf(a);
        refuse(doctor, abi.encodeWithSelector(IRecords.UnknownRecord.selector, b.amends));
        records.amend(b, a);
    }

    function test_UnknownRecord_amendsForeign() public {
        grantWrite(reader, doctor, 2);
        AnchorFields memory a = anchored(1, 3);
        AnchorFields memory b = fieldsOf(doctor, reader, 1, 3);
        b.amends = idOf(a);
        bytes memory reason = abi.encodeWithSelector(IRecords.UnknownRecord.selector, b.amends);
        refuse(doctor, reason);
        records.amend(b, a);
        (AnchorFields[] memory batch, AnchorFields[] memory amended) = (new AnchorFields[](1), new AnchorFields[](1));
        (batch[0], amended[0]) = (b, a);
        refuse(doctor, reason);
        records.anchorBatch(batch, amended);
    }

    /// @dev An address that ends like the owner's: 32 equal bits were enough once.
    function test_UnknownRecord_amendsAnOwnerThatLooksAlike() public {
        AnchorFields memory a = anchored(1, 3);
        address alike = address(uint160(patient) ^ (uint160(1) << 159));
        register(alike, Role.Person);
        grantWrite(alike, doctor, 2);
        AnchorFields memory b = fieldsOf(doctor, alike, 1, 3);
        b.amends = idOf(a);
        refuse(doctor, abi.encodeWithSelector(IRecords.UnknownRecord.selector, b.amends));
        records.amend(b, a);
        AnchorFields memory forged = a;
        forged.owner = idOf(alike);
        refuse(doctor, abi.encodeWithSelector(IRecords.WrongPreimage.selector, b.amends));
        records.amend(b, forged);
    }

    function test_AmendedFieldsMissing() public {
        AnchorFields memory a = anchored(1, 3);
        AnchorFields memory b = fieldsOf(doctor, patient, 1, 3);
        b.amends = idOf(a);
        bytes memory reason = abi.encodeWithSelector(IRecords.AmendedFieldsMissing.selector, idOf(a));
        refuse(doctor, reason);
        records.anchor(b);
        AnchorFields[] memory batch = new AnchorFields[](1);
        batch[0] = b;
        refuse(doctor, reason);
        records.anchorBatch(batch, new AnchorFields[](0));
        AnchorFields[] memory more = new AnchorFields[](2);
        (more[0], more[1]) = (a, a);
        refuse(doctor, abi.encodeWithSelector(IRecords.WrongBatchSize.selector, 2));
        records.anchorBatch(batch, more);
        b.amends = RecordId.wrap(0);
        refuse(doctor, abi.encodeWithSelector(IRecords.WrongPreimage.selector, b.amends));
        records.amend(b, a);
    }

    function test_UnknownClass() public {
        AnchorFields memory a = fieldsOf(doctor, patient, 1, 63);
        vm.prank(doctor);
        records.anchor(a);
        AnchorFields[] memory batch = new AnchorFields[](2);
        batch[0] = fieldsOf(doctor, patient, 1, 3);
        for (uint256 class = 64; class < 256; class += 191) {
            batch[1] = fieldsOf(doctor, patient, 1, uint8(class));
            bytes memory reason = abi.encodeWithSelector(IRecords.UnknownClass.selector, class);
            refuse(doctor, reason);
            records.anchor(batch[1]);
            refuse(doctor, reason);
            records.anchorBatch(batch, new AnchorFields[](0));
        }
    }

    function test_UnknownClasses() public {
        AnchorFields memory none;
        grantedClasses(type(uint64).max - 1);
        for (uint256 bit = 64; bit < 256; bit += 191) {
            GrantFields memory g = grantOf(Scope.Classes, RecordId.wrap(0), (uint256(1) << bit) | 2);
            refuse(patient, abi.encodeWithSelector(IConsent.UnknownClasses.selector, g.classes));
            consent.grant(g, none);
        }
    }

    function test_NonceUsed() public {
        AnchorFields memory a = accepted(3);
        AnchorFields memory b = accepted(3);
        GrantFields memory g = grantedClasses(0);
        vm.prank(reader);
        receipts.openRead(idOf(a), PURPOSE, "once", a, g);
        bytes memory reason = abi.encodeWithSelector(IReceipts.NonceUsed.selector, reader, bytes32("once"));
        refuse(reader, reason);
        receipts.openRead(idOf(a), PURPOSE, "once", a, g);
        refuse(reader, reason);
        receipts.openRead(idOf(b), PURPOSE, "once", b, g);
    }

    function test_RecordErased() public {
        AnchorFields memory a = accepted(3);
        GrantFields memory g = granted(a);
        vm.prank(patient);
        records.erase(a);
        bytes memory reason = abi.encodeWithSelector(IRecords.RecordErased.selector, idOf(a));
        refuse(patient, reason);
        records.erase(a);
        refuse(patient, reason);
        records.accept(a);
        refuse(doctor, reason);
        records.retract(a);
        refuse(patient, reason);
        records.replaceCapsule(a, 0);
        refuse(reader, reason);
        receipts.openRead(idOf(a), PURPOSE, 0, a, g);
        g.nonce = "again";
        refuse(patient, reason);
        consent.grant(g, a);
    }

    function test_NotAccepted() public {
        AnchorFields memory a = anchored(1, 3);
        GrantFields memory one = grantOf(Scope.One, idOf(a), 0);
        bytes memory reason = abi.encodeWithSelector(IRecords.NotAccepted.selector, idOf(a));
        refuse(patient, reason);
        consent.grant(one, a);
        GrantFields memory all = grantedClasses(0);
        refuse(reader, reason);
        receipts.openRead(idOf(a), PURPOSE, 0, a, all);
    }

    function test_WrongBatchSize() public {
        AnchorFields[] memory batch = new AnchorFields[](257);
        refuse(doctor, abi.encodeWithSelector(IRecords.WrongBatchSize.selector, 257));
        records.anchorBatch(batch, new AnchorFields[](0));
        refuse(doctor, abi.encodeWithSelector(IRecords.WrongBatchSize.selector, 0));
        records.anchorBatch(new AnchorFields[](0), new AnchorFields[](0));
    }

    // Consent and receipts

    function test_AlreadyGranted() public {
        AnchorFields memory a = accepted(3);
        GrantFields memory g = granted(a);
        bytes memory reason = abi.encodeWithSelector(IConsent.AlreadyGranted.selector, idOf(g));
        refuse(patient, reason);
        consent.grant(g, a);
        vm.prank(patient);
        consent.revoke(g);
        refuse(patient, reason);
        consent.grant(g, a);
        // Read and write grants share their ids.
        refuse(patient, reason);
        consent.grantWrite(g.nonce, idOf(reader), KindSet.wrap(2), FAR, 0);
    }

    function test_UnknownGrant() public {
        GrantFields memory g = grantOf(Scope.All, RecordId.wrap(0), 0);
        bytes memory reason = abi.encodeWithSelector(IConsent.UnknownGrant.selector, idOf(g));
        vm.expectRevert(reason);
        consent.check(g);
        refuse(patient, reason);
        consent.revoke(g);
        // A write grant's id is no read grant.
        vm.prank(patient);
        consent.grantWrite(g.nonce, idOf(reader), KindSet.wrap(2), FAR, 0);
        vm.expectRevert(reason);
        consent.check(g);
    }

    function test_GrantRevoked() public {
        AnchorFields memory a = accepted(3);
        for (uint256 way = 0; way < 3; ++way) {
            GrantFields memory g = granted(a);
            vm.prank(patient);
            if (way == 0) consent.revoke(g);
            else if (way == 1) consent.revokeReader(idOf(reader));
            else consent.revokeAll();
            bytes memory reason = abi.encodeWithSelector(IConsent.GrantRevoked.selector, idOf(g));
            refuse(reader, reason);
            receipts.openRead(idOf(a), PURPOSE, 0, a, g);
            refuse(patient, reason);
            consent.deliver(g, 1, 0);
            require(!consent.isLive(g), "still live");
            if (way == 0) {
                refuse(patient, reason);
                consent.revoke(g);
            }
        }
    }

    function test_GrantExpired_GrantNotYetValid() public {
        AnchorFields memory a = accepted(3);
        GrantFields memory g = granted(a);
        vm.warp(g.until - 1);
        open(a, g);
        vm.warp(g.until);
        refuse(reader, abi.encodeWithSelector(IConsent.GrantExpired.selector, idOf(g), g.until));
        receipts.openRead(idOf(a), PURPOSE, 0, a, g);
        vm.warp(g.from - 1);
        refuse(reader, abi.encodeWithSelector(IConsent.GrantNotYetValid.selector, idOf(g), g.from));
        receipts.openRead(idOf(a), PURPOSE, 0, a, g);
    }

    function test_WrongScope() public {
        AnchorFields memory none;
        bytes32[6] memory ids = [bytes32(0), "id", 0, 0, "id", 0];
        uint256[6] memory classes = [uint256(0), 2, 1, 3, 0, 4];
        Scope[6] memory scopes = [Scope.Classes, Scope.Classes, Scope.Classes, Scope.Classes, Scope.All, Scope.All];
        for (uint256 i = 0; i < 6; ++i) {
            GrantFields memory g = grantOf(scopes[i], RecordId.wrap(ids[i]), classes[i]);
            refuse(patient, abi.encodeWithSelector(IConsent.WrongScope.selector, idOf(g)));
            consent.grant(g, none);
        }
    }

    function test_UnknownKinds() public {
        uint8[3] memory wrong = [0, 1, 64];
        for (uint256 i = 0; i < 3; ++i) {
            refuse(patient, abi.encodeWithSelector(IConsent.UnknownKinds.selector, wrong[i]));
            consent.grantWrite("n", idOf(doctor), KindSet.wrap(wrong[i]), FAR, 0);
        }
    }

    function test_NotReader() public {
        AnchorFields memory a = accepted(3);
        GrantFields memory g = granted(a);
        refuse(doctor, abi.encodeWithSelector(IReceipts.NotReader.selector, idOf(g), doctor));
        receipts.openRead(idOf(a), PURPOSE, 0, a, g);
    }

    function test_WrongPurpose() public {
        AnchorFields memory a = accepted(3);
        GrantFields memory g = granted(a);
        refuse(reader, abi.encodeWithSelector(IReceipts.WrongPurpose.selector, idOf(g), bytes32("research")));
        receipts.openRead(idOf(a), "research", 0, a, g);
    }

    function test_RecordNotCovered() public {
        AnchorFields memory a = accepted(3);
        GrantFields memory g = granted(a);
        AnchorFields memory b = accepted(4);
        refuse(reader, abi.encodeWithSelector(IReceipts.RecordNotCovered.selector, idOf(g), idOf(b)));
        receipts.openRead(idOf(b), PURPOSE, 0, b, g);
        GrantFields memory byClass = grantedClasses(1 << 3);
        refuse(reader, abi.encodeWithSelector(IReceipts.RecordNotCovered.selector, idOf(byClass), idOf(b)));
        receipts.openRead(idOf(b), PURPOSE, 0, b, byClass);
        AnchorFields memory undisclosed = accepted(0);
        GrantFields memory every = grantedClasses(type(uint64).max - 1);
        refuse(reader, abi.encodeWithSelector(IReceipts.RecordNotCovered.selector, idOf(every), idOf(undisclosed)));
        receipts.openRead(idOf(undisclosed), PURPOSE, 0, undisclosed, every);
    }

    function test_RecordNotCovered_foreignOwner() public {
        grantWrite(reader, doctor, 2);
        AnchorFields memory a = fieldsOf(doctor, reader, 1, 3);
        vm.prank(doctor);
        records.anchor(a);
        vm.prank(reader);
        records.accept(a);
        GrantFields memory all = grantedClasses(0);
        refuse(reader, abi.encodeWithSelector(IReceipts.RecordNotCovered.selector, idOf(all), idOf(a)));
        receipts.openRead(idOf(a), PURPOSE, 0, a, all);
    }

    function test_ReadsExhausted() public {
        AnchorFields memory a = accepted(3);
        GrantFields memory g = grantOf(Scope.One, idOf(a), 0);
        g.reads = 2;
        vm.prank(patient);
        consent.grant(g, a);
        open(a, g);
        open(a, g);
        refuse(reader, abi.encodeWithSelector(IReceipts.ReadsExhausted.selector, idOf(g), 2));
        receipts.openRead(idOf(a), PURPOSE, 0, a, g);
        require(receipts.readsUsed(idOf(g)) == 2, "count");
    }

    // Keepers

    function test_Keepers() public {
        vm.expectRevert(abi.encodeWithSelector(IKeepers.NoCommittee.selector, uint64(block.number)));
        keepers.committee();
        vm.expectRevert(abi.encodeWithSelector(IKeepers.ZeroIndex.selector));
        keepers.register(0, reader, "key", "");
        vm.expectRevert(abi.encodeWithSelector(IKeepers.ZeroSigner.selector, 1));
        keepers.register(1, address(0), "key", "");
        vm.expectRevert(abi.encodeWithSelector(IKeepers.UnknownKeeper.selector, 1));
        keepers.rotateWrapKey(1, "key");
        keepers.register(1, reader, "key", "http://127.0.0.1");
        refuse(patient, abi.encodeWithSelector(IKeepers.NotKeeper.selector, 1, patient));
        keepers.rotateWrapKey(1, "key");
        keepers.register(3, reader, "key", "http://127.0.0.1");
        vm.expectRevert(abi.encodeWithSelector(IKeepers.UnknownKeeper.selector, 2));
        keepers.formCommittee(3, 1);
        uint8[2][3] memory wrong = [[0, 0], [1, 2], [1, 0]];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IKeepers.WrongThreshold.selector, wrong[i][0], wrong[i][1]));
            keepers.formCommittee(wrong[i][0], wrong[i][1]);
        }
    }
}
