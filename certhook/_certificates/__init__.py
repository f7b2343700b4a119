"""Certificates: anchors, PEM, X.509 and their use by OpenSSL."""
