package dev.mullion.messaging.kafka;

import dev.mullion.net.Tls;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The files of a {@link Tls} as properties of Kafka's clients, read again for each connection. */
final class TlsFiles {
  private final Tls tls;
  private volatile Map<String, Object> newest;

  /** Reads the files. */
  TlsFiles(Tls tls) throws IOException {
    this.tls = tls;
    this.newest = read(tls);
  }

  /** Returns the properties; those of before if the files cannot be read now. */
  Map<String, Object> properties() {
    try {
      newest = read(tls);
    } catch (IOException e) {
      Logs.warn("tls", "TLS files cannot be read; the previous ones stay in use", e);
    }
    return newest;
  }

  private static Map<String, Object> read(Tls tls) throws IOException {
    Map<String, Object> all = new HashMap<>();
    Path authorities = tls.authorities();
    if (authorities != null) {
      all.put("ssl.truststore.type", "PEM");
      all.put("ssl.truststore.certificates", text(authorities));
    }
    Path chain = tls.certificateChain();
    Path key = tls.privateKey();
    if (chain != null && key != null) {
      all.put("ssl.keystore.type", "PEM");
      all.put("ssl.keystore.certificate.chain", text(chain));
      all.put("ssl.keystore.key", text(key));
      putPassword(all, tls.password());
    }
    if (!tls.verifiesHostNames()) {
      all.put("ssl.endpoint.identification.algorithm", "");
    }
    return all;
  }

  private static void putPassword(Map<String, Object> all, @Nullable String password) {
    if (password != null) {
      all.put("ssl.key.password", password);
    }
  }

  private static String text(Path file) throws IOException {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new IOException("TLS file " + file + " cannot be read: " + e, e);
    }
  }
}
