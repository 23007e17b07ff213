package dev.mullion.messaging.kafka;

import static java.util.Objects.requireNonNull;

import java.time.Duration;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.common.config.ConfigException;
import org.jspecify.annotations.Nullable;

/** Checks what a user sets; the texts have the value, and what is expected. */
final class Checks {
  /** {@code host:port}, the host a name, an IPv4 address, or an IPv6 address in brackets. */
  private static final Pattern SERVER =
      Pattern.compile("(?:\\[[0-9a-zA-Z:.%]+]|[^\\s:/@\\[\\]]+):(\\d{1,5})");

  private static final Duration MOST = Duration.ofMillis(Integer.MAX_VALUE); // the client's

  private Checks() {}

  /** Returns servers if each is one. */
  static String servers(String servers) {
    for (String each : servers.split(",", -1)) {
      Matcher server = SERVER.matcher(each.strip());
      if (!server.matches() || !isPort(Integer.parseInt(server.group(1)))) {
        throw new IllegalArgumentException("servers: \"" + servers
            + "\" (expected: host:port, with commas, and ports of 1 to 65535)");
      }
    }
    return servers;
  }

  private static boolean isPort(int number) {
    return number > 0 && number < 65_536;
  }

  static Duration duration(Duration value, Duration least, String name) {
    if (requireNonNull(value, name).compareTo(least) < 0) {
      String text = least.toSeconds() > 0 ? least.toSeconds() + " s" : least.toMillis() + " ms";
      throw new IllegalArgumentException(name + ": " + value + " (expected: >= " + text + ")");
    }
    if (value.compareTo(MOST) > 0) {
      throw new IllegalArgumentException(name + ": " + value + " (expected: <= 24 days)");
    }
    return value;
  }

  static int within(int value, int least, int most, String name) {
    if (value < least || value > most) {
      throw new IllegalArgumentException(
          name + ": " + value + " (expected: " + least + " to " + most + ")");
    }
    return value;
  }

  /** Checks a property of Kafka's clients; those of plugins are known to nobody here. */
  static void property(String name, @Nullable Object value) {
    if (name.isBlank()) {
      throw new IllegalArgumentException("name: \"" + name + "\" (expected: a property)");
    }
    for (ConfigDef each : List.of(
        ProducerConfig.configDef(), ConsumerConfig.configDef(), AdminClientConfig.configDef())) {
      ConfigDef.ConfigKey key = each.configKeys().get(name);
      if (key != null && value != null) {
        check(key, value);
      }
    }
  }

  private static void check(ConfigDef.ConfigKey key, Object value) {
    try {
      Object parsed = ConfigDef.parseType(key.name, value, key.type);
      if (key.validator != null) {
        key.validator.ensureValid(key.name, parsed);
      }
    } catch (ConfigException e) {
      throw new IllegalArgumentException("property: " + e.getMessage(), e);
    }
  }
}
