package dev.mullion.net.base;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.util.Objects.requireNonNull;

import dev.mullion.net.Tls;
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
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** The files of a {@link Tls}, with their content at the time of reading. */
record TlsFiles(
    Tls tls,
    @Nullable Pem chain,
    @Nullable Pem key,
    @Nullable Pem authorities) {
  private static final String[] PROTOCOLS = {"TLSv1.3", "TLSv1.2"};

  static TlsFiles read(Tls tls) throws IOException {
    return new TlsFiles(
        tls,
        read("certificateChain", tls.certificateChain()),
        read("privateKey", tls.privateKey()),
        read("authorities", tls.authorities()));
  }

  private static @Nullable Pem read(String setting, @Nullable Path path) throws IOException {
    try {
      return path == null
          ? null
          : new Pem(setting, path, new String(Files.readAllBytes(path), ISO_8859_1));
    } catch (IOException e) {
      throw new IOException(setting + ": " + path + " cannot be read: " + e, e);
    }
  }

  /**
   * Returns the given context, or a new one from the files.
   *
   * @param protocol configures the protocol above TLS, such as ALPN
   */
  SslContext context(UnaryOperator<SslContextBuilder> protocol) throws IOException {
    SslContext given = tls.context();
    if (given != null) {
      return given;
    }
    try {
      SslContextBuilder builder = tls.isForClient() ? client() : server();
      if (authorities != null || tls.isForClient()) {
        builder.trustManager(TrustedAuthorities.of(
            authorities == null ? null : authorities.certificates(),
            !tls.isForClient() || tls.verifiesHostNames()));
      }
      return protocol.apply(builder).protocols(PROTOCOLS).build();
    } catch (GeneralSecurityException | RuntimeException e) {
      throw new IOException("tls: " + tls + " cannot be used: " + e, e);
    }
  }

  /** Throws if a certificate to be presented has expired or is not valid yet. */
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
    X509Certificate[] certificates = requireNonNull(chain, "chain").certificates();
    return SslContextBuilder.forServer(key(certificates), certificates)
        .clientAuth(authorities == null ? ClientAuth.NONE : ClientAuth.REQUIRE);
  }

  private SslContextBuilder client() throws IOException {
    SslContextBuilder builder = SslContextBuilder.forClient()
        .endpointIdentificationAlgorithm(tls.verifiesHostNames() ? "HTTPS" : null);
    if (chain != null) {
      X509Certificate[] certificates = chain.certificates();
      builder.keyManager(key(certificates), certificates);
    }
    return builder;
  }

  private PrivateKey key(X509Certificate[] certificates) throws IOException {
    return requireNonNull(key, "key")
        .key(tls.password(), certificates, requireNonNull(chain, "chain").path());
  }
}
