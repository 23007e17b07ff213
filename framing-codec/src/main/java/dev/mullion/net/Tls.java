package dev.mullion.net;

import static java.util.Objects.requireNonNull;

import io.netty.handler.ssl.SslContext;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * The TLS settings of a server or a client, as one immutable value. TLS needs {@code
 * io.netty:netty-handler} on the class path; gRPC brings it.
 *
 * <pre>{@code
 * Tls server = Tls.server(Path.of("server.pem"), Path.of("server.key"));
 * Tls client = Tls.client().trusting(Path.of("authorities.pem"));
 * // mutual: the server requires a certificate, and the client presents one
 * Tls strict = server.trusting(Path.of("authorities.pem"));
 * Tls known = client.presenting(Path.of("client.pem"), Path.of("client.key"));
 * }</pre>
 *
 * <p>TLS 1.3 and 1.2 are enabled; older versions are not. A client verifies that the certificate is
 * for the host it connects to; a gRPC channel with several addresses verifies the host of each.
 * gRPC negotiates HTTP/2 by ALPN. The JDK's TLS is used unless {@code
 * io.netty:netty-tcnative-boringssl-static} is on the class path.
 *
 * <p>Files are PEM; private keys are PKCS #8. The files are read when a server starts, a client
 * connects or a channel is built. If a file cannot be used, that fails with an {@link IOException}
 * that names the file. Afterwards the files are checked every minute, and loaded again when they
 * have changed. New connections use the new certificates and do not resume earlier sessions; open
 * connections continue. If a changed file cannot be used, or a certificate has expired or is not
 * valid yet, the previous files stay in use; the failure is logged and counted in {@link TlsState}.
 * One thread checks the files of all servers and clients. To replace a file, write it under another
 * name and rename it, so that it is never read half written. A certificate and its key may be in
 * one file, so that they change together.
 */
public final class Tls {
  private static final Duration HANDSHAKE_TIMEOUT = Duration.ofSeconds(10);
  private static final Duration RELOAD_INTERVAL = Duration.ofMinutes(1);

  /** A certificate with its private key. */
  private record Identity(
      Path certificateChain, Path privateKey, @Nullable String password) {
    Identity {
      requireNonNull(certificateChain, "certificateChain");
      requireNonNull(privateKey, "privateKey");
    }
  }

  /** The certificate to present, and the trusted authorities. */
  private record Credentials(
      @Nullable Identity identity, @Nullable Path authorities, boolean verifiesHostNames) {}

  private record Times(Duration handshakeTimeout, Duration reloadInterval) {
    static final Times USUAL = new Times(HANDSHAKE_TIMEOUT, RELOAD_INTERVAL);
  }

  private final boolean forClient;
  private final @Nullable SslContext context;
  private final Credentials credentials;
  private final Times times;

  private Tls(
      boolean forClient, @Nullable SslContext context, Credentials credentials, Times times) {
    this.forClient = forClient;
    this.context = context;
    this.credentials = credentials;
    this.times = times;
  }

  /**
   * Returns a server's settings. The chain is its certificate, followed by any intermediate ones.
   */
  public static Tls server(Path certificateChain, Path privateKey) {
    return server(new Identity(certificateChain, privateKey, null));
  }

  /** Returns a server's settings with an encrypted private key. */
  public static Tls server(Path certificateChain, Path privateKey, String password) {
    return server(new Identity(certificateChain, privateKey, requireNonNull(password, "password")));
  }

  private static Tls server(Identity identity) {
    return new Tls(false, null, new Credentials(identity, null, false), Times.USUAL);
  }

  /** Returns a client's settings. They trust the JDK's CAs. */
  public static Tls client() {
    return new Tls(true, null, new Credentials(null, null, true), Times.USUAL);
  }

  /**
   * Returns settings that use a given context, for a server or a client as the context is. The
   * context determines protocols, certificates and host name verification, and no files are
   * reloaded. For gRPC the context must offer {@code h2} by ALPN, and a channel always verifies
   * host names. The context is never released.
   */
  // Not transitive: modules without TLS would not compile without netty-handler.
  @SuppressWarnings("exports")
  public static Tls of(SslContext context) {
    boolean forClient = requireNonNull(context, "context").isClient();
    return new Tls(
        forClient,
        context,
        new Credentials(null, null, false),
        new Times(HANDSHAKE_TIMEOUT, Duration.ZERO));
  }

  /**
   * Returns these settings with the only trusted authorities. A server then requires a certificate
   * from each client.
   */
  public Tls trusting(Path authorities) {
    requireNonNull(authorities, "authorities");
    rejectContext("trusting");
    return with(new Credentials(credentials.identity, authorities, credentials.verifiesHostNames));
  }

