package dev.mullion.net.base;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.mullion.framing.testing.Certificates;
import dev.mullion.net.Tls;
import io.netty.pkitesting.CertificateBuilder;
import io.netty.pkitesting.CertificateBuilder.Algorithm;
import io.netty.pkitesting.X509Bundle;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A file that cannot be used is named with its setting, and with what is wrong. */
class TlsFilesTest {
  @TempDir
  Path directory;

  private Certificates known;
  private Path none;

  @BeforeEach
  void makeCertificates() throws Exception {
    known = Certificates.in(directory);
    none = directory.resolve("none.pem");
  }

  @Test
  void filesOfBothSidesAreRead() throws Exception {
    context(known.mutualServer());
    context(known.mutualClient());
    context(Tls.client());
  }

  @Test
  void fileThatIsNotThere() {
    String cause = " cannot be read: java.nio.file.NoSuchFileException: " + none;

    assertThat(failure(Tls.server(none, known.serverKey)))
        .hasMessage("certificateChain: " + none + cause)
        .hasCauseExactlyInstanceOf(NoSuchFileException.class);
    assertThat(failure(Tls.server(known.serverChain, none)))
        .hasMessage("privateKey: " + none + cause)
        .hasCauseExactlyInstanceOf(NoSuchFileException.class);
    assertThat(failure(known.server().trusting(none)))
        .hasMessage("authorities: " + none + cause)
        .hasCauseExactlyInstanceOf(NoSuchFileException.class);
    assertThat(failure(Tls.client().presenting(none, known.clientKey)))
        .hasMessage("certificateChain: " + none + cause);
    assertThat(failure(Tls.client().trusting(none))).hasMessage("authorities: " + none + cause);
  }

  @Test
  void directoryInsteadOfAFile() {
    assertThat(failure(Tls.client().trusting(directory)))
        .hasMessage(
            "authorities: " + directory + " cannot be read: java.io.IOException: Is a directory");
  }

  @Test
  void fileOfAnotherUser() throws Exception {
    Files.setPosixFilePermissions(known.serverKey, PosixFilePermissions.fromString("---------"));
    assumeTrue(!Files.isReadable(known.serverKey), "the user may read everything");

    assertThat(failure(known.server()))
        .hasMessage("privateKey: " + known.serverKey
            + " cannot be read: java.nio.file.AccessDeniedException: " + known.serverKey)
        .hasCauseExactlyInstanceOf(AccessDeniedException.class);
  }

  @Test
  void fileWithoutCertificate() throws Exception {
    String cause = " contains no certificate (expected: PEM, BEGIN CERTIFICATE)";
    Path empty = known.write("empty.pem", "");
    Path noPem = known.write("no.pem", "0\u0082\u0001 no PEM");

    assertThat(failure(Tls.server(noPem, known.serverKey)))
        .hasMessage("certificateChain: " + noPem + cause);
    assertThat(failure(Tls.server(known.serverKey, known.serverChain)))
        .hasMessage("certificateChain: " + known.serverKey + cause);
    assertThat(failure(Tls.client().trusting(empty))).hasMessage("authorities: " + empty + cause);
    assertThat(failure(known.server().trusting(empty))).hasMessage("authorities: " + empty + cause);
  }

  @Test
  void certificateThatIsDamaged() throws Exception {
    Path damaged = known.write(
        "damaged.pem", Files.readString(known.serverChain).replaceFirst("\nMII", "\nAII"));

    assertThat(failure(Tls.server(damaged, known.serverKey)).getMessage())
        .startsWith("certificateChain: " + damaged
            + " cannot be used: java.security.cert.CertificateException: ")
        .endsWith(" (expected: certificates as PEM)");
  }

