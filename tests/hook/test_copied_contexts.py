"""Attributes that a program copies from one context to another have no effect on trust, as in stock Python."""

from __future__ import annotations

import pytest
import support

PROGRAM = (
    support.VERDICTS.partition("context = ")[0]
    + """
import copy, copyreg, pickle, sys

class Context(ssl.SSLContext):
    def __new__(cls):
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
    def __reduce_ex__(self, version):
        return Context, (), dict(vars(self))

class Registered(Context):
    pass

copyreg.pickle(Registered, lambda context: (Registered, (), dict(vars(context))))

def update(new, old):
    vars(new).update(vars(old))

def assign(new, old):
    new.__dict__ = dict(vars(old))

def set_each(new, old):
    for item in vars(old).items():
        setattr(new, *item)

def update_deeply(new, old):
    vars(new).update(copy.deepcopy(vars(old)))

def at_the_address_of_a_deleted_one():
    old = load(Context())
    kept, address = dict(vars(old)), id(old)
    del old
    held = []
    while not held or id(held[-1]) != address:
        held.append(Context())
        assert len(held) < 1000
    vars(held[-1]).update(kept)
    return held[-1]

def copies():
    for transfer in update, assign, set_each, update_deeply:
        old, new = load(Context()), Context()
        transfer(new, old)
        yield new
    for duplicate in (lambda old: pickle.loads(pickle.dumps(old))), copy.copy, copy.deepcopy:
        for kind in Context, Registered:
            yield duplicate(load(kind()))
    yield at_the_address_of_a_deleted_one()

port = int(os.environ["PORT"])
for new in copies():
    before = verdict(port, new), len(new.get_ca_certs())
    new.load_default_certs()
    print(*before, verdict(port, new), len(new.get_ca_certs()), sorted(set(vars(new)) - {"_certhook"}))
"""
)

#: The code that loads roots into the context before it is copied.
LOADS = {
    "lazily loaded": "context.load_default_certs()",
    "queried": "context.load_default_certs(); context.get_ca_certs()",
    "with own certificates": "context.load_verify_locations(os.environ['OWN']); context.load_default_certs()",
}


@pytest.mark.parametrize("load", LOADS)
def test_a_copy_has_no_roots_until_they_are_loaded_as_in_stock_python(installed, cas, servers, tmp_path, load) -> None:
    (tmp_path / "store.pem").write_bytes(cas.pem("system", "both"))
    (tmp_path / "own.pem").write_bytes(cas.pem("stranger"))
    (tmp_path / "hashed").mkdir()
    (tmp_path / "hashed" / support.hashed_name(cas.der("system"))).write_bytes(cas.pem("system"))
    code = f"def load(context):\n    {LOADS[load]}\n    return context\n{PROGRAM}"
    variables = {
        "SSL_CERT_FILE": str(tmp_path / "store.pem"),
        "SSL_CERT_DIR": str(tmp_path / "hashed"),
        "OWN": str(tmp_path / "own.pem"),
        "PORT": str(servers.port("system")),
    }
    hooked, stock = (
        support.run(installed, code, env=support.clean_env(**variables, **disabled))
        for disabled in ({}, {"CERTHOOK_DISABLED": "1"})
    )
    assert hooked.stdout == stock.stdout == "no 0 yes 2 []\n" * 11
    assert hooked.stderr == stock.stderr == ""


def test_the_attributes_of_a_context_can_be_unpickled_without_certhook(installed, plain) -> None:
    code = "import pickle, ssl, sys; sys.stdout.write(pickle.dumps(vars(ssl.create_default_context()), 0).decode())"
    pickled = support.run(installed, code).stdout
    assert "certhook" in pickled
    code = f"import pickle; print(pickle.loads({pickled.encode()!r}))"
    assert support.run(plain, code).stdout == "{'_certhook': False}\n"
