//! TLS 1.3 as sealed links have it: raw public keys on both sides, no names, no dates, no authorities.
//!
//! Who the other side is comes out of the handshake; whether it may play is decided elsewhere.

use std::sync::Arc;

use rustls::client::AlwaysResolvesClientRawPublicKeys;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring as crypto;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme, client,
};
use via6_core::invite::Fingerprint;

use crate::identity::{Identity, PublicKey};

/// What both sides speak, over QUIC as over TCP.
const ALPN: &[u8] = b"via6/1";

/// What a joiner sends as SNI, which nobody reads: `.invalid` is no name of anybody (RFC 2606).
pub(crate) const SERVER_NAME: &str = "via6.invalid";

/// A host's side: asks for a key, and takes any.
pub(crate) fn server(identity: &Identity) -> Result<Arc<ServerConfig>, Error> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(Arc::new(AnyKey))
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(certified(
            identity,
        )?)));
    config.alpn_protocols = vec![ALPN.to_vec()];
    // Each transport proves both keys anew.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// A joiner's side: goes on only with the host whose key has this fingerprint.
pub(crate) fn client(identity: &Identity, host: Fingerprint) -> Result<Arc<ClientConfig>, Error> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(ThisHost(host)))
        .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(certified(
            identity,
        )?)));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = client::Resumption::disabled();
    Ok(Arc::new(config))
}

/// The key that came out of a handshake.
pub(crate) fn peer_key(certificates: Option<&[CertificateDer<'_>]>) -> Option<PublicKey> {
    PublicKey::from_spki(certificates?.first()?)
}

/// Whether an error of a handshake says that the host has another key than the invite.
pub(crate) fn is_other_host(error: &Error) -> bool {
    *error == other_host()
}

fn other_host() -> Error {
    Error::InvalidCertificate(CertificateError::UnknownIssuer)
}

/// AES-128 first: quick on whatever has run games for the last fifteen years.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: vec![
            crypto::cipher_suite::TLS13_AES_128_GCM_SHA256,
            crypto::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
            crypto::cipher_suite::TLS13_AES_256_GCM_SHA384,
        ],
        kx_groups: vec![crypto::kx_group::X25519],
        ..crypto::default_provider()
    })
}

fn certified(identity: &Identity) -> Result<Arc<CertifiedKey>, Error> {
    let private = PrivateKeyDer::Pkcs8(identity.private());
    let key = crypto::default_provider()
        .key_provider
        .load_private_key(private)?;
    let public = CertificateDer::from(identity.public().to_spki().to_vec());
    Ok(Arc::new(CertifiedKey::new(vec![public], key)))
}

/// Ed25519 and nothing else.
fn verify(
    message: &[u8],
    key: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    let key = PublicKey::from_spki(key).ok_or(CertificateError::BadEncoding)?;
    let signature = signed.signature().try_into().ok();
    let is_ed25519 = signed.scheme == SignatureScheme::ED25519;
    let signature = signature.filter(|_| is_ed25519);
    match signature {
        Some(signature) if key.has_signed(message, signature) => {
            Ok(HandshakeSignatureValid::assertion())
        }
        _ => Err(CertificateError::BadSignature.into()),
    }
}

/// There is no TLS 1.2 here, so nobody calls this.
fn refuse_tls12() -> Result<HandshakeSignatureValid, Error> {
    Err(Error::General("TLS 1.2".into()))
}

#[derive(Debug)]
struct ThisHost(Fingerprint);

impl ServerCertVerifier for ThisHost {
    fn verify_server_cert(
        &self,
        key: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let key = PublicKey::from_spki(key).ok_or(CertificateError::BadEncoding)?;
        if key.fingerprint() == self.0 {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(other_host())
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        refuse_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify(message, key, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

#[derive(Debug)]
struct AnyKey;

impl ClientCertVerifier for AnyKey {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        key: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match PublicKey::from_spki(key) {
            Some(_) => Ok(ClientCertVerified::assertion()),
            None => Err(CertificateError::BadEncoding.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        refuse_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify(message, key, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
