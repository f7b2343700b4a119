"""Tests that compare certhook with other programs."""
