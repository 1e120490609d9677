"""Makes shares.json and derivation.json: our own vectors, computed by nothing but Python's standard library.

It is a second reading of design and standards (RFC 5869, RFC 7748, RFC 9496, BIP-32), not of the Rust code. Run it here;
it prints nothing and writes the same bytes each time.
"""

import hashlib
import hmac
import json

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)
BASE_Y = 4 * pow(5, P - 2, P) % P


def hkdf(hash_name, ikm, salt, info, length):
    size = hashlib.new(hash_name).digest_size
    prk = hmac.new(salt or bytes(size), ikm, hash_name).digest()
    out, block, count = b"", b"", 1
    while len(out) < length:
        block = hmac.new(prk, block + info + bytes([count]), hash_name).digest()
        out, count = out + block, count + 1
    return out[:length]


# RFC 9496, ristretto255


def sqrt_ratio(u, v):
    """sqrt(u/v) or sqrt(SQRT_M1·u/v), not negative, and whether it was the former (section 4.2)."""
    r = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    check = v * r * r % P
    correct, flipped = check == u % P, check == -u % P
    if flipped or check == -u * SQRT_M1 % P:
        r = r * SQRT_M1 % P
    return correct or flipped, absolute(r)


def absolute(x):
    return P - x if x % 2 else x


def add(p, q):
    (x1, y1, z1, t1), (x2, y2, z2, t2) = p, q
    a, b = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    c, d = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(scalar, point):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point, scalar = add(point, point), scalar >> 1
    return result


def base_point():
    x2 = (BASE_Y * BASE_Y - 1) * pow(D * BASE_Y * BASE_Y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if x * x % P != x2:
        x = x * SQRT_M1 % P
    x = absolute(x)
    return x, BASE_Y, 1, x * BASE_Y % P


def encode(point):
    x0, y0, z0, t0 = point
    u1, u2 = (z0 + y0) * (z0 - y0) % P, x0 * y0 % P
    _, inverse = sqrt_ratio(1, u1 * u2 * u2 % P)
    den1, den2 = inverse * u1 % P, inverse * u2 % P
    z_inverse = den1 * den2 * t0 % P
    _, root = sqrt_ratio(1, (-1 - D) % P)
    if t0 * z_inverse % P % 2:
        x, y, den = y0 * SQRT_M1 % P, x0 * SQRT_M1 % P, den1 * root % P
    else:
        x, y, den = x0, y0, den2
    if x * z_inverse % P % 2:
        y = -y % P
    return absolute(den * (z0 - y) % P).to_bytes(32, "little")


def dealing(seed, record, n, t):
    a = [
        int.from_bytes(hkdf("sha512", seed, record, b"medibloc/v1/share/" + bytes([j]), 64), "little") % L
        for j in range(t)
    ]
    share = lambda i: sum(c * pow(i, j, L) for j, c in enumerate(a)) % L
    base = base_point()
    return {
        "dealer_seed": seed.hex(),
        "record": record.hex(),
        "n": n,
        "t": t,
        "keeper_half": a[0].to_bytes(32, "little").hex(),
        "commitments": [encode(times(c, base)).hex() for c in a],
        "shares": [share(i).to_bytes(32, "little").hex() for i in range(1, n + 1)],
    }


# RFC 7748, X25519


def x25519(secret, u):
    k = bytearray(secret)
    k[0] &= 248
    k[31] = k[31] & 127 | 64
    k, x1 = int.from_bytes(k, "little"), int.from_bytes(u, "little") % 2**255
    x2, z2, x3, z3, swap = 1, 0, x1, 1, 0
    for t in reversed(range(255)):
        bit = k >> t & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a, b * b, d * a, c * b
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % P, x1 * (da - cb) ** 2 % P
        x2, z2 = aa * bb % P, e * (aa + 121665 * e) % P
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


# BIP-32 on secp256k1

Q = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)


def plus(p, q):
    if p is None or q is None:
        return p or q
    if p[0] == q[0] and (p[1] + q[1]) % Q == 0:
        return None
    if p == q:
        m = 3 * p[0] * p[0] * pow(2 * p[1], Q - 2, Q)
    else:
        m = (q[1] - p[1]) * pow(q[0] - p[0], Q - 2, Q)
    x = (m * m - p[0] - q[0]) % Q
    return x, (m * (p[0] - x) - p[1]) % Q


def public(secret):
    result, point = None, G
    while secret:
        if secret & 1:
            result = plus(result, point)
        point, secret = plus(point, point), secret >> 1
    return bytes([2 + result[1] % 2]) + result[0].to_bytes(32, "big")


def bip32(seed, path):
    node = hmac.new(b"Bitcoin seed", seed, "sha512").digest()
    key, chain = int.from_bytes(node[:32], "big"), node[32:]
    for index in path:
        data = b"\0" + key.to_bytes(32, "big") if index >> 31 else public(key)
        node = hmac.new(chain, data + index.to_bytes(4, "big"), "sha512").digest()
        key, chain = (int.from_bytes(node[:32], "big") + key) % N, node[32:]
    return key.to_bytes(32, "big").hex()


def derivation(seed):
    hard = 1 << 31
    sealing = lambda name, version: hkdf("sha256", seed, b"", f"medibloc/v1/sealing/{name}/{version}".encode(), 32)
    nine = bytes([9]) + bytes(31)
    return {
        "seed": seed.hex(),
        "account": bip32(seed, [44 + hard, 60 + hard, hard, 0, 0]),
        "relationships": {
            str(i): bip32(seed, [44 + hard, 60 + hard, 1 + hard, 1 + hard, i + hard]) for i in (0, 1, 1000)
        },
        "sealing": [
            {"slot": name, "version": version, "secret": sealing(name, version).hex(),
             "public": x25519(sealing(name, version), nine).hex()}
            for name, version in (("account", 1), ("account", 2), ("0", 1), ("7", 3))
        ],
        "local": {"vault": hkdf("sha256", seed, b"", b"medibloc/v1/local/vault", 32).hex()},
    }


def write(name, value):
    with open(name, "w") as file:
        json.dump(value, file, indent=1)
        file.write("\n")


def number(text):
    return hashlib.sha256(text.encode()).digest()


assert encode(base_point()).hex() == "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76"
alice = bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
assert x25519(alice, bytes([9]) + bytes(31)).hex() == "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
write("shares.json", [
    dealing(bytes([7] * 32), bytes([9] * 32), 7, 4),
    dealing(number("seed 1"), number("record 1"), 1, 1),
    dealing(number("seed 2"), number("record 2"), 3, 2),
    dealing(bytes(32), bytes(32), 64, 64),
])
write("derivation.json", [
    derivation(bytes(range(64))),
    derivation(hashlib.sha512(b"derivation").digest()),
])
