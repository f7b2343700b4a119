"""CAs and certificates of well-known products, each with its own remedy."""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cryptography import x509


class Product(NamedTuple):
    """A product that issues certificates itself.

    :ivar words: substrings of the names in its certificates, in lower case
    :ivar description: a phrase for the certificate or its CA
    :ivar advice: the remedy
    """

    words: tuple[str, ...]
    description: str
    advice: str


#: Certificates that a server shows if it has none for the requested name.
DEFAULTS = (
    Product(
        ("traefik default cert",),
        "the default certificate of Traefik",
        "Configure a certificate for {host} in Traefik: a router with this host and tls.certResolver, or the files in "
        "tls.certificates. Traefik's log shows why a certificate was not loaded or issued.",
    ),
    Product(
        ("kubernetes ingress controller fake certificate",),
        "the default certificate of Kubernetes' ingress-nginx",
        "Add {host} to spec.tls of the Ingress, with a secretName that exists in the same namespace. To show the "
        "Ingress and its events, run:\nkubectl describe ingress --all-namespaces",
    ),
    Product(
        ("ssl_self_signed_fallback",),
        "the certificate that Microsoft SQL Server creates if none is configured",
        "Select a certificate for {host} in SQL Server Configuration Manager (Protocols > Properties > Certificate), "
        "and restart SQL Server.",
    ),
    Product(
        ("plesk", "cpanel", "parallels panel"),
        "the default certificate of a hosting control panel",
        "Install a certificate for {host} in the control panel, and select it for this site.",
    ),
    Product(
        ("localhost.localdomain", "someorganization", "snakeoil"),
        "the sample certificate that a Linux distribution creates for a web server",
        "Set the certificate and its key in the web server's configuration (nginx: ssl_certificate; Apache: "
        "SSLCertificateFile).",
    ),
    Product(
        ("fritz.box", "fritz!box", "speedport", "router", "unifi", "ubnt", "synology", "qnap", "fortigate", "openwrt"),
        "the built-in certificate of a router, firewall or storage device",
        "If {host} should be another server, the name leads to this device: check the address of {host}, and log in "
        "with a browser if this network requires it.",
    ),
)

#: CAs that are not trusted by default, and whose root certificate is in a known place.
AUTHORITIES = (
    Product(
        ("(staging)", "fake le ", "pebble"),
        "a test CA of Let's Encrypt, which nothing trusts",
        "Ask the server's administrator to get a certificate from the production service: without the option "
        "--staging or --test-cert, or with the directory https://acme-v02.api.letsencrypt.org/directory.",
    ),
    Product(
        ("cloudflare origin",),
        "the CA that Cloudflare uses between its own servers and {host}",
        "Ask the server's administrator to enable Cloudflare's proxy for {host} (the orange cloud), or to install a "
        "certificate from a public CA for direct connections.",
    ),
    Product(
        ("caddy local authority",),
        "the internal CA of the web server Caddy",
        "For a public name, ask the server's administrator to let Caddy get a public certificate: without 'tls "
        "internal', and with a name that resolves to the server. Otherwise, its root certificate is the file "
        "pki/authorities/local/root.crt in Caddy's data directory on the server.",
    ),
    Product(
        ("minikubeca",),
        "the CA of minikube",
        "The root certificate is in the file ~/.minikube/ca.crt on the machine with minikube.",
    ),
    Product(
        ("k3s-server-ca", "rke2-server-ca"),
        "the CA of a k3s or RKE2 cluster",
        "The root certificate is in certificate-authority-data of your kubeconfig. To write it to a file, run:\n"
        "kubectl config view --raw --minify -o jsonpath='{{.clusters[0].cluster.certificate-authority-data}}' "
        "| base64 -d > ca.pem",
    ),
    Product(
        ('"kubernetes"',),
        "the CA of a Kubernetes cluster",
        "The root certificate is in certificate-authority-data of your kubeconfig, and in pods in "
        "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt. To write it to a file, run:\n"
        "kubectl config view --raw --minify -o jsonpath='{{.clusters[0].cluster.certificate-authority-data}}' "
        "| base64 -d > ca.pem",
    ),
    Product(
        ("amazon rds",),
        "the CA of Amazon RDS databases",
        "Download Amazon's certificates, and pass the file to the database driver (often sslrootcert):\n"
        "curl -O https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem",
    ),
    Product(
        ("google cloud sql",),
        "the CA of a Google Cloud SQL instance",
        "Download the server certificate authority of the instance from the page Connections > Security, and pass the "
        "file server-ca.pem to the database driver (often sslrootcert).",
    ),
    Product(
        ("elasticsearch security",),
        "the CA that Elasticsearch creates",
        "Copy the root certificate from the file config/certs/http_ca.crt of the Elasticsearch server, and pass it to "
        "the client as ca_certs.",
    ),
    Product(
        ("proxmox virtual environment", "pve cluster manager ca"),
        "the CA of a Proxmox cluster",
        "Copy the root certificate from the file /etc/pve/pve-root-ca.pem of the server.",
    ),
    Product(
        ("mkcert",),
        "a CA of mkcert for development",
        "Copy the root certificate rootCA.pem from the machine that runs mkcert. To show its directory there, run:\n"
        "mkcert -CAROOT",
    ),
    Product(
        ("mitmproxy",),
        "the CA of mitmproxy, a program that intercepts connections for debugging",
        "If you started mitmproxy yourself, its root certificate is the file ~/.mitmproxy/mitmproxy-ca-cert.pem.",
    ),
)


def find(products: tuple[Product, ...], *names: x509.Name) -> Product | None:
    """Return the first of *products* that a certificate with one of *names* belongs to."""
    text = " ".join(f'"{attribute.value!s}"' for name in names for attribute in name).lower()
    return next((one for one in products if any(word in text for word in one.words)), None)
