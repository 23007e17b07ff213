package dev.mullion.rpc;

import static java.util.Objects.requireNonNull;

import io.grpc.Status;
import io.netty.handler.ssl.NotSslRecordException;
import java.net.ConnectException;
import java.security.cert.CertPathBuilderException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateExpiredException;
import java.security.cert.CertificateNotYetValidException;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Says in plain words why there is no connection, where the cause is TLS, or nobody is there. */
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

  /** How the records of TLS begin, where a frame of HTTP/2 should: those of alerts and handshakes. */
  private static final Pattern TLS_INSTEAD_OF_HTTP2 =
      Pattern.compile("First received frame was not SETTINGS\\..*: 1[56]03.*");

  /** As gRPC says it of any. */
  private static final String IO = "io exception";

  /** As gRPC says it, and as the system does. */
  private static final String CLOSED = "Network closed for unknown reason";

  private static final Pattern RESET = Pattern.compile("Connection reset|Broken pipe");

  /** What a connection that cannot be made ends calls with; of HTTP/2 gone wrong the second one. */
  private static final Set<Status.Code> CODES =
      Set.of(Status.Code.UNAVAILABLE, Status.Code.INTERNAL);

  private final @Nullable Tls tls;

  /** Whether a call has ended well: then later failures have other causes. */
  private volatile boolean worked;

  ConnectFailures(@Nullable Tls tls) {
    this.tls = tls;
  }

  Status reworded(Status status) {
    if (status.isOk()) {
      if (!worked) {
        worked = true;
      }
      return status;
    }
    String words = CODES.contains(status.getCode()) ? inWords(status) : null;
    return words == null
        ? connected(status)
        : Status.UNAVAILABLE.withDescription(words).withCause(status.getCause());
  }

  /** gRPC leaves it to the cause to say which address it was, and why. */
  private static Status connected(Status status) {
    boolean unsaid =
        IO.equals(status.getDescription()) && status.getCause() instanceof ConnectException;
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
    return worked ? null : closed(status);
  }

  /** The reason may get lost when the other side closes right away. */
  private @Nullable String closed(Status status) {
    Throwable cause = status.getCause();
    boolean closed = cause == null
        ? String.valueOf(status.getDescription()).startsWith(CLOSED)
        : RESET.matcher(message(cause)).find();
    if (!closed) {
      return null;
    }
    String begin = "the server has closed the connection before any answer";
    if (tls == null) {
      return begin + " (expected: tls of the channel, if the server speaks TLS)";
    }
    return tls.identity == null
        ? begin + " (expected: presenting of Tls.client, if the server demands a certificate)"
        : null;
  }

  private static @Nullable String withoutTls(Throwable cause) {
    return TLS_INSTEAD_OF_HTTP2.matcher(message(cause)).matches()
        ? "the server speaks TLS (expected: tls of the channel)"
        : null;
  }

  private static @Nullable String withTls(Tls tls, Throwable cause) {
    if (cause instanceof NotSslRecordException) {
      return "the server does not speak TLS (expected: tls of the server, or none of the channel)";
    }
    String wrong = certificate(cause);
    if (wrong != null) {
      return "the server's certificate " + wrong + ": " + message(cause);
    }
    Matcher alert = ALERT.matcher(message(cause));
    return alert.find() ? refusal(tls, alert.group(1).toLowerCase(Locale.ROOT)) : null;
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
    return tls.identity == null
        ? "the server demands a certificate of the client (expected: presenting of Tls.client),"
            + " alert " + alert
        : "the server does not take the client's certificate, alert " + alert;
  }

  private static String message(Throwable cause) {
    return String.valueOf(cause.getMessage());
  }
}
