"""The code for Windows, which has neither directory descriptors nor ``fcntl``, run on any platform."""

from __future__ import annotations

import os
import shutil

import pytest
from enabling import disable, enable_small, posix, snapshot

from certhook._directory import opening
from certhook.cli.enable import journal
from certhook.cli.enable.refusal import Refused


@pytest.fixture(autouse=True)
def without_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "HAS_DESCRIPTORS", False)
    monkeypatch.setattr(journal, "fcntl", None)


def test_everything_is_removed_again(embeddable) -> None:
    before = snapshot(embeddable)
    enable_small(embeddable, "1.0")
    enable_small(embeddable, "2.0")
    cache = embeddable / "Lib" / "site-packages" / "certhook" / "__pycache__"
    cache.mkdir()
    (cache / "__init__.cpython-311.pyc").write_bytes(b"?")
    assert disable(embeddable) == []
    assert snapshot(embeddable) == before


@posix
@pytest.mark.parametrize("name", ["certifi", "certifi/core", "certifi/core/module.py"])
def test_a_link_is_not_followed(name, embeddable, tmp_path) -> None:
    enable_small(embeddable)
    linked = embeddable / "Lib" / "site-packages" / name
    shutil.move(linked, tmp_path / "elsewhere")
    linked.symlink_to(tmp_path / "elsewhere")
    before = snapshot(tmp_path)
    assert disable(embeddable)
    after = snapshot(tmp_path)
    assert {path: after.get(path) for path in before if path.startswith("elsewhere")} == {
        path: content for path, content in before.items() if path.startswith("elsewhere")
    }


def test_a_second_process_is_refused(embeddable, monkeypatch) -> None:
    """The first process keeps a file of the staging directory open, so Windows does not delete it."""
    stage = embeddable / "Lib" / "site-packages" / journal.NAME
    stage.mkdir(parents=True)
    (stage / "certhook-enable.json").write_text("{}")
    replace = os.replace

    def refuse(source: str, path: str, **kwargs: object) -> None:
        if os.path.basename(path) == "certhook-enable.json":
            raise PermissionError(13, "The process cannot access the file because it is being used", path)
        replace(source, path, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        for change in (enable_small, disable):
            with pytest.raises(Refused, match="another 'enable' or 'disable' is changing"):
                change(embeddable)
    assert disable(embeddable) == []