  /** Returns these client settings with the certificate to present if the server requests one. */
  public Tls presenting(Path certificateChain, Path privateKey) {
    return presenting(new Identity(certificateChain, privateKey, null));
  }

  /** Returns these client settings with a certificate whose private key is encrypted. */
  public Tls presenting(Path certificateChain, Path privateKey, String password) {
    return presenting(
        new Identity(certificateChain, privateKey, requireNonNull(password, "password")));
  }

  private Tls presenting(Identity presented) {
    rejectContext("presenting");
    rejectServer("presenting");
    return with(new Credentials(presented, credentials.authorities, credentials.verifiesHostNames));
  }

  /**
   * Returns these client settings without host name verification. Anybody with a certificate from a
   * trusted authority can then impersonate the server.
   */
  public Tls withoutHostNameVerification() {
    rejectContext("withoutHostNameVerification");
    rejectServer("withoutHostNameVerification");
    return with(new Credentials(credentials.identity, credentials.authorities, false));
  }

  private Tls with(Credentials changed) {
    return new Tls(forClient, context, changed, times);
  }

  private Tls with(Times changed) {
    return new Tls(forClient, context, credentials, changed);
  }

  /**
   * Returns these settings with the time limit of a handshake, 10 seconds by default. For gRPC the
   * limit is at most 10 seconds.
   */
  public Tls handshakeTimeout(Duration handshakeTimeout) {
    if (requireNonNull(handshakeTimeout, "handshakeTimeout").compareTo(Duration.ZERO) <= 0) {
      throw new IllegalArgumentException(
          "handshakeTimeout: " + handshakeTimeout + " (expected: > PT0S)");
    }
    return with(new Times(handshakeTimeout, times.reloadInterval));
  }

  /**
   * Returns these settings with the interval at which files are checked, 1 minute by default.
   * {@link Duration#ZERO} disables the checks; call {@code reloadTls} of the running server or
   * client instead.
   */
  public Tls reloadInterval(Duration reloadInterval) {
    if (requireNonNull(reloadInterval, "reloadInterval").isNegative()) {
      throw new IllegalArgumentException(
          "reloadInterval: " + reloadInterval + " (expected: >= PT0S)");
    }
    rejectContext("reloadInterval");
    return with(new Times(times.handshakeTimeout, reloadInterval));
  }

  private void rejectContext(String setting) {
    if (context != null) {
      throw new IllegalStateException(
          setting + ": configured by the given SslContext (expected: Tls.server or Tls.client)");
    }
  }

  private void rejectServer(String setting) {
    if (!forClient) {
      throw new IllegalStateException(
          setting + ": not supported for a server (expected: Tls.client)");
    }
  }

  /** Returns whether these are the settings of a client, not of a server. */
  public boolean isForClient() {
    return forClient;
  }

  /** Returns the context that was passed to {@link #of}, or {@code null} if there is none. */
  @SuppressWarnings("exports") // As above.
  public @Nullable SslContext context() {
    return context;
  }

  /** Returns the file of the certificate to present, or {@code null} if there is none. */
  public @Nullable Path certificateChain() {
    return credentials.identity == null ? null : credentials.identity.certificateChain();
  }

  /** Returns the file of its private key, or {@code null} if there is none. */
  public @Nullable Path privateKey() {
    return credentials.identity == null ? null : credentials.identity.privateKey();
  }

  /** Returns the password of the private key, or {@code null} if there is none. */
  public @Nullable String password() {
    return credentials.identity == null ? null : credentials.identity.password();
  }

  /** Returns the file of the trusted authorities, or {@code null} if there is none. */
  public @Nullable Path authorities() {
    return credentials.authorities;
  }

  /**
   * Returns whether a client verifies host names; {@code false} for a server or a given context.
   */
  public boolean verifiesHostNames() {
    return credentials.verifiesHostNames;
  }

  /** Returns the time limit of a handshake. */
  public Duration handshakeTimeout() {
    return times.handshakeTimeout;
  }

  /** Returns the interval at which files are checked, or zero if they are not. */
  public Duration reloadInterval() {
    return times.reloadInterval;
  }

  /** Lists the settings, without the password. */
  @Override
  public String toString() {
    StringBuilder text = new StringBuilder("Tls[").append(forClient ? "client" : "server");
    if (context != null) {
      text.append(", context=").append(context);
    }
    if (credentials.identity != null) {
      text.append(", certificateChain=").append(certificateChain());
      text.append(", privateKey=").append(privateKey());
    }
    if (credentials.authorities != null) {
      text.append(", authorities=").append(credentials.authorities);
    }
    if (forClient && context == null) {
      text.append(", verifiesHostNames=").append(verifiesHostNames());
    }
    text.append(", handshakeTimeout=").append(handshakeTimeout());
    if (context == null) {
      text.append(", reloadInterval=").append(reloadInterval());
    }
    return text.append(']').toString();
  }
}
