"""Public keys by value, with the encodings that OpenSSL accepts."""

from __future__ import annotations

import der
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from der import BIT_STRING, SEQUENCE
from hypothesis import given
from hypothesis import strategies as st

from certhook._certificates.keys import key_value

NULL = b"\5\0"
EC_ALGORITHM, POINT = der.KEY[2:23], der.KEY[26:]
X, Y = POINT[1:33], POINT[33:]


def info(algorithm: bytes, content: bytes, unused: int = 0, *rest: bytes) -> bytes:
    return der.element(SEQUENCE, algorithm, der.element(BIT_STRING, bytes((unused,)), content), *rest)


def algorithm(dotted: str, *parameters: bytes) -> bytes:
    return der.element(SEQUENCE, der.object_identifier(dotted), *parameters)


def encoded(key: object) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


PRIVATE = rsa.generate_private_key(65537, 2048)
MODULUS = PRIVATE.public_key().public_numbers().n.to_bytes(256, "big")
RSA = PRIVATE.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
RSA_ALGORITHM = "1.2.840.113549.1.1.1"


#: Encodings of the RSA key, which is another one in each process, so the names of the tests do not contain it.
RSA_ENCODINGS = {
    "usual": info(algorithm(RSA_ALGORITHM, NULL), RSA),
    "no parameters": info(algorithm(RSA_ALGORITHM), RSA),
    "RSASSA-PSS": info(algorithm("1.2.840.113549.1.1.10"), RSA),
    "RSAES-OAEP": info(algorithm("1.2.840.113549.1.1.7", der.element(SEQUENCE)), RSA),
    "X.500's RSA": info(algorithm("2.5.8.1.1", b"\2\2\4\0"), RSA),
    "data that OpenSSL ignores": info(algorithm(RSA_ALGORITHM, NULL), RSA + b"data that OpenSSL ignores"),
    # OpenSSL ignores the sign of the modulus, and leading zeros.
    "no sign byte": info(algorithm(RSA_ALGORITHM, NULL), der.element(SEQUENCE, der.element(2, MODULUS), b"\2\1\3")),
    "zeros": info(algorithm(RSA_ALGORITHM, NULL), der.element(SEQUENCE, der.element(2, b"\0\0", MODULUS), b"\2\0")),
    # The last bit of the exponent is unused.
    "an unused bit": info(algorithm(RSA_ALGORITHM, NULL), RSA[:-1] + b"\0", 1),
}


@pytest.mark.parametrize("key", RSA_ENCODINGS.values(), ids=RSA_ENCODINGS)
def test_an_rsa_key_has_the_value_of_its_modulus(key: bytes) -> None:
    value = b"RSA " + MODULUS.hex().encode()
    assert key_value(key) == key_value(encoded(PRIVATE)) == value


DSA = "1.2.840.10040.4.1"


@pytest.mark.parametrize(
    ("parameters", "content", "value"),
    [
        # p is 7.
        (b"\2\1\7", b"\2\1\2", b"DSA 2"),
        (b"\2\1\7", b"\2\2\0\2", b"DSA 2"),
        (b"\2\1\7", b"\2\1\2\0", b"DSA 2"),
        (b"\2\1\7", b"\2\1\x09", b"DSA 2"),
        # 2 - p, p - 2 and -2
        (b"\2\1\7", b"\2\1\xfb", b"DSA 2"),
        (b"\2\1\7", b"\2\1\5", b"DSA 2"),
        (b"\2\1\7", b"\2\1\xfe", b"DSA 2"),
        # p has no sign.
        (b"\2\1\xff", b"\2\1\x70", b"DSA 70"),
        (b"\2\1\xff", b"\2\2\0\x90", b"DSA 6f"),
        # Without p, the value is that of the bits.
        (b"", b"\2\1\4", b"\2\1\4"),
        (b"\2\1\0", b"\2\1\4", b"\2\1\4"),
        (b"\2\1\7", b"\4\1\4", b"\4\1\4"),
    ],
)
def test_a_dsa_key_has_the_value_of_its_number_modulo_p(parameters: bytes, content: bytes, value: bytes) -> None:
    rest = b"\2\1\3\2\1\2" if parameters else b""
    assert key_value(info(algorithm(DSA, der.element(SEQUENCE, parameters, rest)), content)) == value
    assert key_value(info(algorithm(DSA), content)) == content


