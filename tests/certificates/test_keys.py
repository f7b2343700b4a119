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
RSA = PRIVATE.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
RSA_ALGORITHM = "1.2.840.113549.1.1.1"


@pytest.mark.parametrize(
    "key",
    [
        info(algorithm(RSA_ALGORITHM, NULL), RSA),
        info(algorithm(RSA_ALGORITHM), RSA),
        info(algorithm("1.2.840.113549.1.1.10"), RSA),
        info(algorithm("1.2.840.113549.1.1.7", der.element(SEQUENCE)), RSA),
        info(algorithm("2.5.8.1.1", b"\2\2\4\0"), RSA),
        info(algorithm(RSA_ALGORITHM, NULL), RSA + b"data that OpenSSL ignores"),
    ],
)
def test_an_rsa_key_has_the_value_of_its_numbers(key: bytes) -> None:
    numbers = PRIVATE.public_key().public_numbers()
    assert key_value(key) == key_value(encoded(PRIVATE)) == b"RSA %x %x" % (numbers.n, numbers.e)


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
    # The parameters of DSA do not belong to the value.
    parameters = der.element(SEQUENCE, b"\2\1\7", b"\2\1\3", b"\2\1\2")
    assert key_value(info(algorithm("1.2.840.10040.4.1", parameters), b"\2\1\4")) == b"\2\1\4"


def test_different_keys_have_different_values() -> None:
    keys = [encoded(ec.generate_private_key(curve())) for curve in (ec.SECP256R1, ec.SECP256R1, ec.SECP384R1)]
    keys += [encoded(PRIVATE), encoded(rsa.generate_private_key(65537, 2048)), der.KEY, der.OTHER_KEY]
    numbers = PRIVATE.public_key().public_numbers()
    keys.append(encoded_numbers(numbers.n, 3))
    assert len({key_value(key) for key in keys}) == len(keys)


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
