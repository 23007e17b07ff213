package dev.mullion.framing.tcp;

import static java.util.Objects.requireNonNull;

import dev.mullion.net.base.Check;
import io.netty.handler.ssl.SslContext;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * How a server or a client speaks TLS, as one immutable value. It needs {@code io.netty:netty-handler}
 * on the class path.
 *
 * <pre>{@code
 * Tls server = Tls.server(Path.of("server.pem"), Path.of("server.key"));
 * Tls client = Tls.client().trusting(Path.of("authorities.pem"));
 * // mutual: the server demands a certificate, and the client presents one
 * Tls strict = server.trusting(Path.of("authorities.pem"));
 * Tls known = client.presenting(Path.of("client.pem"), Path.of("client.key"));
 * }</pre>
 *
 * <p>TLS 1.3 and 1.2 are spoken, nothing older. A client checks that the certificate is made out to the
 * host it has connected to. A handshake may take 10 seconds.
 *
 * <p>Files are PEM, a private key is PKCS #8. They are read by each {@code start()}, before anything
 * listens or connects, so that a server that is started anew takes a renewed certificate. A file that
 * cannot be used makes {@code start()} fail with an {@link IOException} that names it.
 */
public final class Tls {
  private static final Duration HANDSHAKE_TIMEOUT = Duration.ofSeconds(10);

  /** What one shows to the peer. */
  record Identity(
      Path certificateChain, Path privateKey, @Nullable String password) {
    Identity {
      requireNonNull(certificateChain, "certificateChain");
      requireNonNull(privateKey, "privateKey");
    }
  }

  final boolean forClient;
  final @Nullable SslContext context;
  final @Nullable Identity identity;
  final @Nullable Path authorities;
  final boolean verifiesHostNames;
  final Duration handshakeTimeout;

  private Tls(
      boolean forClient,
      @Nullable SslContext context,
      @Nullable Identity identity,
      @Nullable Path authorities,
      boolean verifiesHostNames,
      Duration handshakeTimeout) {
    this.forClient = forClient;
    this.context = context;
    this.identity = identity;
    this.authorities = authorities;
    this.verifiesHostNames = verifiesHostNames;
    this.handshakeTimeout = handshakeTimeout;
  }

  /** Returns a server's settings: its certificate, followed by those between it and its authority. */
  public static Tls server(Path certificateChain, Path privateKey) {
    return server(new Identity(certificateChain, privateKey, null));
  }

  /** Returns a server's settings, with a private key that is encrypted. */
  public static Tls server(Path certificateChain, Path privateKey, String password) {
    return server(new Identity(certificateChain, privateKey, requireNonNull(password, "password")));
  }

  private static Tls server(Identity identity) {
    return new Tls(false, null, identity, null, false, HANDSHAKE_TIMEOUT);
  }

  /** Returns a client's settings, which trust the authorities that the JDK trusts. */
  public static Tls client() {
    return new Tls(true, null, null, null, true, HANDSHAKE_TIMEOUT);
  }

  /**
   * Returns the settings of a server or client, whichever the context is for. Protocols, certificates
   * and whether host names are verified are then the context's own; it is never released here.
   */
  // Not transitive: modules that do without TLS would not compile without netty-handler.
  @SuppressWarnings("exports")
  public static Tls of(SslContext context) {
    boolean forClient = requireNonNull(context, "context").isClient();
    return new Tls(forClient, context, null, null, false, HANDSHAKE_TIMEOUT);
  }

  /**
   * Returns these settings with the certificates of the only authorities to trust. A server then
   * demands a certificate of each client.
   */
  public Tls trusting(Path authorities) {
    requireNonNull(authorities, "authorities");
    refuseContext("trusting");
    return new Tls(forClient, null, identity, authorities, verifiesHostNames, handshakeTimeout);
  }

  /** Returns these settings of a client with the certificate that it shows if it is asked for one. */
  public Tls presenting(Path certificateChain, Path privateKey) {
    return presenting(new Identity(certificateChain, privateKey, null));
  }

  /** Returns these settings of a client with a certificate whose private key is encrypted. */
  public Tls presenting(Path certificateChain, Path privateKey, String password) {
    return presenting(
        new Identity(certificateChain, privateKey, requireNonNull(password, "password")));
  }

  private Tls presenting(Identity shown) {
    refuseContext("presenting");
    refuseServer("presenting");
    return new Tls(true, null, shown, authorities, verifiesHostNames, handshakeTimeout);
  }

  /**
   * Returns these settings of a client that takes a certificate made out to any host. Whoever holds a
   * certificate of a trusted authority can then pose as the server.
   */
  public Tls withoutHostNameVerification() {
    refuseContext("withoutHostNameVerification");
    refuseServer("withoutHostNameVerification");
    return new Tls(true, null, identity, authorities, false, handshakeTimeout);
  }

  /** Returns these settings with how long a handshake may take, 10 seconds by default. */
  public Tls handshakeTimeout(Duration handshakeTimeout) {
    if (requireNonNull(handshakeTimeout, "handshakeTimeout").compareTo(Duration.ZERO) <= 0) {
      throw new IllegalArgumentException(
          "handshakeTimeout: " + handshakeTimeout + " (expected: > PT0S)");
    }
    return new Tls(forClient, context, identity, authorities, verifiesHostNames, handshakeTimeout);
  }

  private void refuseContext(String setting) {
    if (context != null) {
      throw new IllegalStateException(
          setting + ": left to the SslContext that was given (expected: Tls.server or Tls.client)");
    }
  }

  private void refuseServer(String setting) {
    if (!forClient) {
      throw new IllegalStateException(
          setting + ": not a setting of a server (expected: Tls.client)");
    }
  }

  /**
   * Reads the files for a server.
   *
   * @throws IllegalStateException if these are a client's settings, or netty-handler is missing
   * @throws IOException if a file cannot be used
   */
  TlsContext serverContext() throws IOException {
    return context(false);
  }

  /**
   * Reads the files for a client.
   *
   * @throws IllegalStateException if these are a server's settings, or netty-handler is missing
   * @throws IOException if a file cannot be used
   */
  TlsContext clientContext() throws IOException {
    return context(true);
  }

  private TlsContext context(boolean wantedForClient) throws IOException {
    if (forClient != wantedForClient) {
      throw new IllegalStateException("tls: settings of a " + role(forClient) + " (expected: of a "
          + role(wantedForClient) + ")");
    }
    Check.present(
        Tls.class,
        "tls",
        "io.netty.handler.ssl.SslContext",
        "io.netty:netty-handler",
        "io.netty.handler");
    return TlsContext.of(this);
  }

  private static String role(boolean client) {
    return client ? "client" : "server";
  }

  /** Names the settings, without the password. */
  @Override
  public String toString() {
    StringBuilder text = new StringBuilder("Tls[").append(role(forClient));
    if (context != null) {
      text.append(", context=").append(context);
    }
    if (identity != null) {
      text.append(", certificateChain=").append(identity.certificateChain());
      text.append(", privateKey=").append(identity.privateKey());
    }
    if (authorities != null) {
      text.append(", authorities=").append(authorities);
    }
    if (forClient && context == null) {
      text.append(", verifiesHostNames=").append(verifiesHostNames);
    }
    return text.append(", handshakeTimeout=")
        .append(handshakeTimeout)
        .append(']')
        .toString();
  }
}
