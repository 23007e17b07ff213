package dev.mullion.messaging.kafka;

import static java.util.Objects.requireNonNull;

import java.security.KeyStore;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import javax.net.ssl.SSLEngine;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.config.types.Password;
import org.apache.kafka.common.security.auth.SslEngineFactory;
import org.apache.kafka.common.security.ssl.DefaultSslEngineFactory;
import org.jspecify.annotations.Nullable;

/**
 * Gives each new connection of Kafka's clients what the TLS files contain at that moment. Public
 * only since Kafka's clients create it, by its name.
 */
public final class ReloadedTls implements SslEngineFactory {
  /** The property with the files. */
  static final String FILES = "mullion.tls.files";

  private static final Set<String> TEXTS = Set.of(
      "ssl.truststore.certificates",
      "ssl.keystore.certificate.chain",
      "ssl.keystore.key",
      "ssl.key.password");

  private Map<String, Object> settings = Map.of(); // these are guarded by this
  private Map<String, Object> loaded = Map.of();
  private @Nullable TlsFiles files;
  private @Nullable DefaultSslEngineFactory newest;

  /** Creates one that has to be configured. */
  public ReloadedTls() {}

  @Override
  public synchronized void configure(Map<String, ?> configs) {
    settings = new HashMap<>(configs);
    files = (TlsFiles) requireNonNull(configs.get(FILES), FILES);
    loaded = files.properties();
    newest = load();
  }

  private DefaultSslEngineFactory load() {
    Map<String, Object> all = new HashMap<>(settings);
    loaded.forEach(
        (name, value) -> all.put(name, TEXTS.contains(name) ? new Password("" + value) : value));
    DefaultSslEngineFactory factory = new DefaultSslEngineFactory();
    factory.configure(all);
    return factory;
  }

  /** Returns what the files contain now; what they contained before if that cannot be used. */
  private synchronized DefaultSslEngineFactory newest() {
    DefaultSslEngineFactory before = requireNonNull(newest, "configure was not called");
    Map<String, Object> now = requireNonNull(files, FILES).properties();
    if (now.equals(loaded)) {
      return before;
    }
    loaded = now;
    try {
      newest = load();
    } catch (KafkaException e) { // a certificate was replaced and its key not yet, perhaps
      Logs.warn("tls", "changed TLS files cannot be used; the previous ones stay in use", e);
    }
    return requireNonNull(newest);
  }

  @Override
  public SSLEngine createClientSslEngine(String host, int port, String identification) {
    return newest().createClientSslEngine(host, port, identification);
  }

  @Override
  public SSLEngine createServerSslEngine(String host, int port) {
    throw new UnsupportedOperationException("of a server");
  }

  @Override
  public boolean shouldBeRebuilt(Map<String, Object> configs) {
    return false; // only settings of brokers change
  }

  @Override
  public Set<String> reconfigurableConfigs() {
    return Set.of();
  }

  @Override
  public @Nullable KeyStore keystore() {
    return newest().keystore();
  }

  @Override
  public @Nullable KeyStore truststore() {
    return newest().truststore();
  }

  @Override
  public void close() {}
}
