package dev.mullion.messaging.kafka;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.net.Tls;
import io.netty.pkitesting.CertificateBuilder;
import io.netty.pkitesting.X509Bundle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Connections that are made later use what the files contain then. */
class ReloadedTlsTest {
  @TempDir
  private Path directory;

  private X509Bundle write(String name) throws Exception {
    X509Bundle bundle = new CertificateBuilder()
        .subject("CN=" + name)
        .setIsCertificateAuthority(true)
        .buildSelfSigned();
    Files.writeString(authority(), bundle.getCertificatePathPEM());
    Files.writeString(chain(), bundle.getCertificatePathPEM());
    Files.writeString(key(), bundle.getPrivateKeyPEM());
    return bundle;
  }

  private Path authority() {
    return directory.resolve("authority.pem");
  }

  private Path chain() {
    return directory.resolve("chain.pem");
  }

  private Path key() {
    return directory.resolve("key.pem");
  }

  private ReloadedTls configured() throws Exception {
    TlsFiles files = new TlsFiles(Tls.client().trusting(authority()).presenting(chain(), key()));
    Map<String, Object> properties = new HashMap<>(files.properties());
    properties.put("bootstrap.servers", "localhost:9093");
    properties.put("key.serializer", ByteArraySerializer.class);
    properties.put("value.serializer", ByteArraySerializer.class);
    ReloadedTls tls = new ReloadedTls();
    Map<String, Object> all = new HashMap<>(new ProducerConfig(properties).values());
    all.put(ReloadedTls.FILES, files);
    tls.configure(all);
    return tls;
  }

  private static void assertUses(ReloadedTls tls, X509Bundle bundle) throws Exception {
    assertThat(tls.createClientSslEngine("localhost", 9093, "https").getUseClientMode())
        .isTrue();
    assertThat(certificates(tls.truststore())).containsExactly(bundle.getCertificate());
    assertThat(certificates(tls.keystore())).containsExactly(bundle.getCertificate());
  }

  private static List<Certificate> certificates(@Nullable KeyStore found) throws Exception {
    KeyStore store = requireNonNull(found);
    return Collections.list(store.aliases()).stream()
        .map(alias -> {
          try {
            return store.getCertificate(alias);
          } catch (java.security.KeyStoreException e) {
            throw new AssertionError(e);
          }
        })
        .toList();
  }

  @Test
  void changedFilesAreUsed() throws Exception {
    X509Bundle first = write("first");
    ReloadedTls tls = configured();
    assertUses(tls, first);
    assertUses(tls, write("second"));
  }

  @Test
  void filesThatDoNotFitAreNotUsedUntilTheyDo() throws Exception {
    X509Bundle first = write("first");
    ReloadedTls tls = configured();
    Files.writeString(key(), "no key");
    assertUses(tls, first);
    Files.delete(authority());
    assertUses(tls, first);
    assertUses(tls, write("second"));
  }
}
