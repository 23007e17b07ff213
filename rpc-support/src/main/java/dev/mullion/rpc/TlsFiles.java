package dev.mullion.rpc;

import static io.grpc.util.AdvancedTlsX509TrustManager.Verification.CERTIFICATE_AND_HOST_NAME_VERIFICATION;
import static io.grpc.util.AdvancedTlsX509TrustManager.Verification.CERTIFICATE_ONLY_VERIFICATION;
import static java.nio.charset.StandardCharsets.ISO_8859_1;

import io.grpc.netty.GrpcSslContexts;
import io.grpc.util.AdvancedTlsX509TrustManager;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.PrivateKey;
import java.security.cert.CertificateExpiredException;
import java.security.cert.CertificateNotYetValidException;
import java.security.cert.X509Certificate;
import org.jspecify.annotations.Nullable;

/** The files of a {@link Tls} with what was in them when they were read. */
record TlsFiles(
    Tls tls,
    @Nullable Pem chain,
    @Nullable Pem key,
    @Nullable Pem authorities) {
  private static final String[] PROTOCOLS = {"TLSv1.3", "TLSv1.2"};

  static TlsFiles read(Tls tls) throws IOException {
    Tls.Identity own = tls.identity;
    return new TlsFiles(
        tls,
        own == null ? null : read("certificateChain", own.certificateChain()),
        own == null ? null : read("privateKey", own.privateKey()),
        tls.authorities == null ? null : read("authorities", tls.authorities));
  }

  private static Pem read(String setting, Path path) throws IOException {
    try {
      return new Pem(setting, path, new String(Files.readAllBytes(path), ISO_8859_1));
    } catch (IOException e) {
      throw new IOException(setting + ": " + path + " cannot be read: " + e, e);
    }
  }

  SslContext context() throws IOException {
    try {
      SslContextBuilder builder = tls.forClient ? client() : server();
      if (authorities != null || tls.forClient) {
        builder.trustManager(trust());
      }
      return GrpcSslContexts.configure(builder).protocols(PROTOCOLS).build();
    } catch (GeneralSecurityException | RuntimeException e) {
      throw new IOException("tls: " + tls + " cannot be used: " + e, e);
    }
  }

  /** Throws if a certificate that would be shown has expired, or is not valid yet. */
  void checkValid() throws IOException {
    if (chain == null) {
      return;
    }
    for (X509Certificate each : chain.certificates()) {
      try {
        each.checkValidity();
      } catch (CertificateExpiredException expired) {
        throw new IOException(
            chain + " has expired, certificate of " + each.getSubjectX500Principal() + ": "
                + expired.getMessage(),
            expired);
      } catch (CertificateNotYetValidException early) {
        throw new IOException(
            chain + " is not valid yet, certificate of " + each.getSubjectX500Principal() + ": "
                + early.getMessage(),
            early);
      }
    }
  }

  private SslContextBuilder server() throws IOException {
    if (tls.identity == null || chain == null || key == null) {
      throw new IllegalStateException("a server without certificate: " + tls);
    }
    X509Certificate[] certificates = chain.certificates();
    return SslContextBuilder.forServer(key(tls.identity, key, certificates), certificates)
        .clientAuth(authorities == null ? ClientAuth.NONE : ClientAuth.REQUIRE);
  }

  private SslContextBuilder client() throws IOException {
    SslContextBuilder builder = SslContextBuilder.forClient();
    if (tls.identity != null && chain != null && key != null) {
      X509Certificate[] certificates = chain.certificates();
      builder.keyManager(key(tls.identity, key, certificates), certificates);
    }
    return builder;
  }

  private static PrivateKey key(Tls.Identity own, Pem key, X509Certificate[] certificates)
      throws IOException {
    return key.key(own.password(), certificates, own.certificateChain());
  }

  /** gRPC's own, since its transport has names verified whatever the context says. */
  private AdvancedTlsX509TrustManager trust() throws IOException, GeneralSecurityException {
    AdvancedTlsX509TrustManager trust = AdvancedTlsX509TrustManager.newBuilder()
        .setVerification(
            tls.verifiesHostNames
                ? CERTIFICATE_AND_HOST_NAME_VERIFICATION
                : CERTIFICATE_ONLY_VERIFICATION)
        .build();
    if (authorities == null) {
      trust.useSystemDefaultTrustCerts();
    } else {
      trust.updateTrustCredentials(authorities.certificates());
    }
    return trust;
  }
}
