package dev.mullion.rpc;

import static java.util.Objects.requireNonNull;

import dev.mullion.net.base.Check;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * How a server or a channel speaks TLS, as one immutable value.
 *
 * <pre>{@code
 * Tls server = Tls.server(Path.of("server.pem"), Path.of("server.key"));
 * Tls client = Tls.client().trusting(Path.of("authorities.pem"));
 * // mutual: the server demands a certificate, and the client presents one
 * Tls strict = server.trusting(Path.of("authorities.pem"));
 * Tls known = client.presenting(Path.of("client.pem"), Path.of("client.key"));
 * }</pre>
 *
 * <p>TLS 1.3 and 1.2 are spoken, nothing older, with HTTP/2 agreed on by ALPN. A client checks that the
 * certificate is made out to the host that was asked for; with several addresses, to the one of each.
 * It is the JDK's TLS, unless {@code io.netty:netty-tcnative-boringssl-static} is there.
 *
 * <p>Files are PEM, a private key is PKCS #8. They are read when a server starts or a channel is built;
 * one that cannot be used makes that fail with an {@link IOException} that names it. Then they are
 * looked at every minute, and read again when they have changed: connections made from then on have
 * the new certificates, and continue no session of before; those that are open go on. While a new file
 * cannot be used, or a certificate has expired or is not valid yet, what was there before stays in use;
 * that is logged, and counted in {@link TlsState}. One thread looks at the files of all servers and
 * channels.
 * So that no file is read half written, write it under another name, and rename it; a certificate and
 * its key may be in one file, which then change at once.
 */
public final class Tls {
  /** What one shows to the peer. */
  record Identity(
      Path certificateChain, Path privateKey, @Nullable String password) {
    Identity {
      requireNonNull(certificateChain, "certificateChain");
      requireNonNull(privateKey, "privateKey");
    }
  }

  final boolean forClient;
  final @Nullable Identity identity;
  final @Nullable Path authorities;
  final boolean verifiesHostNames;
  final Duration reloadInterval;

  private Tls(
      boolean forClient,
      @Nullable Identity identity,
      @Nullable Path authorities,
      boolean verifiesHostNames,
      Duration reloadInterval) {
    this.forClient = forClient;
    this.identity = identity;
    this.authorities = authorities;
    this.verifiesHostNames = verifiesHostNames;
    this.reloadInterval = reloadInterval;
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
    return new Tls(false, identity, null, false, Duration.ofMinutes(1));
  }

  /** Returns a client's settings, which trust the authorities that the JDK trusts. */
  public static Tls client() {
    return new Tls(true, null, null, true, Duration.ofMinutes(1));
  }

  /**
   * Returns these settings with the certificates of the only authorities to trust. A server then
   * demands a certificate of each client.
   */
  public Tls trusting(Path authorities) {
    requireNonNull(authorities, "authorities");
    return new Tls(forClient, identity, authorities, verifiesHostNames, reloadInterval);
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
    refuseServer("presenting");
    return new Tls(true, shown, authorities, verifiesHostNames, reloadInterval);
  }

  /**
   * Returns these settings of a client that takes a certificate made out to any host. Whoever holds a
   * certificate of a trusted authority can then pose as the server.
   */
  public Tls withoutHostNameVerification() {
    refuseServer("withoutHostNameVerification");
    return new Tls(true, identity, authorities, false, reloadInterval);
  }

  /**
   * Returns these settings with how often the files are looked at, 1 minute by default. {@link
   * Duration#ZERO} is never: {@code reloadTls} of the running server or channel does it then.
   */
  public Tls reloadInterval(Duration reloadInterval) {
    Check.notNegative(reloadInterval, "reloadInterval");
    return new Tls(forClient, identity, authorities, verifiesHostNames, reloadInterval);
  }

  private void refuseServer(String setting) {
    if (!forClient) {
      throw new IllegalStateException(
          setting + ": not a setting of a server (expected: Tls.client)");
    }
  }

  static Tls ofServer(Tls tls) {
    return requireNonNull(tls, "tls").ofRole(false);
  }

  static Tls ofClient(Tls tls) {
    return requireNonNull(tls, "tls").ofRole(true);
  }

  private Tls ofRole(boolean client) {
    if (forClient != client) {
      throw new IllegalArgumentException(
          "tls: settings of a " + role(forClient) + " (expected: of a " + role(client) + ")");
    }
    return this;
  }

  private static String role(boolean client) {
    return client ? "client" : "server";
  }

  /** Names the settings, without the password. */
  @Override
  public String toString() {
    StringBuilder text = new StringBuilder("Tls[").append(role(forClient));
    if (identity != null) {
      text.append(", certificateChain=").append(identity.certificateChain());
      text.append(", privateKey=").append(identity.privateKey());
    }
    if (authorities != null) {
      text.append(", authorities=").append(authorities);
    }
    if (forClient) {
      text.append(", verifiesHostNames=").append(verifiesHostNames);
    }
    return text.append(", reloadInterval=").append(reloadInterval).append(']').toString();
  }
}
