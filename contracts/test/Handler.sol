// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ERC2771Forwarder} from "@openzeppelin/contracts/metatx/ERC2771Forwarder.sol";
import {
    AccountId,
    AnchorFields,
    Class,
    ClassSet,
    GrantFields,
    GrantId,
    Kind,
    KindSet,
    NO_RECORD,
    RecordId,
    Role,
    Scope
} from "../src/Types.sol";
import {vm} from "./Vm.sol";
import {World} from "./World.sol";

/// @dev What must never happen; the handler counts how often it did.
enum Rule {
    AnchorAsModel,
    MedicalByUnaccredited,
    IdTwice,
    OwnerAlone,
    ReceiptAsModel,
    ReceiptWithoutLiveGrant,
    ReceiptOfErased,
    ReceiptOfUnaccepted,
    ClassZeroByClass,
    TooManyReads,
    ForeignReader,
    NonceTwice,
    PrivilegedWithoutRole,
    GrantIdTwice,
    ReceiptTwice,
    ForeignAmendment,
    UnknownClassTaken,
    ReceiptOfUnlisted
}

/// @dev Random acts of six people, mirrored in a plain model of its own; both must agree on what is allowed.
contract Handler is World {
    struct Writing {
        uint8 kinds;
        uint64 until;
        bool live;
    }

    struct Permission {
        bool suspended;
        uint64 from;
        uint64 to;
    }

    uint256 private constant PEOPLE = 6;
    uint256 private constant FIRST_KEY = 501;

    address[PEOPLE] private _people;
    AnchorFields[] private _anchors;
    GrantFields[] private _grants;
    mapping(RecordId id => bool) public isAnchored;
    mapping(RecordId id => bool) public isAccepted;
    mapping(RecordId id => bool) public isErased;
    mapping(RecordId id => bytes32) private _firstWord;
    mapping(RecordId id => AccountId) private _ownerOf;
    mapping(GrantId id => bool) public isEnded;
    mapping(GrantId id => bool) private _isGranted;
    mapping(GrantId id => uint32) private _reads;
    mapping(GrantId id => mapping(RecordId record => bool)) private _isListed;
    mapping(address owner => mapping(address author => Writing)) private _writing;
    mapping(address account => Permission) private _permission;
    mapping(address account => uint32) private _keyVersion;
    mapping(address account => uint256) private _relayed;
    mapping(address reader => mapping(bytes32 nonce => bool)) private _isUsed;
    mapping(Rule => uint256) public broken;
    uint64 public clock;
    uint64[] private _statusTimes;
    bool[] private _statusSuspended;

    uint256 public anchorCount;
    uint256 public openCount;
    uint256 public refusedOpenCount;
    uint256 public relayCount;
    uint256 public grantCount;
    uint256 public amendCount;
    uint256 public listedOpenCount;

    constructor() {
        deploy();
        clock = START;
        for (uint256 i = 0; i < PEOPLE; ++i) {
            _people[i] = vm.addr(FIRST_KEY + i);
            Role role = i == 4 ? Role.Provider : i == 5 ? Role.Researcher : Role.Person;
            register(person(i), role);
            _keyVersion[person(i)] = 1;
        }
        _accredit(person(4));
        _accredit(person(5));
        // Something to start from, so that short runs reach the deep states.
        for (uint256 i = 0; i < 4; ++i) {
            write(i, 4, 0x3e, 90);
            anchor(4, i, 1, uint8(i), 1);
            accept(i, i);
            allow(i, i + PEOPLE * ((i + 1) % 4), uint8(i), 20 hours, 0);
        }
    }

    function tick(uint256 seconds_) external {
        clock += uint64(seconds_ % 1 days);
        vm.warp(clock);
    }

    function write(uint256 owner, uint256 author, uint8 kinds, uint256 days_) public {
        (address o, address a) = (person(owner), person(author));
        kinds &= 0x3e;
        uint64 until = clock + uint64(days_ % 90) * 1 days;
        bytes32 nonce = draw();
        vm.prank(o);
        try consent.grantWrite(nonce, idOf(a), KindSet.wrap(kinds), until, 0) {
            _writing[o][a] = Writing(kinds, until, true);
        } catch {
            _break(Rule.OwnerAlone, kinds != 0 && until > clock);
        }
    }

    function anchor(uint256 author, uint256 owner, uint8 kind, uint8 class, uint256 reuse) public {
        (address a, address o) = (person(author), person(owner));
        AnchorFields memory f = fieldsOf(a, o, 1 + kind % 5, class % 50 == 49 ? 64 + class % 100 : class % 8);
        AnchorFields memory amended;
        if (reuse % 4 == 0 && _anchors.length != 0) {
            AnchorFields memory old = _anchors[reuse % _anchors.length];
            (f.nonce, f.author, f.owner) = (old.nonce, old.author, old.owner);
            (a, o) = (firstOf(old.author), firstOf(old.owner));
        }
        if (reuse % 6 == 1 && _anchors.length != 0) {
            amended = _anchors[(reuse / 6) % _anchors.length];
            f.amends = idOf(amended);
            if (reuse % 12 == 1) {
                f.owner = amended.owner;
                o = firstOf(amended.owner);
            }
        }
        bool amends = f.amends != NO_RECORD;
        bool allowed = !isAnchored[idOf(f)] && _mayWrite(a, o, Kind.unwrap(f.kind)) && Class.unwrap(f.class) < 64
            && (!amends || amended.owner == idOf(o));
        vm.prank(a);
        (bool done,) = address(records).call(
            amends ? abi.encodeCall(records.amend, (f, amended)) : abi.encodeCall(records.anchor, (f))
        );
        if (done) {
            _break(Rule.ForeignAmendment, amends && amended.owner != idOf(o));
            _break(Rule.UnknownClassTaken, Class.unwrap(f.class) > 63);
            if (amends) ++amendCount;
            _break(Rule.AnchorAsModel, !allowed);
            _break(Rule.MedicalByUnaccredited, Kind.unwrap(f.kind) == 1 && !_isAccredited(a));
            _break(Rule.IdTwice, isAnchored[idOf(f)]);
            isAnchored[idOf(f)] = true;
            _ownerOf[idOf(f)] = f.owner;
            _firstWord[idOf(f)] = keccak256(abi.encode(f, clock));
            _anchors.push(f);
            ++anchorCount;
        } else {
            _break(Rule.AnchorAsModel, allowed);
        }
    }

    function accept(uint256 record, uint256 caller) public {
        if (_anchors.length == 0) return;
        AnchorFields memory f = _anchors[record % _anchors.length];
        address sender = caller % 2 == 0 ? firstOf(f.owner) : person(caller);
        bool allowed = idOf(sender) == f.owner && !isAccepted[idOf(f)] && !isErased[idOf(f)];
        vm.prank(sender);
        try records.accept(f) {
            isAccepted[idOf(f)] = true;
            _break(Rule.OwnerAlone, !allowed);
        } catch {
            _break(Rule.OwnerAlone, allowed);
        }
    }

    function erase(uint256 record, uint256 caller, uint256 often) external {
        if (_anchors.length == 0 || often % 3 != 0) return;
        AnchorFields memory f = _anchors[record % _anchors.length];
        bool allowed = idOf(person(caller)) == f.owner && !isErased[idOf(f)];
        vm.prank(person(caller));
        try records.erase(f) {
            isErased[idOf(f)] = true;
            _break(Rule.OwnerAlone, !allowed);
        } catch {
            _break(Rule.OwnerAlone, allowed);
        }
    }

    function allow(uint256 record, uint256 pair, uint8 scope, uint256 classes, uint256 extra) public {
        if (_anchors.length == 0) return;
        AnchorFields memory f = _anchors[record % _anchors.length];
        GrantFields memory g = _grantOf(idOf(f), pair, scope, classes, extra);
        vm.prank(firstOf(g.owner));
        try consent.grant(g, f) {
            _break(Rule.UnknownClassTaken, ClassSet.unwrap(g.classes) > type(uint64).max);
            _break(Rule.GrantIdTwice, _isGranted[idOf(g)]);
            _break(Rule.OwnerAlone, g.scope == Scope.One && f.owner != g.owner);
            _isGranted[idOf(g)] = true;
            if (g.scope == Scope.Listed) _isListed[idOf(g)][idOf(f)] = true;
            _grants.push(g);
            ++grantCount;
        } catch {}
    }

    /// @dev A list of one record, mostly under an own Listed grant.
    function deliver(uint256 record, uint256 grant, uint256 caller) external {
        if (_anchors.length == 0 || _grants.length == 0) return;
        GrantFields memory g = _grants[grant % _grants.length];
        RecordId id = idOf(_anchors[record % _anchors.length]);
        address sender = caller % 5 == 0 ? person(caller) : firstOf(g.owner);
        bool allowed = idOf(sender) == g.owner && g.scope == Scope.Listed && _isLive(g);
        vm.prank(sender);
        try consent.deliverList(g, 1, 0, _rootOf(id)) {
            _break(Rule.OwnerAlone, !allowed);
            _isListed[idOf(g)][id] = true;
        } catch {
            _break(Rule.OwnerAlone, allowed);
        }
    }

    function end(uint256 grant, uint256 caller, uint256 way) external {
        if (_grants.length == 0) return;
        GrantFields memory g = _grants[grant % _grants.length];
        address sender = person(caller);
        way %= 12;
        if (way > 2) {
            if (way % 2 == 0) sender = firstOf(g.owner);
            vm.prank(sender);
            try consent.revoke(g) {
                _break(Rule.OwnerAlone, idOf(sender) != g.owner);
                isEnded[idOf(g)] = true;
            } catch {}
            return;
        }
        vm.prank(sender);
        if (way == 0) consent.revokeAll();
        else consent.revokeReader(g.reader);
        for (uint256 i = 0; i < _grants.length; ++i) {
            GrantFields memory h = _grants[i];
            if (h.owner == idOf(sender) && (way == 0 || h.reader == g.reader)) isEnded[idOf(h)] = true;
        }
        if (way != 0) return;
        for (uint256 i = 0; i < PEOPLE; ++i) {
            _writing[sender][person(i)].live = false;
        }
    }

    function endWrite(uint256 owner, uint256 author) external {
        (address o, address a) = (person(owner), person(author));
        vm.prank(o);
        try consent.revokeWrite(idOf(a)) {
            _writing[o][a].live = false;
        } catch {}
    }

    /// @dev Mostly a reader with a grant of its own; now and then anybody with anything.
    function open(uint256 record, uint256 grant, uint256 caller, uint256 purpose) external {
        if (_anchors.length == 0 || _grants.length == 0) return;
        GrantFields memory g = _grants[grant % _grants.length];
        AnchorFields memory f = _anchors[record % _anchors.length];
        for (uint256 i = 0; record % 3 != 0 && i < _anchors.length; ++i) {
            AnchorFields memory next = _anchors[(record + i) % _anchors.length];
            bool named = g.scope == Scope.One
                ? idOf(next) == g.recordId
                : isAccepted[idOf(next)] && (g.scope != Scope.Listed || _isListed[idOf(g)][idOf(next)]);
            if (named && next.owner == g.owner) {
                f = next;
                break;
            }
        }
        address sender = caller % 5 == 0 ? person(caller) : firstOf(g.reader);
        bytes32 tag = purpose % 7 == 0 ? bytes32("another") : g.purposeTag;
        bytes32 nonce = caller % 3 == 1 ? bytes32(caller / 3 % 9) : draw();
        bool expected = _mayOpen(f, g, sender, tag) && !_isUsed[sender][nonce];
        bool listed = purpose % 11 == 0 ? g.scope != Scope.Listed : g.scope == Scope.Listed;
        expected = expected && listed == (g.scope == Scope.Listed);
        vm.prank(sender);
        (bool done,) = address(receipts).call(
            listed
                ? abi.encodeCall(receipts.openListed, (idOf(f), tag, nonce, f, g, saltOf(idOf(f)), _path()))
                : abi.encodeCall(receipts.openRead, (idOf(f), tag, nonce, f, g))
        );
        if (done) {
            _break(Rule.ReceiptTwice, _isUsed[sender][nonce]);
            _isUsed[sender][nonce] = true;
            _break(Rule.ReceiptAsModel, !expected);
            _break(Rule.ReceiptWithoutLiveGrant, !_isLive(g));
            _break(Rule.ReceiptOfErased, isErased[idOf(f)]);
            _break(Rule.ReceiptOfUnaccepted, !isAccepted[idOf(f)]);
            _break(Rule.ClassZeroByClass, g.scope == Scope.Classes && Class.unwrap(f.class) == 0);
            _break(Rule.ForeignReader, idOf(sender) != g.reader || f.owner != g.owner);
            _break(Rule.TooManyReads, g.reads != 0 && ++_reads[idOf(g)] > g.reads);
            _break(Rule.ReceiptOfUnlisted, g.scope == Scope.Listed && !_isListed[idOf(g)][idOf(f)]);
            ++openCount;
            if (listed) ++listedOpenCount;
        } else {
            _break(Rule.ReceiptAsModel, expected);
            ++refusedOpenCount;
        }
    }

    function suspend(uint256 who, uint256 often) external {
        if (often % 4 != 0) return;
        address a = person(4 + who % 2);
        Permission storage permission = _permission[a];
        if (permission.suspended) accounts.reinstate(idOf(a));
        else accounts.suspend(idOf(a));
        permission.suspended = !permission.suspended;
        if (a == person(4)) {
            _statusTimes.push(clock);
            _statusSuspended.push(permission.suspended);
        }
    }

    /// @dev A request is executed once; the same bytes again do nothing.
    function relay(uint256 who, bytes32 key) external {
        if (key == 0) return;
        address a = person(who);
        ERC2771Forwarder.ForwardRequestData memory request =
            requestBy(FIRST_KEY + who % PEOPLE, address(accounts), abi.encodeCall(accounts.rotateSealingKey, (key)));
        forwarder.execute(request);
        ++_keyVersion[a];
        ++_relayed[a];
        ++relayCount;
        try forwarder.execute(request) {
            _break(Rule.NonceTwice, true);
        } catch {}
    }

    function presume(uint256 caller, uint256 target) external {
        vm.prank(person(caller));
        try accounts.accredit(idOf(person(target)), 0, 0, clock, clock + 1, 0) {
            _break(Rule.PrivilegedWithoutRole, true);
        } catch {}
        vm.prank(person(caller));
        try accounts.suspend(idOf(person(target))) {
            _break(Rule.PrivilegedWithoutRole, true);
        } catch {}
        vm.prank(person(caller));
        try keepers.register(1, person(caller), "key", "") {
            _break(Rule.PrivilegedWithoutRole, true);
        } catch {}
    }

    // What the invariants look at

    function liveThoughEnded() external view returns (uint256 count) {
        for (uint256 i = 0; i < _grants.length; ++i) {
            if (isEnded[idOf(_grants[i])] && consent.isLive(_grants[i])) ++count;
        }
    }

    function livenessDiffers() external view returns (uint256 count) {
        for (uint256 i = 0; i < _grants.length; ++i) {
            if (_isLive(_grants[i]) != consent.isLive(_grants[i])) ++count;
        }
    }

    function recordsDiffer() external view returns (uint256 count) {
        for (uint256 i = 0; i < _anchors.length; ++i) {
            RecordId id = idOf(_anchors[i]);
            (uint64 since, bool accepted_, bool erased,, bytes26 commitment) = records.state(id);
            bool same = _firstWord[id] == keccak256(abi.encode(_anchors[i], since)) && accepted_ == isAccepted[id]
                && erased == isErased[id] && commitment == bytes26(keccak256(abi.encode(_anchors[i])));
            if (!same) ++count;
        }
    }

    function writingDiffers() external view returns (uint256 count) {
        for (uint256 i = 0; i < PEOPLE * PEOPLE * 5; ++i) {
            (address o, address a, uint8 kind) =
                (person(i % PEOPLE), person(i / PEOPLE % PEOPLE), uint8(1 + i / PEOPLE / PEOPLE));
            if (consent.mayWrite(idOf(o), idOf(a), Kind.wrap(kind)) != _writingIsLive(o, a, kind)) ++count;
        }
    }

    function noncesDiffer() external view returns (uint256 count) {
        for (uint256 i = 0; i < PEOPLE; ++i) {
            (, uint32 version,) = accounts.account(idOf(person(i)));
            if (forwarder.nonces(person(i)) != _relayed[person(i)] || version != _keyVersion[person(i)]) ++count;
        }
    }

    function firstKeysDiffer() external view returns (uint256 count) {
        for (uint256 i = 0; i < PEOPLE; ++i) {
            if (accounts.sealingKey(idOf(person(i)), 1) != keccak256(abi.encode(person(i)))) ++count;
        }
    }

    function pastDiffers() external view returns (uint256 count) {
        for (uint256 i = 0; i < _statusTimes.length; ++i) {
            bool last = i + 1 == _statusTimes.length || _statusTimes[i + 1] != _statusTimes[i];
            (, bool suspended) = accounts.statusAt(idOf(person(4)), _statusTimes[i]);
            if (last && suspended != _statusSuspended[i]) ++count;
        }
    }

    function person(uint256 i) public view returns (address) {
        return _people[i % PEOPLE];
    }

    function _grantOf(RecordId recordId, uint256 pair, uint8 scope, uint256 classes, uint256 extra)
        private
        returns (GrantFields memory g)
    {
        g = grantOf(Scope(scope % 4), NO_RECORD, 0);
        (g.owner, g.reader, g.reads) = (idOf(person(pair)), idOf(person(pair / PEOPLE)), uint32(extra % 6));
        if (extra % 2 == 0) g.owner = _ownerOf[recordId];
        g.from = clock + 1 hours - uint64(classes % 1 days);
        g.until = clock + 5 days;
        if (g.scope == Scope.One) g.recordId = recordId;
        if (g.scope == Scope.Listed) g.recordId = RecordId.wrap(_rootOf(recordId));
        if (g.scope == Scope.Classes) {
            uint256 known = (classes | 2) & (type(uint64).max - 1);
            g.classes = ClassSet.wrap(extra % 23 == 22 ? known | (uint256(1) << (64 + classes % 192)) : known);
        }
        if (extra % 4 == 3 && _grants.length != 0) {
            GrantFields memory old = _grants[extra % _grants.length];
            (g.nonce, g.owner, g.reader) = (old.nonce, old.owner, old.reader);
        }
    }

    /// @dev Every list has one record and one leaf of nothing.
    function _rootOf(RecordId id) private pure returns (bytes32) {
        return node(leafOf(id), "nothing");
    }

    function _path() private pure returns (bytes32[] memory path) {
        path = new bytes32[](1);
        path[0] = "nothing";
    }

    // The model

    function _mayWrite(address a, address o, uint8 kind) private view returns (bool) {
        if (kind == 1 && !(a == _people[4] && _isAccredited(a))) return false;
        if (kind == 5 && !(a == _people[5] && _isAccredited(a))) return false;
        if (kind == 2) return a == o;
        if (kind == 4 && a == o) return true;
        return !_permission[a].suspended && _writingIsLive(o, a, kind);
    }

    function _writingIsLive(address o, address a, uint8 kind) private view returns (bool) {
        Writing memory writing = _writing[o][a];
        return writing.live && clock < writing.until && (writing.kinds >> kind) & 1 == 1;
    }

    function _mayOpen(AnchorFields memory f, GrantFields memory g, address sender, bytes32 tag)
        private
        view
        returns (bool)
    {
        RecordId id = idOf(f);
        bool covered = g.scope == Scope.All || (g.scope == Scope.One && g.recordId == id)
            || (g.scope == Scope.Classes && Class.unwrap(f.class) != 0
                && (ClassSet.unwrap(g.classes) >> Class.unwrap(f.class)) & 1 == 1)
            || (g.scope == Scope.Listed && _isListed[idOf(g)][id]);
        return idOf(sender) == g.reader && f.owner == g.owner && tag == g.purposeTag && covered && _isLive(g)
            && isAccepted[id] && !isErased[id] && (g.reads == 0 || _reads[idOf(g)] < g.reads);
    }

    function _isLive(GrantFields memory g) private view returns (bool) {
        return !isEnded[idOf(g)] && g.from <= clock && clock < g.until;
    }

    function _isAccredited(address a) private view returns (bool) {
        Permission memory permission = _permission[a];
        return !permission.suspended && permission.from <= clock && clock < permission.to;
    }

    function _accredit(address a) private {
        uint64 to = START + 20 days;
        accounts.accredit(idOf(a), "physician", "KR", START, to, 0);
        _permission[a] = Permission(false, START, to);
    }

    function _break(Rule rule, bool happened) private {
        if (happened) ++broken[rule];
    }
}
