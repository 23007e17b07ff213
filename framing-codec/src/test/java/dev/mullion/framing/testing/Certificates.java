package dev.mullion.framing.testing;

import dev.mullion.net.Tls;
import io.netty.pkitesting.CertificateBuilder;
import io.netty.pkitesting.X509Bundle;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManagerFactory;

/**
 * An authority with a certificate of a server, for {@code localhost} and {@code 127.0.0.1}, and one
 * of a client, each in files of a directory. No two authorities trust each other.
 */
public final class Certificates {
  /** The certificate of the authority. */
  public final Path authorities;

  /** The certificate of the server. */
  public final Path serverChain;

  /** The key of the server. */
  public final Path serverKey;

  /** The certificate of the client. */
  public final Path clientChain;

  /** The key of the client. */
  public final Path clientKey;

  private final Path directory;
  private final X509Bundle authority;

  private Certificates(Path directory) throws Exception {
    this.directory = Files.createDirectories(directory);
    authority = new CertificateBuilder()
        .ecp256()
        .subject("CN=authority in " + directory.getFileName())
        .setIsCertificateAuthority(true)
        .buildSelfSigned();
    authorities = write("authorities.pem", authority.getCertificatePEM());
    serverChain = directory.resolve("server.pem");
    serverKey = directory.resolve("server.key");
    clientChain = directory.resolve("client.pem");
    clientKey = directory.resolve("client.key");
    renewServer(ofServer("localhost").addSanIpAddress("127.0.0.1"));
    renewClient();
  }

  /** Makes an authority of its own in the directory, which is made too. */
  public static Certificates in(Path directory) throws Exception {
    return new Certificates(directory);
  }

  /** Returns what a server's certificate is made with. */
  public static CertificateBuilder ofServer(String host) {
    return new CertificateBuilder()
        .ecp256()
        .subject("CN=server")
        .addSanDnsName(host)
        .addExtendedKeyUsageServerAuth();
  }

  /** Replaces the server's certificate, and returns the new one's number. */
  public BigInteger renewServer() throws Exception {
    return renewServer(ofServer("localhost").addSanIpAddress("127.0.0.1"));
  }

  /** Replaces the server's certificate by a given one, and returns its number. */
  public BigInteger renewServer(CertificateBuilder certificate) throws Exception {
    return renew(serverChain, serverKey, certificate);
  }

  /** Replaces the client's certificate, and returns the new one's number. */
  public BigInteger renewClient() throws Exception {
    return renew(
        clientChain,
        clientKey,
        new CertificateBuilder().ecp256().subject("CN=client").addExtendedKeyUsageClientAuth());
  }

  private BigInteger renew(Path chain, Path key, CertificateBuilder certificate) throws Exception {
    X509Bundle renewed = issue(certificate);
    write(key.getFileName().toString(), renewed.getPrivateKeyPEM());
    write(chain.getFileName().toString(), renewed.getCertificatePathPEM());
    return renewed.getCertificate().getSerialNumber();
  }

  /** Returns what makes the JDK's own sockets, which trust this authority. */
  public SSLSocketFactory sockets() throws Exception {
    SSLContext context = SSLContext.getInstance("TLS");
    TrustManagerFactory trust = authority.toTrustManagerFactory();
    context.init(null, trust.getTrustManagers(), null);
    return context.getSocketFactory();
  }

  /** Returns a certificate of this authority. */
  public X509Bundle issue(CertificateBuilder certificate) throws Exception {
    return certificate.buildIssuedBy(authority);
  }

  /** Writes a file at once, so that nobody reads half of it. */
  public Path write(String name, String content) throws IOException {
    Path file = directory.resolve(name);
    Path written = Files.writeString(directory.resolve(name + ".new"), content);
    return Files.move(written, file, StandardCopyOption.ATOMIC_MOVE);
  }

  /** Returns the settings of a server. */
  public Tls server() {
    return Tls.server(serverChain, serverKey);
  }

  /** Returns the settings of a server that demands a certificate of this authority. */
  public Tls mutualServer() {
    return server().trusting(authorities);
  }

  /** Returns the settings of a client that trusts this authority. */
  public Tls client() {
    return Tls.client().trusting(authorities);
  }

  /** Returns the settings of such a client that presents its certificate. */
  public Tls mutualClient() {
    return client().presenting(clientChain, clientKey);
  }
}
