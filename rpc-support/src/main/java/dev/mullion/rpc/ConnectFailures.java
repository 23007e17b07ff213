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

/** Says in plain words why there is no connection, and where to. */
final class ConnectFailures {
  /** As the JDK says it, and as BoringSSL does. */
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

  /**
   * How the records of TLS begin, where a frame of HTTP/2 should: those of alerts and handshakes.
   */
  private static final Pattern TLS_INSTEAD_OF_HTTP2 =
      Pattern.compile("First received frame was not SETTINGS\\..*: 1[56]03.*");

  /** What HTTP/1 answers with, where the settings of HTTP/2 should be. */
  private static final Pattern HTTP1_INSTEAD_OF_HTTP2 =
      Pattern.compile("First received frame was not SETTINGS\\..*: 485454502f.*");

  private static final Pattern OTHER_INSTEAD_OF_HTTP2 =
      Pattern.compile("First received frame was not SETTINGS\\..*: ([0-9a-f]+).*");

  private static final String NO_ALPN = "Failed ALPN negotiation";

  private static final Pattern CLOSED_IN_NEGOTIATION =
      Pattern.compile("Connection clos(ed|ing) while performing protocol negotiation");

  private static final String CLOSED_IN_TLS = "Connection closed while performing TLS negotiation";

  /** As gRPC says it of any. */
  private static final String IO = "io exception";

  /** As gRPC says it, and as the system does. */
  private static final String CLOSED = "Network closed for unknown reason";

  private static final Pattern RESET = Pattern.compile("Connection reset|Broken pipe");

  /** What a connection that cannot be made ends calls with; of HTTP/2 gone wrong the second one. */
  private static final Set<Status.Code> CODES =
      Set.of(Status.Code.UNAVAILABLE, Status.Code.INTERNAL);

  private final @Nullable Tls tls;

  /** Whether a connection was ready or a call has ended well: later failures have other causes. */
  private volatile boolean worked;

  /** Why the last attempt failed, as far as it is known. */
  private volatile @Nullable NoConnectionException last;

  /** The path of a unix-domain socket, which is the only place to call then. */
  private final @Nullable String path;

  ConnectFailures(@Nullable Tls tls) {
    this(tls, null);
  }

  ConnectFailures(@Nullable Tls tls, @Nullable Path path) {
    this.tls = tls;
    this.path = path == null ? null : path.toString();
  }

  /** Returns the words of the last failure that was not for want of time, or null. */
  @Nullable
  String last() {
    NoConnectionException failure = last;
    return failure == null || failure.getCause() instanceof ConnectAttempts.NoAnswerException
        ? null
        : failure.words;
  }

  /**
   * A connection could not be made: the words are those of the status, with the peer if it is
   * known.
   */
  static final class NoConnectionException extends ConnectException {
    private static final long serialVersionUID = 1;

    final String words;

    NoConnectionException(String words, String peer, @Nullable Throwable cause) {
      super(words.contains(peer) ? words : words + " (peer " + peer + ")");
      this.words = words;
      initCause(cause);
    }
  }

  /** Notes that a server has answered as a gRPC server does. */
  void answered() {
    worked = true;
  }

