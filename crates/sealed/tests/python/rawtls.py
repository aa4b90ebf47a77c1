"""TLS 1.3 with raw public keys, through GnuTLS.

Python's `ssl` cannot do RFC 7250, so the few functions of libgnutls (3.7 or newer) that a sealed link
needs are called with `ctypes`. Here are an identity, a session on a socket that does not block, and the
check of an Ed25519 signature. Nothing here knows of frames.
"""

import base64
import ctypes
import os
from ctypes import byref, c_char_p, c_int, c_size_t, c_ssize_t, c_uint, c_void_p

SPKI_PREFIX = bytes.fromhex("302a300506032b6570032100")
PKCS8_PREFIX = bytes.fromhex("302e020100300506032b657004220420")
PRIORITY = (
    b"NONE:+VERS-TLS1.3:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:+AEAD:+GROUP-X25519:+GROUP-SECP256R1"
    b":+SIGN-EDDSA-ED25519:+CTYPE-CLI-RAWPK:+CTYPE-SRV-RAWPK"
)
ALPN = b"via6/1"
EXPORTER_LABEL = b"EXPORTER-via6-admission"

# From gnutls.h.
CLIENT, NONBLOCK, NO_TICKETS, ENABLE_RAWPK = 1 << 1, 1 << 3, 1 << 10, 1 << 18
ALPN_MANDATORY, CRD_CERTIFICATE = 1, 1
FORMAT_DER, FORMAT_PEM = 0, 1
KEY_DIGITAL_SIGNATURE, SIGN_ED25519 = 128, 35
E_AGAIN, E_INTERRUPTED, E_PREMATURE_TERMINATION = -28, -52, -110
E_CERTIFICATE_ERROR = -43
# The most that one record carries.
RECORD_BYTES = 16_384


class Datum(ctypes.Structure):
    """gnutls_datum_t, with a hold on the bytes that it points to."""

    _fields_ = [("data", c_void_p), ("size", c_uint)]

    @classmethod
    def of(cls, data):
        buffer = ctypes.create_string_buffer(data, len(data))
        datum = cls(ctypes.addressof(buffer), len(data))
        datum.buffer = buffer
        return datum

    def bytes(self):
        return ctypes.string_at(self.data, self.size)


VERIFY = ctypes.CFUNCTYPE(c_int, c_void_p)
_lib = ctypes.CDLL("libgnutls.so.30")
_POINTER = ctypes.POINTER(Datum)
for _name, _result, _arguments in [
    ("init", c_int, [c_void_p, c_uint]),
    ("deinit", None, [c_void_p]),
    ("strerror", c_char_p, [c_int]),
    ("priority_set_direct", c_int, [c_void_p, c_char_p, c_void_p]),
    ("credentials_set", c_int, [c_void_p, c_int, c_void_p]),
    ("certificate_allocate_credentials", c_int, [c_void_p]),
    ("certificate_set_rawpk_key_mem", c_int,
     [c_void_p, _POINTER, _POINTER, c_int, c_char_p, c_uint, c_void_p, c_uint, c_uint]),
    ("certificate_get_peers", _POINTER, [c_void_p, c_void_p]),
    ("session_set_verify_function", None, [c_void_p, VERIFY]),
    ("alpn_set_protocols", c_int, [c_void_p, _POINTER, c_uint, c_uint]),
    ("transport_set_int2", None, [c_void_p, c_int, c_int]),
    ("handshake", c_int, [c_void_p]),
    ("record_get_direction", c_int, [c_void_p]),
    ("record_recv", c_ssize_t, [c_void_p, c_void_p, c_size_t]),
    ("record_send", c_ssize_t, [c_void_p, c_void_p, c_size_t]),
    ("prf_rfc5705", c_int, [c_void_p, c_size_t, c_char_p, c_size_t, c_char_p, c_size_t, c_void_p]),
    ("privkey_init", c_int, [c_void_p]),
    ("privkey_import_x509_raw", c_int, [c_void_p, _POINTER, c_int, c_char_p, c_uint]),
    ("pubkey_init", c_int, [c_void_p]),
    ("pubkey_deinit", None, [c_void_p]),
    ("pubkey_import", c_int, [c_void_p, _POINTER, c_int]),
    ("pubkey_import_privkey", c_int, [c_void_p, c_void_p, c_uint, c_uint]),
    ("pubkey_export2", c_int, [c_void_p, c_int, _POINTER]),
    ("pubkey_verify_data2", c_int, [c_void_p, c_int, c_uint, _POINTER, _POINTER]),
]:
    _function = getattr(_lib, "gnutls_" + _name)
    _function.restype, _function.argtypes = _result, _arguments


class TlsError(Exception):
    """What GnuTLS said."""


def call(name, *arguments):
    """Calls gnutls_NAME, and raises what is not a success."""
    code = getattr(_lib, "gnutls_" + name)(*arguments)
    if code < 0:
        raise TlsError(f"{name}: {_lib.gnutls_strerror(code).decode()}")
    return code


def allocate(name):
    handle = c_void_p()
    call(name, byref(handle))
    return handle