@pytest.mark.parametrize(
    "key",
    [
        info(EC_ALGORITHM, b"\2" + X),
        info(EC_ALGORITHM, b"\3" + X),
        info(EC_ALGORITHM, b"\6" + X + Y),
        info(EC_ALGORITHM, b"\7" + X + Y),
        info(algorithm("1.2.840.10045.2.1", der.element(SEQUENCE, b"\2\1\1")), POINT),
        info(algorithm("1.3.132.1.12"), POINT),
        # The last bit is unused, that is, zero.
        info(EC_ALGORITHM, POINT[:-1] + bytes((POINT[-1] & 0xFE,)), 1),
        der.NEGATED_KEY,
    ],
)
def test_a_key_on_a_curve_has_the_value_of_its_x_coordinate(key: bytes) -> None:
    assert key_value(key) == key_value(der.KEY) == b"EC %x" % int.from_bytes(X, "big")


def test_unused_bits_are_zero() -> None:
    for bits in range(8):
        content = b"\2" + X[:-1] + b"\xff"
        value = int.from_bytes(X[:-1] + bytes((0xFF >> bits << bits,)), "big")
        assert key_value(info(EC_ALGORITHM, content, bits)) == b"EC %x" % value


def test_other_keys_have_the_value_of_their_bits() -> None:
    key = encoded(ed25519.Ed25519PrivateKey.generate())
    assert key_value(key) == key_value(info(algorithm("1.3.101.112", NULL), key[-32:])) == key[-32:]
    # Only a sequence of two numbers is an RSA key.
    one, two = b"\2\1\1", b"\4\1\1"
    for content in (der.element(0x31, one, one), der.element(SEQUENCE, one), der.element(SEQUENCE, one, two)):
        assert key_value(info(algorithm(RSA_ALGORITHM), content)) == content
    # Random bits may resemble a sequence.
    assert key_value(info(algorithm("1.3.101.112"), b"\x30\5" + bytes(30))) == b"\x30\5" + bytes(30)


def test_different_keys_have_different_values() -> None:
    keys = [encoded(ec.generate_private_key(curve())) for curve in (ec.SECP256R1, ec.SECP256R1, ec.SECP384R1)]
    keys += [encoded(PRIVATE), encoded(rsa.generate_private_key(65537, 2048)), der.KEY, der.OTHER_KEY]
    assert len({key_value(key) for key in keys}) == len(keys)


def test_keys_with_one_modulus_have_one_owner() -> None:
    numbers = PRIVATE.public_key().public_numbers()
    assert key_value(encoded_numbers(numbers.n, 3)) == key_value(encoded(PRIVATE))


def encoded_numbers(modulus: int, exponent: int) -> bytes:
    return (
        rsa.RSAPublicNumbers(exponent, modulus)
        .public_key()
        .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )


@pytest.mark.parametrize(
    "key",
    [
        b"",
        b"\x30\0",
        b"\x31" + der.KEY[1:],
        info(b"\x30\0", POINT),
        info(der.element(SEQUENCE, NULL), POINT),
        info(EC_ALGORITHM, b""),
        info(EC_ALGORITHM, b"\5" + X + Y),
        info(EC_ALGORITHM, POINT[:-1]),
        info(EC_ALGORITHM, POINT, 8),
        der.element(SEQUENCE, EC_ALGORITHM, der.element(BIT_STRING)),
        der.element(SEQUENCE, EC_ALGORITHM, der.element(BIT_STRING, b"\1")),
        der.KEY[:-1],
        info(EC_ALGORITHM, POINT, 0, NULL),
    ],
)
def test_a_malformed_key_is_its_own_value(key: bytes) -> None:
    assert key_value(key) == key


@given(st.binary(max_size=60))
def test_any_data_has_a_value(data: bytes) -> None:
    for key in (data, info(EC_ALGORITHM, data), info(algorithm(RSA_ALGORITHM), data), info(data, data)):
        assert isinstance(key_value(key), bytes)
