// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ERC2771Forwarder} from "@openzeppelin/contracts/metatx/ERC2771Forwarder.sol";
import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";
import {Accounts} from "../src/Accounts.sol";
import {Authority} from "../src/Authority.sol";
import {Consent} from "../src/Consent.sol";
import {Forwarder} from "../src/Forwarder.sol";
import {Keepers} from "../src/Keepers.sol";
import {Receipts} from "../src/Receipts.sol";
import {Records} from "../src/Records.sol";
import {
    AccountId, AnchorFields, Class, ClassSet, GrantFields, GrantId, Kind, KindSet, RecordId, Role, Scope
} from "../src/Types.sol";
import {vm} from "./Vm.sol";

/// @dev The contracts deployed as README.md says, and what every test needs: people, fields, requests.
abstract contract World {
    bool public constant IS_TEST = true;

    uint64 internal constant START = 1_800_000_000;
    uint64 internal constant FAR = START + 365 days;
    bytes32 internal constant PURPOSE = keccak256("purpose");

    Authority internal authority;
    Forwarder internal forwarder;
    Accounts internal accounts;
    Records internal records;
    Consent internal consent;
    Receipts internal receipts;
    Keepers internal keepers;

    address internal doctor;
    address internal patient;
    address internal reader;
    address internal stranger;

    uint256 internal constant DOCTOR = 11;
    uint256 internal constant PATIENT = 12;
    uint256 internal constant READER = 13;
    uint256 internal constant STRANGER = 14;

    uint256 private _drawn;

    function deploy() internal {
        vm.warp(START);
        authority = new Authority(address(this));
        forwarder = new Forwarder("MediBloc");
        accounts = new Accounts(address(authority), address(forwarder));
        address ahead = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 1);
        records = new Records(address(forwarder), accounts, Consent(ahead));
        consent = new Consent(address(forwarder), accounts, records);
        require(address(consent) == ahead, "consent is elsewhere");
        receipts = new Receipts(address(forwarder), accounts, consent, records);
        keepers = new Keepers(address(authority));

        bytes4[] memory accrediting = new bytes4[](3);
        accrediting[0] = Accounts.accredit.selector;
        accrediting[1] = Accounts.suspend.selector;
        accrediting[2] = Accounts.reinstate.selector;
        authority.setTargetFunctionRole(address(accounts), accrediting, 1);
        bytes4[] memory keeping = new bytes4[](2);
        keeping[0] = Keepers.register.selector;
        keeping[1] = Keepers.formCommittee.selector;
        authority.setTargetFunctionRole(address(keepers), keeping, 2);
        authority.grantRole(1, address(this), 0);
        authority.grantRole(2, address(this), 0);

        doctor = vm.addr(DOCTOR);
        patient = vm.addr(PATIENT);
        reader = vm.addr(READER);
        stranger = vm.addr(STRANGER);
    }

    /// @dev Everyone but the stranger is registered, the doctor accredited and allowed to write medical records.
    function settle() internal {
        deploy();
        register(doctor, Role.Provider);
        register(patient, Role.Person);
        register(reader, Role.Person);
        accredit(doctor);
        grantWrite(patient, doctor, 2);
    }

    function register(address who, Role role) internal {
        vm.prank(who);
        accounts.register(role, keccak256(abi.encode(who)));
    }

    function accredit(address who) internal {
        accounts.accredit(idOf(who), "physician", "KR", START - 1 days, FAR, keccak256("credential"));
    }

    function grantWrite(address owner, address author, uint8 kinds) internal {
        vm.prank(owner);
        consent.grantWrite(draw(), idOf(author), KindSet.wrap(kinds), FAR, keccak256("write"));
    }

    function anchored(uint8 kind, uint8 class) internal returns (AnchorFields memory a) {
        a = fieldsOf(doctor, patient, kind, class);
        vm.prank(doctor);
        records.anchor(a);
    }

    function accepted(uint8 class) internal returns (AnchorFields memory a) {
        a = anchored(1, class);
        vm.prank(patient);
        records.accept(a);
    }

    function granted(AnchorFields memory a) internal returns (GrantFields memory g) {
        g = grantOf(Scope.One, idOf(a), 0);
        vm.prank(patient);
        consent.grant(g, a);
    }

    function grantedClasses(uint256 classes) internal returns (GrantFields memory g) {
        g = grantOf(classes == 0 ? Scope.All : Scope.Classes, RecordId.wrap(0), classes);
        AnchorFields memory none;
        vm.prank(patient);
        consent.grant(g, none);
    }

    /// @dev A Listed grant that begins with the list of this root.
    function grantedListed(bytes32 root) internal returns (GrantFields memory g) {
        g = grantOf(Scope.Listed, RecordId.wrap(root), 0);
        AnchorFields memory none;
        vm.prank(patient);
        consent.grant(g, none);
    }

    function saltOf(RecordId id) internal pure returns (bytes32) {
        return keccak256(abi.encode("salt", id));
    }

    function leafOf(RecordId id) internal pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(id, saltOf(id)))));
    }

    function node(bytes32 a, bytes32 b) internal pure returns (bytes32) {
        return Hashes.commutativeKeccak256(a, b);
    }

    function open(AnchorFields memory a, GrantFields memory g) internal {
        vm.prank(reader);
        receipts.openRead(idOf(a), g.purposeTag, draw(), a, g);
    }

    function fieldsOf(address author, address owner, uint8 kind, uint8 class)
        internal
        returns (AnchorFields memory)
    {
        return AnchorFields(
            draw(), idOf(author), idOf(owner), keccak256("package"), keccak256("keys"), keccak256("capsule"),
            keccak256("word"), Kind.wrap(kind), Class.wrap(class), RecordId.wrap(0)
        );
    }

    function grantOf(Scope scope, RecordId recordId, uint256 classes) internal returns (GrantFields memory) {
        return GrantFields(
            draw(), idOf(patient), idOf(reader), scope, recordId, ClassSet.wrap(classes), PURPOSE, START, START + 7 days,
            0, 0, keccak256("grant")
        );
    }

    function idOf(AnchorFields memory a) internal pure returns (RecordId) {
        return RecordId.wrap(keccak256(abi.encode(a.author, a.owner, a.nonce)));
    }

    function idOf(GrantFields memory g) internal pure returns (GrantId) {
        return GrantId.wrap(keccak256(abi.encode(g.owner, g.reader, g.nonce)));
    }

    /// @dev The account that this address registered; `firstOf` is the other way.
    function idOf(address first) internal pure returns (AccountId) {
        return AccountId.wrap(first);
    }

    function firstOf(AccountId id) internal pure returns (address) {
        return AccountId.unwrap(id);
    }

    function requestBy(uint256 key, address to, bytes memory data)
        internal
        returns (ERC2771Forwarder.ForwardRequestData memory request)
    {
        address from = vm.addr(key);
        request = ERC2771Forwarder.ForwardRequestData(from, to, 0, 1_000_000, uint48(FAR), data, "");
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("MediBloc"),
                keccak256("1"),
                block.chainid,
                address(forwarder)
            )
        );
        bytes32 inner = keccak256(
            abi.encode(
                keccak256(
                    "ForwardRequest(address from,address to,uint256 value,uint256 gas,uint256 nonce,uint48 deadline,bytes data)"
                ),
                from,
                to,
                0,
                request.gas,
                forwarder.nonces(from),
                request.deadline,
                keccak256(data)
            )
        );
        request.signature = signed(key, keccak256(abi.encodePacked(hex"1901", domain, inner)));
    }

    function signed(uint256 key, bytes32 digest) internal returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function draw() internal returns (bytes32) {
        return keccak256(abi.encode("nonce", ++_drawn));
    }

    function rotation(AccountId account, address next, uint256 deadline) internal view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("MediBloc Accounts"),
                keccak256("1"),
                block.chainid,
                address(accounts)
            )
        );
        bytes32 inner = keccak256(
            abi.encode(
                keccak256("RotateAddress(address account,address next,uint256 deadline)"), account, next, deadline
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, inner));
    }

    function rotate(AccountId account, uint256 key) internal {
        address next = vm.addr(key);
        bytes memory signature = signed(key, rotation(account, next, FAR));
        vm.prank(accounts.signerOf(account));
        accounts.rotateAddress(next, FAR, signature);
    }
}