class Identity:
    """An Ed25519 key pair, from the 32 bytes that RFC 8032 calls the private key."""

    def __init__(self, seed):
        der = PKCS8_PREFIX + seed
        pem = b"-----BEGIN PRIVATE KEY-----\n" + base64.b64encode(der) + b"\n-----END PRIVATE KEY-----\n"
        private, public, spki = allocate("privkey_init"), allocate("pubkey_init"), Datum()
        call("privkey_import_x509_raw", private, Datum.of(pem), FORMAT_PEM, None, 0)
        call("pubkey_import_privkey", public, private, KEY_DIGITAL_SIGNATURE, 0)
        call("pubkey_export2", public, FORMAT_DER, byref(spki))
        self.key = spki.bytes().removeprefix(SPKI_PREFIX)
        call("pubkey_export2", public, FORMAT_PEM, byref(spki))
        self.credentials = allocate("certificate_allocate_credentials")
        call("certificate_set_rawpk_key_mem", self.credentials, byref(spki), Datum.of(pem), FORMAT_PEM, None,
             KEY_DIGITAL_SIGNATURE, None, 0, 0)

    @classmethod
    def kept_in(cls, path):
        """The identity of a state file, which is made if it is not there; a passing one without a path."""
        if path is None:
            return cls(os.urandom(32))
        if not os.path.exists(path):
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(os.urandom(32).hex() + "\n")
        with open(path, encoding="ascii") as file:
            return cls(bytes.fromhex(file.read().strip()))


def verify(key, message, signature):
    """Whether `signature` is one of Ed25519 over `message` by `key`."""
    public = allocate("pubkey_init")
    try:
        call("pubkey_import", public, Datum.of(SPKI_PREFIX + key), FORMAT_DER)
        call("pubkey_verify_data2", public, SIGN_ED25519, 0, Datum.of(message), Datum.of(signature))
        return True
    except TlsError:
        return False
    finally:
        _lib.gnutls_pubkey_deinit(public)


class Session:
    """TLS on a connected socket that does not block.

    `accept` is asked with the peer's SubjectPublicKeyInfo before anything of ours is sent, and says
    whether the handshake goes on.
    """

    def __init__(self, identity, fd, accept, role=CLIENT):
        self.identity, self.peer_key, self.unsent = identity, None, None
        self.handle = c_void_p()
        call("init", byref(self.handle), role | NONBLOCK | NO_TICKETS | ENABLE_RAWPK)
        call("priority_set_direct", self.handle, PRIORITY, None)
        call("credentials_set", self.handle, CRD_CERTIFICATE, identity.credentials)
        call("alpn_set_protocols", self.handle, byref(Datum.of(ALPN)), 1, ALPN_MANDATORY)
        _lib.gnutls_transport_set_int2(self.handle, fd, fd)
        self.received = ctypes.create_string_buffer(RECORD_BYTES)
        self.verify = VERIFY(lambda _: self.check(accept))
        _lib.gnutls_session_set_verify_function(self.handle, self.verify)

    def check(self, accept):
        count = c_uint()
        peers = _lib.gnutls_certificate_get_peers(self.handle, byref(count))
        spki = peers[0].bytes() if count.value == 1 else b""
        if len(spki) != 44 or not spki.startswith(SPKI_PREFIX) or not accept(spki):
            return E_CERTIFICATE_ERROR
        self.peer_key = spki.removeprefix(SPKI_PREFIX)
        return 0

    def handshake(self):
        """Goes on with the handshake; True once it is over."""
        code = _lib.gnutls_handshake(self.handle)
        if code in (E_AGAIN, E_INTERRUPTED):
            return False
        if code < 0 or self.peer_key is None:
            raise TlsError(f"handshake: {_lib.gnutls_strerror(code).decode()}")
        return True

    def waits_to_write(self):
        return _lib.gnutls_record_get_direction(self.handle) == 1

    def exporter(self):
        out = ctypes.create_string_buffer(32)
        call("prf_rfc5705", self.handle, len(EXPORTER_LABEL), EXPORTER_LABEL, 0, None, 32, out)
        return out.raw

    def recv(self):
        """Up to a record of bytes; None if there is none yet, empty at the end."""
        count = _lib.gnutls_record_recv(self.handle, self.received, RECORD_BYTES)
        if count in (E_AGAIN, E_INTERRUPTED):
            return None
        if count == E_PREMATURE_TERMINATION:
            return b""
        if count < 0:
            raise TlsError(f"recv: {_lib.gnutls_strerror(count).decode()}")
        return self.received.raw[:count]

    def send(self, data):
        """How many bytes of `data` are sent. What is not sent must be the beginning of the next call's."""
        # GnuTLS has the record already when it says "again": it must be given the same bytes.
        record = self.unsent or bytes(data[:RECORD_BYTES])
        count = _lib.gnutls_record_send(self.handle, record, len(record))
        if count in (E_AGAIN, E_INTERRUPTED):
            self.unsent = record
            return 0
        self.unsent = None
        if count < 0:
            raise TlsError(f"send: {_lib.gnutls_strerror(count).decode()}")
        return count

    def close(self):
        _lib.gnutls_deinit(self.handle)
