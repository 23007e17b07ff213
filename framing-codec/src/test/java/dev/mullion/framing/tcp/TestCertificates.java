package dev.mullion.framing.tcp;

import io.netty.pkitesting.CertificateBuilder;
import io.netty.pkitesting.X509Bundle;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManagerFactory;

/**
 * An authority with a certificate of a server, for {@code localhost} and {@code 127.0.0.1}, and one of
 * a client, each in files of a directory. No two authorities trust each other.
 */
final class TestCertificates {
  /** The certificate of the authority. */
  final Path authorities;

  final Path serverChain;
  final Path serverKey;
  final Path clientChain;
  final Path clientKey;

  private final Path directory;
  private final X509Bundle authority;

  private TestCertificates(Path directory) throws Exception {
    this.directory = Files.createDirectories(directory);
    authority = new CertificateBuilder()
        .ecp256()
        .subject("CN=authority in " + directory.getFileName())
        .setIsCertificateAuthority(true)
        .buildSelfSigned();
    authorities = write("authorities.pem", authority.getCertificatePEM());
    X509Bundle server = issue(new CertificateBuilder()
        .ecp256()
        .subject("CN=server")
        .addSanDnsName("localhost")
        .addSanIpAddress("127.0.0.1")
        .addExtendedKeyUsageServerAuth());
    serverChain = write("server.pem", server.getCertificatePathPEM());
    serverKey = write("server.key", server.getPrivateKeyPEM());
    X509Bundle client = issue(
        new CertificateBuilder().ecp256().subject("CN=client").addExtendedKeyUsageClientAuth());
    clientChain = write("client.pem", client.getCertificatePathPEM());
    clientKey = write("client.key", client.getPrivateKeyPEM());
  }

  /** Makes an authority of its own in the directory, which is made too. */
  static TestCertificates in(Path directory) throws Exception {
    return new TestCertificates(directory);
  }

  /** Returns the settings of a server. */
  Tls server() {
    return Tls.server(serverChain, serverKey);
  }

  /** Returns the settings of a server that demands a certificate of this authority. */
  Tls mutualServer() {
    return server().trusting(authorities);
  }

  /** Returns the settings of a client that trusts this authority. */
  Tls client() {
    return Tls.client().trusting(authorities);
  }

  /** Returns the settings of such a client that presents its certificate. */
  Tls mutualClient() {
    return client().presenting(clientChain, clientKey);
  }

  /** Returns what makes the JDK's own sockets, which trust this authority. */
  SSLSocketFactory sockets() throws Exception {
    SSLContext context = SSLContext.getInstance("TLS");
    TrustManagerFactory trust = authority.toTrustManagerFactory();
    context.init(null, trust.getTrustManagers(), null);
    return context.getSocketFactory();
  }

  X509Bundle issue(CertificateBuilder certificate) throws Exception {
    return certificate.buildIssuedBy(authority);
  }

  Path write(String name, String content) throws IOException {
    return Files.writeString(directory.resolve(name), content);
  }
}