  @Test
  void fileWithoutKey() throws Exception {
    // As of openssl genrsa -traditional.
    Path old = known.write(
        "old.key", Files.readString(known.serverKey).replace(" PRIVATE KEY", " RSA PRIVATE KEY"));

    String cause = " contains no key (expected: PKCS #8 as PEM, BEGIN PRIVATE KEY)";
    assertThat(failure(Tls.server(known.serverChain, known.serverChain)))
        .hasMessage("privateKey: " + known.serverChain + cause);
    assertThat(failure(Tls.server(known.serverChain, old)))
        .hasMessage("privateKey: " + old + cause);
  }

  @Test
  void keyThatIsDamaged() throws Exception {
    Path damaged =
        known.write("damaged.key", Files.readString(known.serverKey).replace("\nM", "\nA"));

    assertThat(failure(Tls.server(known.serverChain, damaged)).getMessage())
        .startsWith("privateKey: " + damaged
            + " cannot be used: java.security.spec.InvalidKeySpecException: ")
        .endsWith(" (expected: an EC key to match its certificate)");
  }

  @Test
  void keyOfAnotherCertificate() {
    assertThat(failure(Tls.server(known.serverChain, known.clientKey)))
        .hasMessage("privateKey: " + known.clientKey
            + " is not the key of the first certificate in certificateChain: "
            + known.serverChain)
        .hasNoCause();
  }

  @Test
  void keyOfAnotherType() throws Exception {
    X509Bundle rsa = known.issue(new CertificateBuilder().rsa2048().subject("CN=rsa"));
    Path chain = known.write("rsa.pem", rsa.getCertificatePathPEM());

    assertThat(failure(Tls.server(chain, known.serverKey)).getMessage())
        .startsWith("privateKey: " + known.serverKey
            + " cannot be used: java.security.spec.InvalidKeySpecException: ")
        .endsWith(" (expected: an RSA key to match its certificate)");
  }

  @Test
  void keyOnAnotherCurve() throws Exception {
    X509Bundle other =
        known.issue(new CertificateBuilder().algorithm(Algorithm.ecp384).subject("CN=384"));
    Path key = known.write("other.key", other.getPrivateKeyPEM());

    assertThat(failure(Tls.server(known.serverChain, key)))
        .hasMessage("privateKey: " + key
            + " is not the key of the first certificate in certificateChain: "
            + known.serverChain);
  }

  @Test
  void certificateAndKeyInOneFile() throws Exception {
    Path both = known.write(
        "both.pem", Files.readString(known.serverKey) + Files.readString(known.serverChain));

    context(Tls.server(both, both));
  }

  @Test
  void keyThatIsEncrypted() throws Exception {
    assumeTrue(hasOpenSsl(), "there is no openssl");
    Path encrypted = encrypt(known.serverKey, "secret");

    context(Tls.server(known.serverChain, encrypted, "secret"));
    assertThat(failure(Tls.server(known.serverChain, encrypted)))
        .hasMessage("privateKey: " + encrypted + " is encrypted (expected: its password)");
    assertThat(failure(Tls.server(known.serverChain, encrypted, "guess")).getMessage())
        .startsWith("privateKey: " + encrypted + " cannot be used: ")
        .endsWith(" (expected: an EC key to match its certificate, and its correct password)")
        .doesNotContain("guess");
  }

  private static boolean hasOpenSsl() throws InterruptedException {
    try {
      return new ProcessBuilder("openssl", "version").start().waitFor() == 0;
    } catch (IOException absent) {
      return false;
    }
  }

  private Path encrypt(Path key, String password) throws Exception {
    Path encrypted = directory.resolve("encrypted.key");
    Process openssl = new ProcessBuilder(
            "openssl", "pkcs8", "-topk8", "-passout", "pass:" + password)
        .redirectInput(key.toFile())
        .redirectOutput(encrypted.toFile())
        .start();
    assertThat(openssl.waitFor()).isZero();
    return encrypted;
  }

  private static void context(Tls tls) throws IOException {
    TlsFiles.read(tls).context(UnaryOperator.identity());
  }

  private static IOException failure(Tls tls) {
    Throwable failure = catchThrowable(() -> context(tls));
    assertThat(failure).isExactlyInstanceOf(IOException.class);
    return (IOException) failure;
  }
}
