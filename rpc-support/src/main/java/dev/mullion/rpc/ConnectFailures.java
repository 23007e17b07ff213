package dev.mullion.rpc;

import static java.util.Objects.requireNonNull;

import dev.mullion.net.Tls;
import io.grpc.EquivalentAddressGroup;
import io.grpc.Status;
import io.netty.handler.ssl.NotSslRecordException;
import io.netty.handler.ssl.SslHandshakeTimeoutException;
import java.net.ConnectException;
import java.net.SocketException;
import java.nio.file.Path;
import java.security.cert.CertPathBuilderException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateExpiredException;
import java.security.cert.CertificateNotYetValidException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Explains in plain words why a connection failed, and to which address. */
final class ConnectFailures {
  /** The texts of the JDK and of BoringSSL. */
  private static final Pattern ALERT =
      Pattern.compile("(?:Received fatal alert: |(?:SSLV3|TLSV1)_ALERT_)(\\w+)");

  private static final Set<String> OF_CERTIFICATES = Set.of(
      "access_denied",
      "bad_certificate",
      "certificate_expired",
      "certificate_required",
      "certificate_revoked",
      "certificate_unknown",
      "unknown_ca",
      "unsupported_certificate");

  /** Matches a TLS record, an alert or a handshake, where an HTTP/2 frame should be. */
  private static final Pattern TLS_INSTEAD_OF_HTTP2 =
      Pattern.compile("First received frame was not SETTINGS\\..*: 1[56]03.*");

  /** Matches an HTTP/1 response where the HTTP/2 settings should be. */
  private static final Pattern HTTP1_INSTEAD_OF_HTTP2 =
      Pattern.compile("First received frame was not SETTINGS\\..*: 485454502f.*");

  private static final Pattern OTHER_INSTEAD_OF_HTTP2 =
      Pattern.compile("First received frame was not SETTINGS\\..*: ([0-9a-f]+).*");

  private static final String NO_ALPN = "Failed ALPN negotiation";

  private static final Pattern CLOSED_IN_NEGOTIATION =
      Pattern.compile("Connection clos(ed|ing) while performing protocol negotiation");

  private static final String CLOSED_IN_TLS = "Connection closed while performing TLS negotiation";

  /** gRPC's text for every I/O error. */
  private static final String IO = "io exception";

  /** gRPC's text for a closed connection; the next is the system's. */
  private static final String CLOSED = "Network closed for unknown reason";

  private static final Pattern RESET = Pattern.compile("Connection reset|Broken pipe");

  /**
   * The codes of calls that fail because of the connection; the second is that of HTTP/2 errors.
   */
  private static final Set<Status.Code> CODES =
      Set.of(Status.Code.UNAVAILABLE, Status.Code.INTERNAL);

  private final @Nullable Tls tls;

  /** Whether a connection was ready or a call succeeded. Later failures have other causes. */
  private volatile boolean worked;

  /** The reason why the last attempt failed, if it is known. */
  private volatile @Nullable NoConnectionException last;

  /** The path of a unix-domain socket, which is the only address then. */
  private final @Nullable String path;

  ConnectFailures(@Nullable Tls tls) {
    this(tls, null);
  }

  ConnectFailures(@Nullable Tls tls, @Nullable Path path) {
    this.tls = tls;
    this.path = path == null ? null : path.toString();
  }

  /** Returns the explanation of the last failure if it was not a timeout, or null. */
  @Nullable
  String last() {
    NoConnectionException failure = last;
    return failure == null || failure.getCause() instanceof ConnectAttempts.NoAnswerException
        ? null
        : failure.explanation;
  }

  /** A failed attempt to connect, with the description of its status and the peer. */
  static final class NoConnectionException extends ConnectException {
    private static final long serialVersionUID = 1;

    final String explanation;

    NoConnectionException(String explanation, String peer, @Nullable Throwable cause) {
      super(explanation.contains(peer) ? explanation : explanation + " (peer " + peer + ")");
      this.explanation = explanation;
      initCause(cause);
    }
  }

  /** Records that a server has answered as a gRPC server. */
  void answered() {
    worked = true;
  }

  /** Returns the status for a failure to connect to a server at these addresses. */
  Status ofConnection(Status status, List<EquivalentAddressGroup> server, boolean answered) {
    List<String> addresses = new ArrayList<>();
    server.forEach(group -> group.getAddresses().forEach(each -> addresses.add(each.toString())));
    String explanation = explanation(status);
    if (explanation == null) {
      explanation = closed(status, answered);
    }
    return noConnection(
        explanation == null ? connected(status) : status.withDescription(explanation),
        String.join(", ", addresses));
  }

  private Status noConnection(Status status, String peer) {
    NoConnectionException failure = new NoConnectionException(
        String.valueOf(status.getDescription()).lines().findFirst().orElse(""),
        peer,
        status.getCause());
    last = failure;
    return Status.UNAVAILABLE.withDescription(failure.getMessage()).withCause(failure);
  }

