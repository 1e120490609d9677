// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ERC2771Forwarder} from "@openzeppelin/contracts/metatx/ERC2771Forwarder.sol";
import {IAccountContext} from "../src/interfaces/IAccountContext.sol";
import {IConsent} from "../src/interfaces/IConsent.sol";
import {IReceipts} from "../src/interfaces/IReceipts.sol";
import {IRecords} from "../src/interfaces/IRecords.sol";
import {
    AccountId,
    AnchorFields,
    Class,
    ClassSet,
    GrantFields,
    GrantId,
    Kind,
    KindSet,
    NO_ACCOUNT,
    RecordId,
    Role,
    Scope
} from "../src/Types.sol";
import {Vm, vm} from "./Vm.sol";
import {World} from "./World.sol";

/// @dev What must work, and properties over drawn input.
contract JourneyTest is World {
    function setUp() public {
        settle();
    }

    function test_receiptNamesWhatItProves() public {
        AnchorFields memory a = accepted(3);
        GrantFields memory g = granted(a);
        vm.recordLogs();
        vm.prank(reader);
        receipts.openRead(idOf(a), PURPOSE, "once", a, g);
        Vm.Log memory log = vm.getRecordedLogs()[0];
        require(log.emitter == address(receipts) && log.topics[0] == IReceipts.ReadOpened.selector, "event");
        bytes32 id = keccak256(abi.encode(idOf(a), reader, idOf(g), bytes32("once")));
        require(log.topics[1] == id && log.topics[2] == RecordId.unwrap(idOf(a)), "ids");
        require(log.topics[3] == bytes32(uint256(uint160(reader))), "reader");
        require(keccak256(log.data) == keccak256(abi.encode(idOf(g), patient, bytes32("once"))), "data");
    }

    function test_stateOfARecord() public {
        AnchorFields memory a = anchored(1, 3);
        checkState(a, false, false, false);
        vm.prank(patient);
        records.accept(a);
        checkState(a, true, false, false);
        vm.prank(doctor);
        records.retract(a);
        checkState(a, true, false, true);
        vm.prank(patient);
        records.erase(a);
        checkState(a, true, true, true);
    }

    function test_authorTakesBackUnlessSuspended() public {
        AnchorFields memory a = accepted(3);
        accounts.suspend(idOf(doctor));
        accounts.reinstate(idOf(doctor));
        vm.warp(FAR);
        require(!accounts.isAccredited(idOf(doctor)), "the accreditation has expired");
        vm.prank(doctor);
        records.retract(a);
        checkState(a, true, false, true);
        // An account that nobody ever accredited, and so no history tells of.
        a = fieldsOf(patient, patient, 2, 3);
        vm.prank(patient);
        records.anchor(a);
        vm.prank(patient);
        records.retract(a);
    }

    function test_capsuleVersionsCountFromOne() public {
        AnchorFields memory a = accepted(3);
        require(records.capsuleVersion(idOf(a)) == 1 && records.capsuleVersion(RecordId.wrap("none")) == 0, "first");
        vm.recordLogs();
        vm.prank(patient);
        records.replaceCapsule(a, "second");
        Vm.Log memory log = vm.getRecordedLogs()[0];
        require(log.topics[0] == IRecords.CapsuleReplaced.selector, "event");
        require(keccak256(log.data) == keccak256(abi.encode(2, bytes32("second"))), "version");
        require(records.capsuleVersion(idOf(a)) == 2, "second");
        open(a, granted(a));
    }

    function test_kinds() public {
        address researcher = stranger;
        register(researcher, Role.Researcher);
        accredit(researcher);
        grantWrite(patient, researcher, 1 << 5);
        grantWrite(patient, reader, (1 << 3) | (1 << 4));
        anchorAs(researcher, fieldsOf(researcher, patient, 5, 0));
        anchorAs(reader, fieldsOf(reader, patient, 3, 0));
        anchorAs(reader, fieldsOf(reader, patient, 4, 0));
        anchorAs(patient, fieldsOf(patient, patient, 2, 0));
        anchorAs(patient, fieldsOf(patient, patient, 4, 0));
    }

    function test_batchOfManyOwnersAndAnAmendmentInIt() public {
        grantWrite(reader, doctor, 2);
        AnchorFields[] memory batch = new AnchorFields[](256);
        AnchorFields[] memory amended = new AnchorFields[](254);
        for (uint256 i = 0; i < 256; ++i) {
            batch[i] = fieldsOf(doctor, i % 2 == 0 ? patient : reader, 1, 3);
            if (i > 1) {
                batch[i].amends = idOf(batch[i - 2]);
                amended[i - 2] = batch[i - 2];
            }
        }
        vm.prank(doctor);
        records.anchorBatch(batch, amended);
        for (uint256 i = 0; i < 256; ++i) {
            checkState(batch[i], false, false, false);
        }
    }

    function test_anAmendmentOfOnesOwn() public {
        AnchorFields memory a = anchored(1, 3);
        AnchorFields memory b = fieldsOf(doctor, patient, 1, 3);
        b.amends = idOf(a);
        vm.prank(doctor);
        records.amend(b, a);
        checkState(b, false, false, false);
        vm.prank(patient);
        records.erase(a);
        AnchorFields memory c = fieldsOf(doctor, patient, 1, 3);
        c.amends = idOf(a);
        vm.prank(doctor);
        records.amend(c, a);
    }

    function test_aNonceIsUsedOnce() public {
        AnchorFields memory a = accepted(3);
        GrantFields memory g = granted(a);
        bytes32[4] memory nonces = [bytes32(0), bytes32(uint256(1)), bytes32(uint256(255)), bytes32(type(uint256).max)];
        for (uint256 i = 0; i < 4; ++i) {
            require(!receipts.isNonceUsed(idOf(reader), nonces[i]), "not yet");
            vm.prank(reader);
            receipts.openRead(idOf(a), PURPOSE, nonces[i], a, g);
            require(receipts.isNonceUsed(idOf(reader), nonces[i]), "used");
        }
        require(!receipts.isNonceUsed(idOf(reader), bytes32(uint256(2))) && !receipts.isNonceUsed(idOf(patient), 0), "others");
    }

    function testFuzz_anyOtherAmendedFieldsAreRefused(uint256 word, bytes32 change) public {
        AnchorFields memory a = anchored(1, 3);
        AnchorFields memory b = fieldsOf(doctor, patient, 1, 3);
        b.amends = idOf(a);
        bytes memory data = abi.encodeCall(records.amend, (b, a));
        word %= 10;
        if (change == 0) change = bytes32(uint256(1));
        for (uint256 i = 0; i < 32; ++i) {
            data[4 + 320 + 32 * word + i] ^= change[i];
        }
        vm.prank(doctor);
        (bool done,) = address(records).call(data);
        require(!done, "another preimage was amended");
    }

    function test_deliverAndWriteGrant() public {
        GrantFields memory g = grantedClasses(1 << 3);
        vm.recordLogs();
        vm.prank(patient);
        consent.deliver(g, 7, "list");
        Vm.Log memory log = vm.getRecordedLogs()[0];
        require(log.topics[0] == IConsent.Delivered.selector && log.topics[1] == GrantId.unwrap(idOf(g)), "event");
        require(keccak256(log.data) == keccak256(abi.encode(7, bytes32("list"))), "data");
        (KindSet kinds, uint64 until, bool live) = consent.writeGrant(idOf(patient), idOf(doctor));
        require(KindSet.unwrap(kinds) == 2 && until == FAR && live, "write grant");
        vm.prank(patient);
        consent.revokeAll();
        (,, live) = consent.writeGrant(idOf(patient), idOf(doctor));
        require(!live, "everything includes writing");
        grantWrite(patient, doctor, 6);
        (kinds,, live) = consent.writeGrant(idOf(patient), idOf(doctor));
        require(KindSet.unwrap(kinds) == 6 && live, "anew");
    }

    function test_revokingOneReaderLeavesOthers() public {
        AnchorFields memory a = accepted(3);
        GrantFields memory g = granted(a);
        GrantFields memory h = grantOf(Scope.All, RecordId.wrap(0), 0);
        h.reader = idOf(doctor);
        AnchorFields memory none;
        vm.prank(patient);
        consent.grant(h, none);
        vm.prank(patient);
        consent.revokeReader(idOf(reader));
        require(!consent.isLive(g) && consent.isLive(h), "one reader");
        GrantFields memory later = granted(a);
        open(a, later);
    }

    function test_grantState() public {
        GrantFields memory g = grantedClasses(0);
        (uint64 since, bool revoked, bytes20 commitment) = consent.grantState(idOf(g));
        require(since == START && !revoked && commitment == bytes20(keccak256(abi.encode(g))), "given");
        vm.prank(patient);
        consent.revoke(g);
        (, revoked,) = consent.grantState(idOf(g));
        require(revoked, "revoked");
    }

    function test_accountsAndKeys() public {
        (Role role, uint32 version, uint64 since) = accounts.account(idOf(doctor));
        require(role == Role.Provider && version == 1 && since == START, "account");
        vm.prank(doctor);
        accounts.rotateSealingKey("second");
        require(accounts.sealingKey(idOf(doctor), 1) == keccak256(abi.encode(doctor)), "old key");
        require(accounts.sealingKey(idOf(doctor), 2) == "second", "new key");
        require(accounts.accountOf(stranger) == NO_ACCOUNT && accounts.signerOf(idOf(stranger)) == address(0), "unknown");
    }

    function test_rotationMovesNothing() public {
        AnchorFields memory a = accepted(3);
        rotate(idOf(patient), STRANGER);
        require(accounts.accountOf(stranger) == idOf(patient) && accounts.accountOf(patient) == NO_ACCOUNT, "mapping");
        require(accounts.signerOf(idOf(patient)) == stranger, "signer");
        GrantFields memory g = grantOf(Scope.One, idOf(a), 0);
        vm.prank(stranger);
        consent.grant(g, a);
        open(a, g);
        vm.expectRevert(abi.encodeWithSelector(IAccountContext.NotRegistered.selector, patient));
        vm.prank(patient);
        consent.revoke(g);
        rotate(idOf(patient), 77);
        require(accounts.accountOf(vm.addr(77)) == idOf(patient) && accounts.accountOf(stranger) == NO_ACCOUNT, "again");
    }

    function test_accountAtPastBlocks() public {
        vm.roll(200);
        address first = vm.addr(78);
        register(first, Role.Person);
        AccountId late = idOf(first);
        require(accounts.accountAt(first, 199) == NO_ACCOUNT && accounts.accountAt(first, 200) == late, "registered");
        vm.roll(210);
        rotate(late, 79);
        vm.roll(220);
        rotate(late, 80);
        rotate(late, 81);
        vm.roll(230);
        checkServed(late, 78, 200, 210);
        checkServed(late, 79, 210, 220);
        checkServed(late, 80, 220, 220);
        checkServed(late, 81, 220, type(uint64).max);
        require(accounts.accountAt(address(1), 220) == NO_ACCOUNT, "nobody");
    }

    /// @dev An address counts from the block it began in to the one it ended in, both included.
    function checkServed(AccountId account, uint256 key, uint64 first, uint64 last) private {
        address signer = vm.addr(key);
        require(accounts.accountAt(signer, first - 1) == NO_ACCOUNT, "before");
        require(accounts.accountAt(signer, first) == account && accounts.accountAt(signer, last) == account, "during");
        if (last != type(uint64).max) require(accounts.accountAt(signer, last + 1) == NO_ACCOUNT, "after");
    }

    function test_statusAtPastTimes() public {
        at(START + 10);
        accounts.suspend(idOf(doctor));
        at(START + 20);
        accounts.reinstate(idOf(doctor));
        at(START + 30);
        accounts.accredit(idOf(doctor), "physician", "KR", START + 40, START + 50, 0);
        checkStatus(START - 1, false, false);
        checkStatus(START, true, false);
        checkStatus(START + 9, true, false);
        checkStatus(START + 10, true, true);
        checkStatus(START + 20, true, false);
        checkStatus(START + 30, false, false);
        checkStatus(START + 40, true, false);
        checkStatus(START + 50, false, false);
        require(!accounts.isAccredited(idOf(doctor)), "not yet");
        at(START + 45);
        require(accounts.isAccredited(idOf(doctor)), "now");
    }

    function test_committeeHistory() public {
        for (uint8 i = 1; i <= 7; ++i) {
            keepers.register(i, vm.addr(100 + i), bytes32(uint256(i)), "http://127.0.0.1");
        }
        vm.roll(100);
        keepers.formCommittee(7, 4);
        vm.roll(200);
        keepers.formCommittee(3, 2);
        (uint32 id, uint8 n, uint8 t) = keepers.committee();
        require(id == 2 && n == 3 && t == 2, "current");
        (id, n, t) = keepers.committeeAt(199);
        require(id == 1 && n == 7 && t == 4, "past");
        uint64 since;
        uint64 until;
        (since, until, n, t) = keepers.committeeOf(1);
        require(since == 100 && until == 200 && n == 7 && t == 4, "first");
        (since, until, n, t) = keepers.committeeOf(2);
        require(since == 200 && until == 0 && n == 3 && t == 2, "second");
        (since, until, n, t) = keepers.committeeOf(3);
        require(since == 0 && until == 0 && n == 0 && t == 0, "none");
        vm.prank(vm.addr(101));
        keepers.rotateWrapKey(1, "second");
        (address signer, bytes32 key, uint32 version, string memory endpoint) = keepers.keeper(1);
        require(signer == vm.addr(101) && key == "second" && version == 2, "keeper");
        require(keccak256(bytes(endpoint)) == keccak256("http://127.0.0.1"), "endpoint");
        (key,) = keepers.wrapKey(1, 1);
        require(key == bytes32(uint256(1)), "old wrap key");
    }

    function test_relayedBatchSurvivesAStaleRequest() public {
        AnchorFields memory a = anchored(1, 3);
        ERC2771Forwarder.ForwardRequestData[] memory batch = new ERC2771Forwarder.ForwardRequestData[](3);
        batch[0] = requestBy(PATIENT, address(records), abi.encodeCall(records.accept, (a)));
        batch[1] = batch[0];
        batch[2] = requestBy(READER, address(accounts), abi.encodeCall(accounts.rotateSealingKey, ("second")));
        forwarder.executeBatch(batch, payable(address(this)));
        checkState(a, true, false, false);
        require(accounts.sealingKey(idOf(reader), 2) == "second", "the third was executed");
        require(forwarder.nonces(patient) == 1 && forwarder.nonces(reader) == 1, "nonces");
    }

    function test_relayedRegistration() public {
        forwarder.execute(
            requestBy(STRANGER, address(accounts), abi.encodeCall(accounts.register, (Role.Person, "key")))
        );
        require(accounts.accountOf(stranger) == idOf(stranger), "registered");
    }

    function test_uncleanWordsAreRefused() public {
        AnchorFields memory a = fieldsOf(doctor, patient, 1, 3);
        for (uint256 word = 1; word < 9; ++word) {
            if (word > 2 && word < 7) continue;
            bytes memory data = abi.encodeCall(records.anchor, (a));
            data[4 + 32 * word] = 0x80;
            vm.prank(doctor);
            (bool done,) = address(records).call(data);
            require(!done, "an unclean word was anchored");
        }
    }

    function testFuzz_anyOtherPreimageIsRefused(uint256 word, bytes32 change) public {
        AnchorFields memory a = accepted(3);
        bytes memory data = abi.encodeCall(records.erase, (a));
        word %= 10;
        if (change == 0) change = bytes32(uint256(1));
        for (uint256 i = 0; i < 32; ++i) {
            data[4 + 32 * word + i] ^= change[i];
        }
        vm.prank(patient);
        (bool done,) = address(records).call(data);
        require(!done, "another preimage erased the record");
    }

    function testFuzz_anyOtherGrantIsRefused(uint256 word, bytes32 change) public {
        AnchorFields memory a = accepted(3);
        GrantFields memory g = granted(a);
        bytes memory data = abi.encodeCall(consent.isLive, (g));
        word %= 12;
        if (change == 0) change = bytes32(uint256(1));
        for (uint256 i = 0; i < 32; ++i) {
            data[4 + 32 * word + i] ^= change[i];
        }
        (bool done, bytes memory answer) = address(consent).call(data);
        require(!done || !abi.decode(answer, (bool)), "another grant is live");
    }

    function testFuzz_classes(uint8 class, uint256 classes) public {
        class %= 64;
        classes &= type(uint64).max - 1;
        if (classes == 0) classes = 2;
        AnchorFields memory a = accepted(class);
        GrantFields memory g = grantedClasses(classes);
        vm.prank(reader);
        (bool done,) = address(receipts).call(abi.encodeCall(receipts.openRead, (idOf(a), PURPOSE, 0, a, g)));
        require(done == (class != 0 && (classes >> class) & 1 == 1), "class");
    }

    function testFuzz_period(uint64 from, uint64 until, uint64 time) public {
        GrantFields memory g = grantOf(Scope.All, RecordId.wrap(0), 0);
        (g.from, g.until) = (from, until);
        AnchorFields memory none;
        vm.prank(patient);
        (bool done,) = address(consent).call(abi.encodeCall(consent.grant, (g, none)));
        require(done == (from < until && until > START), "granted");
        vm.warp(time);
        require(consent.isLive(g) == (done && from <= time && time < until), "live");
    }

    function testFuzz_statusAtAgreesWithAList(uint256 seed, uint8 steps) public {
        uint64 time = START;
        uint64[] memory times = new uint64[](uint256(steps) + 1);
        bool[] memory states = new bool[](uint256(steps) + 1);
        times[0] = START;
        for (uint256 i = 1; i <= steps; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            time += uint64(seed % 3);
            vm.warp(time);
            states[i] = !states[i - 1];
            times[i] = time;
            if (states[i]) accounts.suspend(idOf(doctor));
            else accounts.reinstate(idOf(doctor));
        }
        for (uint64 t = START; t <= time; t += 1 + (time - START) / 20) {
            bool expected;
            for (uint256 i = 0; i <= steps; ++i) {
                if (times[i] <= t) expected = states[i];
            }
            (bool accredited, bool suspended) = accounts.statusAt(idOf(doctor), t);
            require(accredited && suspended == expected, "status");
        }
    }

    function at(uint64 time) private {
        vm.warp(time);
    }

    function anchorAs(address author, AnchorFields memory a) private {
        vm.prank(author);
        records.anchor(a);
        checkState(a, false, false, false);
    }

    function checkState(AnchorFields memory a, bool accepted_, bool erased, bool retracted) private view {
        (uint64 since, bool x, bool y, bool z, bytes26 commitment) = records.state(idOf(a));
        require(since == START && x == accepted_ && y == erased && z == retracted, "flags");
        require(commitment == bytes26(keccak256(abi.encode(a))), "commitment");
    }

    function checkStatus(uint64 time, bool accredited, bool suspended) private view {
        (bool x, bool y) = accounts.statusAt(idOf(doctor), time);
        require(x == accredited && y == suspended, "status");
    }
}
