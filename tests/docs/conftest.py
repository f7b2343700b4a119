"""Fixtures for the tests of the manual."""

from __future__ import annotations
