"""Verification of certificate chains in one interpreter, in a process of its own with only the standard library.

Each line of the standard input is a request, a JSON object; each line of the standard output is
the list of results. A result is 0 if the chain was verified, OpenSSL's verify code if it was not,
and the reason as text if the handshake failed before or after the verification.

variables   environment variables to set, or to remove if the value is null
server      the path of a PEM file with the chain and the key of the leaf
chain       instead of *server*: a list of certificates in base64, sent by a stand-in server without a key
host        the host name to verify, or null
time        the time in Unix seconds at which OpenSSL judges the chain, or null
clock       the time in Unix seconds that time.time() returns, or null
flags       verification flags to add, for all results
strict      a list: a result for each value of VERIFY_X509_STRICT, null for the default
cafile      the file of roots that create_default_context() names; each result is then a list: the result, the number
            of certificates that were loaded before it, and the later results of get_ca_certs() and cert_store_stats()
keep        reuse the context of an earlier request with this value; null for a new one for each result
"""

from __future__ import annotations

import json
import os
import sys
import time

_real_time = time.time
_clock = None


def _time():
    return _real_time() if _clock is None else _clock


# Before certhook is used, which imports the function by name.
time.time = _time

import _ssl  # noqa: E402
import base64  # noqa: E402
import ssl  # noqa: E402
import zlib  # noqa: E402

_kept: dict = {}
_servers: dict = {}


def judge(request):
    """Return the results of *request*."""
    global _clock
    for name, value in request.get("variables", {}).items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    _clock = request.get("clock")
    judge_each = _judge_file if "cafile" in request else _judge_once
    return [judge_each(request, strict) for strict in request["strict"]]


def _judge_file(request, strict):
    context = _context(request, strict)
    loaded = _ssl._SSLContext.cert_store_stats(context)["x509"]
    result = _judge_once(request, strict, context)
    roots = [zlib.crc32(each) for each in context.get_ca_certs(binary_form=True)]
    return [result, loaded, roots, context.cert_store_stats()]


def _judge_once(request, strict, context=None):
    context = context or _context(request, strict)
    moment = request.get("time")
    if moment is not None:
        set_time(context, moment)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = context.wrap_bio(incoming, outgoing, server_hostname=request.get("host"))
    if _progress(connection) != "more":
        return "no client hello"
    if "chain" in request:
        incoming.write(stand_in(request["chain"]))
    else:
        replies = ssl.MemoryBIO()
        server = _server(request["server"]).wrap_bio(outgoing, replies, server_side=True)
        _progress(server)
        incoming.write(replies.read())
    result = _progress(connection)
    return 0 if result in ("more", "done") or result in _AFTER_VERIFICATION else result


#: Errors that can only follow a successful verification: the leaf's key does not fit the stand-in server's cipher.
_AFTER_VERIFICATION = ("WRONG_CERTIFICATE_TYPE", "UNKNOWN_CERTIFICATE_TYPE", "BAD_ECC_CERT")


def _progress(connection):
    try:
        connection.do_handshake()
    except ssl.SSLWantReadError:
        return "more"
    except ssl.SSLCertVerificationError as error:
        return error.verify_code
    except ssl.SSLError as error:
        return error.reason or str(error)
    return "done"


def _context(request, strict):
    keep = request.get("keep")
    flags = request.get("flags", 0)
    timed = request.get("time") is not None  # The time cannot be reset.
    key = (keep, timed, request.get("host") is None, flags)
    context = None if keep is None else _kept.get(key)
    if context is None:
        context = ssl.create_default_context(cafile=request.get("cafile"))
        context.maximum_version = ssl.TLSVersion.TLSv1_2 if "chain" in request else ssl.TLSVersion.TLSv1_3
        context.verify_flags |= flags
        context.check_hostname = request.get("host") is not None
        if keep is not None:
            for old in list(_kept)[:-7]:
                del _kept[old]
            _kept[key] = context
    if strict is not None:
        on = context.verify_flags | ssl.VERIFY_X509_STRICT
        context.verify_flags = on if strict else on & ~ssl.VERIFY_X509_STRICT
    return context


def _server(path):
    if path not in _servers:
        _servers.clear()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        _servers[path] = context
    return _servers[path]


def stand_in(chain):
    """Return the first messages of a TLS 1.2 server (:rfc:`5246#section-7.4`) that sends *chain*."""
    cipher = b"\xc0\x2f"  # TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
    secure_renegotiation = b"\xff\x01\x00\x01\x00"  # RFC 5746, which OpenSSL 3 requires
    hello = b"\x03\x03" + b"\x55" * 32 + b"\x00" + cipher + b"\x00" + _sized(2, secure_renegotiation)
    certificates = b"".join(_sized(3, base64.b64decode(each)) for each in chain)
    messages = b"\x02" + _sized(3, hello) + b"\x0b" + _sized(3, _sized(3, certificates))
    fragments = (messages[start : start + 0x4000] for start in range(0, len(messages), 0x4000))
    return b"".join(b"\x16\x03\x03" + _sized(2, fragment) for fragment in fragments)


def _sized(width, content):
    return len(content).to_bytes(width, "big") + content


def set_time(context, moment):
    """Let *context* judge chains at the time *moment*, for which the ssl module has no function."""
    import _ssl
    import ctypes

    library = ctypes.CDLL(_ssl.__file__)
    # The first field of the object that implements a context.
    pointer = ctypes.c_void_p.from_address(id(context) + object.__basicsize__)
    assert library.SSL_CTX_get_verify_mode(pointer) == 3  # SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
    library.SSL_CTX_get0_param.restype = ctypes.c_void_p
    parameters = ctypes.c_void_p(library.SSL_CTX_get0_param(pointer))
    library.X509_VERIFY_PARAM_set_time(parameters, ctypes.c_int64(moment))


def main():
    hooked = hasattr(ssl.create_default_context, "__certhook__")
    print(json.dumps([hooked, list(sys.version_info[:3]), ssl.OPENSSL_VERSION]), flush=True)
    for line in sys.stdin:
        print(json.dumps(judge(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
