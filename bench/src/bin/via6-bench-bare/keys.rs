//! TLS 1.3 with a raw public key of the host's, made at its start and believed by every joiner: the
//! same computation as a real check, and no secret to hand over.

use std::sync::Arc;

use anyhow::Context as _;
use ring::rand::SystemRandom;
use ring::signature::Ed25519KeyPair;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring as provider};
use rustls::pki_types::{
    CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
};
use rustls::server::AlwaysResolvesServerRawPublicKeys;
use rustls::sign::CertifiedKey;
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, ServerConfig, SignatureScheme, version::TLS13,
};

/// What the joiner calls the host. TLS wants a name; nobody looks at it.
pub(crate) const HOST: &str = "bare.invalid";

/// AES-128-GCM first, as the cheapest that both ends have: rustls alone would take AES-256.
fn suites() -> Arc<CryptoProvider> {
    let mut provider = provider::default_provider();
    let cheapest = provider::cipher_suite::TLS13_AES_128_GCM_SHA256;
    provider.cipher_suites.retain(|suite| *suite != cheapest);
    provider.cipher_suites.insert(0, cheapest);
    Arc::new(provider)
}

pub(crate) fn host() -> anyhow::Result<ServerConfig> {
    let pair = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
        .map_err(|_| anyhow::anyhow!("cannot make a key: the system gave no randomness"))?;
    let private = PrivatePkcs8KeyDer::from(pair.as_ref());
    let key = provider::sign::any_eddsa_type(&private)?;
    let public = key.public_key().context("a key has no public part")?;
    let certified = CertifiedKey::new(vec![CertificateDer::from(public.to_vec())], key);
    let resolver = AlwaysResolvesServerRawPublicKeys::new(Arc::new(certified));
    Ok(ServerConfig::builder_with_provider(suites())
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(resolver)))
}

pub(crate) fn joiner() -> anyhow::Result<ClientConfig> {
    let provider = suites();
    let verifier = AnyHost(provider.signature_verification_algorithms);
    Ok(ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

/// Takes any key, but only from who can sign with it.
#[derive(Debug)]
struct AnyHost(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for AnyHost {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 has not been offered".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = SubjectPublicKeyInfoDer::from(key.as_ref());
        rustls::crypto::verify_tls13_signature_with_raw_key(message, &key, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