  /**
   * Returns why a server at these addresses, which may have answered before, cannot be connected
   * to.
   */
  Status ofConnection(Status status, List<EquivalentAddressGroup> server, boolean answered) {
    List<String> addresses = new ArrayList<>();
    server.forEach(group -> group.getAddresses().forEach(each -> addresses.add(each.toString())));
    String words = inWords(status);
    if (words == null) {
      words = closed(status, answered);
    }
    return noConnection(
        words == null ? connected(status) : status.withDescription(words),
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
    String words = CODES.contains(status.getCode()) ? inWords(status) : null;
    Status clear = words == null
        ? connected(status)
        : Status.UNAVAILABLE.withDescription(words).withCause(status.getCause());
    return path == null || clear.equals(status) ? clear : noConnection(clear, path);
  }

  /** gRPC leaves it to the cause to say which address it was, and why. */
  private static Status connected(Status status) {
    // A socket that is not there is a SocketException, and no route another one.
    boolean unsaid =
        IO.equals(String.valueOf(status.getDescription()).lines().findFirst().orElse(""))
            && status.getCause() instanceof SocketException;
    return unsaid
        ? status.withDescription("cannot connect: " + message(requireNonNull(status.getCause())))
        : status;
  }

  /** Returns null if it has another cause, or one that is not known. */
  @Nullable
  String inWords(Status status) {
    for (Throwable each = status.getCause(); each != null; each = each.getCause()) {
      String words = tls == null ? withoutTls(each) : withTls(tls, each);
      if (words != null) {
        return words;
      }
    }
    return worked ? null : closed(status, false);
  }

  /** The reason may get lost when the other side closes right away. */
  private @Nullable String closed(Status status, boolean answered) {
    Throwable cause = status.getCause();
    String description = String.valueOf(status.getDescription());
    if (description.startsWith(NO_ALPN)) {
      return "the server speaks TLS, but not HTTP/2 (expected: gRPC, which agrees on h2 by ALPN)";
    }
    if (description.startsWith(CLOSED_IN_TLS)) {
      return "the server has closed the connection during the handshake of TLS"
          + " (expected: tls of the server)";
    }
    boolean noCause = cause == null && description.startsWith(CLOSED);
    boolean reset = cause != null && RESET.matcher(message(cause)).find();
    boolean closed =
        noCause || reset || CLOSED_IN_NEGOTIATION.matcher(description).lookingAt();
    if (!closed) {
      return null;
    }
    String begin = "the server has closed the connection before any answer";
    if (answered) {
      return begin;
    }
    if (tls == null) {
      return begin
          + " (expected: tls of the channel, if the server speaks TLS; else a gRPC server)";
    }
    return tls.certificateChain() == null
        ? begin + " (expected: presenting of Tls.client, if the server demands a certificate)"
        : null;
  }

  private static @Nullable String withoutTls(Throwable cause) {
    return TLS_INSTEAD_OF_HTTP2.matcher(message(cause)).matches()
        ? "the server speaks TLS (expected: tls of the channel)"
        : noHttp2(cause);
  }

  private static @Nullable String noHttp2(Throwable cause) {
    if (HTTP1_INSTEAD_OF_HTTP2.matcher(message(cause)).matches()) {
      return "the server speaks HTTP/1 (expected: gRPC, which needs HTTP/2)";
    }
    Matcher other = OTHER_INSTEAD_OF_HTTP2.matcher(message(cause));
    return other.matches()
        ? "the server does not speak HTTP/2 (expected: gRPC), it begins with the bytes "
            + other.group(1)
        : null;
  }

  private static @Nullable String withTls(Tls tls, Throwable cause) {
    if (cause instanceof NotSslRecordException) {
      return "the server does not speak TLS (expected: tls of the server, or none of the channel)";
    }
    if (cause instanceof SslHandshakeTimeoutException) {
      return "the server does not complete TLS: " + message(cause);
    }
    String wrong = certificate(cause);
    if (wrong != null) {
      return "the server's certificate " + wrong + ": " + message(cause);
    }
    Matcher alert = ALERT.matcher(message(cause));
    return alert.find() ? refusal(tls, alert.group(1).toLowerCase(Locale.ROOT)) : noHttp2(cause);
  }

  /** The innermost cause says most, so the outer ones are passed by. */
  private static @Nullable String certificate(Throwable cause) {
    if (cause instanceof CertificateExpiredException) {
      return "has expired";
    }
    if (cause instanceof CertificateNotYetValidException) {
      return "is not valid yet";
    }
    if (cause instanceof CertPathBuilderException) {
      return "is of no authority that is trusted";
    }
    boolean ofName = cause instanceof CertificateException
        && (message(cause).startsWith("No subject alternative ")
            || message(cause).startsWith("No name matching "));
    return ofName ? "is made out to another host" : null;
  }

  private static String refusal(Tls tls, String alert) {
    if (!OF_CERTIFICATES.contains(alert)) {
      return "the server refuses TLS with alert " + alert;
    }
    return tls.certificateChain() == null
        ? "the server demands a certificate of the client (expected: presenting of Tls.client),"
            + " alert " + alert
        : "the server does not take the client's certificate, alert " + alert;
  }

  private static String message(Throwable cause) {
    return String.valueOf(cause.getMessage());
  }
}