  Status reworded(Status status) {
    if (status.getCause() instanceof NoConnectionException) {
      return status;
    }
    if (status.isOk()) {
      if (!worked) {
        worked = true;
      }
      return status;
    }
    String explanation = CODES.contains(status.getCode()) ? explanation(status) : null;
    Status clear = explanation == null
        ? connected(status)
        : Status.UNAVAILABLE.withDescription(explanation).withCause(status.getCause());
    return path == null || clear.equals(status) ? clear : noConnection(clear, path);
  }

  /** Adds the address and the reason, which gRPC leaves in the cause. */
  private static Status connected(Status status) {
    // A missing socket is a SocketException, and a missing route is another one.
    boolean unexplained =
        IO.equals(String.valueOf(status.getDescription()).lines().findFirst().orElse(""))
            && status.getCause() instanceof SocketException;
    return unexplained
        ? status.withDescription("cannot connect: " + message(requireNonNull(status.getCause())))
        : status;
  }

  /** Returns an explanation of the status, or null if its cause is another or unknown. */
  @Nullable
  String explanation(Status status) {
    for (Throwable each = status.getCause(); each != null; each = each.getCause()) {
      String explanation = tls == null ? withoutTls(each) : withTls(tls, each);
      if (explanation != null) {
        return explanation;
      }
    }
    return worked ? null : closed(status, false);
  }

  /** Explains a closed connection, since the reason may be lost when the peer closes at once. */
  private @Nullable String closed(Status status, boolean answered) {
    Throwable cause = status.getCause();
    String description = String.valueOf(status.getDescription());
    if (description.startsWith(NO_ALPN)) {
      return "the server uses TLS, but not HTTP/2 (expected: gRPC, which negotiates h2 by ALPN)";
    }
    if (description.startsWith(CLOSED_IN_TLS)) {
      return "the server closed the connection during the TLS handshake"
          + " (expected: tls on the server)";
    }
    boolean noCause = cause == null && description.startsWith(CLOSED);
    boolean reset = cause != null && RESET.matcher(message(cause)).find();
    boolean closed =
        noCause || reset || CLOSED_IN_NEGOTIATION.matcher(description).lookingAt();
    if (!closed) {
      return null;
    }
    String begin = "the server closed the connection before any answer";
    if (answered) {
      return begin;
    }
    if (tls == null) {
      return begin
          + " (expected: tls on the channel if the server uses TLS, otherwise a gRPC server)";
    }
    return tls.certificateChain() == null
        ? begin + " (expected: presenting of Tls.client, if the server requires a certificate)"
        : null;
  }

  private static @Nullable String withoutTls(Throwable cause) {
    return TLS_INSTEAD_OF_HTTP2.matcher(message(cause)).matches()
        ? "the server uses TLS (expected: tls on the channel)"
        : noHttp2(cause);
  }

  private static @Nullable String noHttp2(Throwable cause) {
    if (HTTP1_INSTEAD_OF_HTTP2.matcher(message(cause)).matches()) {
      return "the server uses HTTP/1 (expected: gRPC, which needs HTTP/2)";
    }
    Matcher other = OTHER_INSTEAD_OF_HTTP2.matcher(message(cause));
    return other.matches()
        ? "the server does not speak HTTP/2 (expected: gRPC), its first bytes are " + other.group(1)
        : null;
  }

  private static @Nullable String withTls(Tls tls, Throwable cause) {
    if (cause instanceof NotSslRecordException) {
      return "the server does not use TLS (expected: a server with TLS, or no tls on the channel)";
    }
    if (cause instanceof SslHandshakeTimeoutException) {
      return "the server did not complete the TLS handshake: " + message(cause);
    }
    String wrong = certificate(cause);
    if (wrong != null) {
      return "the server's certificate " + wrong + ": " + message(cause);
    }
    Matcher alert = ALERT.matcher(message(cause));
    return alert.find() ? refusal(tls, alert.group(1).toLowerCase(Locale.ROOT)) : noHttp2(cause);
  }

  /** Explains only a specific cause, so that the innermost one is found. */
  private static @Nullable String certificate(Throwable cause) {
    if (cause instanceof CertificateExpiredException) {
      return "has expired";
    }
    if (cause instanceof CertificateNotYetValidException) {
      return "is not valid yet";
    }
    if (cause instanceof CertPathBuilderException) {
      return "is not signed by a trusted authority";
    }
    boolean ofName = cause instanceof CertificateException
        && (message(cause).startsWith("No subject alternative ")
            || message(cause).startsWith("No name matching "));
    return ofName ? "does not match the host name" : null;
  }

  private static String refusal(Tls tls, String alert) {
    if (!OF_CERTIFICATES.contains(alert)) {
      return "the server rejected the TLS handshake with alert " + alert;
    }
    return tls.certificateChain() == null
        ? "the server requires a client certificate (expected: presenting of Tls.client),"
            + " alert " + alert
        : "the server rejected the client's certificate, alert " + alert;
  }

  private static String message(Throwable cause) {
    return String.valueOf(cause.getMessage());
  }
}
