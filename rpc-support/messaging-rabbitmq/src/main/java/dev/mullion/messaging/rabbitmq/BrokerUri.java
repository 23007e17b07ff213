package dev.mullion.messaging.rabbitmq;

import static java.util.Objects.requireNonNull;

import com.rabbitmq.client.Address;
import com.rabbitmq.client.ConnectionFactory;
import java.net.URI;
import java.net.URISyntaxException;
import java.security.GeneralSecurityException;
import java.util.regex.Pattern;

/** The address of a broker and the login there, as the URI that RabbitMQ defines. */
record BrokerUri(
    boolean secure, String host, int port, String user, String password, String virtualHost) {
  private static final Pattern HOST = Pattern.compile("[^\\s,;/@]+");
  private static final String PLAIN = "amqp://";
  private static final String SECURE = "amqps://";

  /** Reads one; errors do not repeat it, since it may hold a password. */
  static BrokerUri parse(String uri) {
    boolean secure = requireNonNull(uri, "uri").startsWith(SECURE);
    if (!secure && !uri.startsWith(PLAIN)) {
      throw wrong("it begins with neither");
    }
    if (uri.indexOf('?') >= 0 || uri.indexOf('#') >= 0) { // else it would be ignored in silence
      throw wrong("it has parameters, which are settings of the builder");
    }
    ConnectionFactory parsed = new ConnectionFactory();
    try {
      // As amqps the client would make a TLS context of its own, which trusts everybody.
      parsed.setUri(secure ? PLAIN + uri.substring(SECURE.length()) : uri);
    } catch (IllegalArgumentException | URISyntaxException | GeneralSecurityException e) {
      throw wrong("it cannot be read");
    }
    int port = parsed.getPort();
    if (secure && !hasPort(uri)) {
      port = ConnectionFactory.DEFAULT_AMQP_OVER_SSL_PORT;
    }
    if (port < 1 || port > 65_535) {
      throw wrong("its port is " + port);
    }
    return new BrokerUri(
        secure,
        parsed.getHost(),
        port,
        parsed.getUsername(),
        parsed.getPassword(),
        parsed.getVirtualHost());
  }

  private static boolean hasPort(String uri) {
    return URI.create(uri).getPort() >= 0;
  }

  private static IllegalArgumentException wrong(String why) {
    return new IllegalArgumentException(
        "uri: " + why + " (expected: amqp:// or amqps://, then user:password@host:port/vhost)");
  }

  String address() {
    return host + ":" + port;
  }

  @Override
  public String toString() {
    return (secure ? SECURE : PLAIN) + address();
  }

  /** Parses {@code host:port}. */
  static Address node(String text) {
    int colon = text.lastIndexOf(':');
    try {
      String host = text.substring(0, Math.max(0, colon));
      int port = Integer.parseInt(text.substring(colon + 1));
      if (HOST.matcher(host).matches() && port > 0 && port < 65_536) {
        return new Address(host, port);
      }
    } catch (NumberFormatException e) {
      // Told below.
    }
    throw new IllegalArgumentException(
        "addresses: \"" + text + "\" (expected: host:port, with a port of 1 to 65535)");
  }
}
