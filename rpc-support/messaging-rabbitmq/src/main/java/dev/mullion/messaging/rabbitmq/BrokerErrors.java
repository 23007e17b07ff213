package dev.mullion.messaging.rabbitmq;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.AuthenticationFailureException;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.ChannelContinuationTimeoutException;
import com.rabbitmq.client.Method;
import com.rabbitmq.client.PossibleAuthenticationFailureException;
import com.rabbitmq.client.ShutdownSignalException;
import dev.mullion.messaging.BrokerAwayException;
import dev.mullion.messaging.ConflictingDeclarationException;
import dev.mullion.messaging.LoginRefusedException;
import dev.mullion.messaging.MessageTooLargeException;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.MissingAddressException;
import java.security.cert.CertificateException;
import java.util.Set;
import java.util.concurrent.CompletionException;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/** What the client's exceptions mean. */
final class BrokerErrors {
  /** The codes of connections that were closed without one, here, by a stop, and by a failure. */
  private static final Set<Integer> NO_FAULT =
      Set.of(0, AMQP.REPLY_SUCCESS, AMQP.CONNECTION_FORCED, AMQP.INTERNAL_ERROR);

  private final String where;

  BrokerErrors(String where) {
    this.where = where;
  }

  String where() {
    return where;
  }

  /** Returns the error for something that had no connection. */
  MessagingException away(boolean maybeAccepted) {
    return new BrokerAwayException(
        "broker " + where + " is away, or the link was closed", null, maybeAccepted);
  }

  /** Returns whether the broker has closed a channel, and not the connection. */
  static boolean isChannelError(@Nullable Throwable error) {
    ShutdownSignalException signal = signal(error);
    return signal != null && !signal.isHardError();
  }

  static boolean isNotFound(Throwable error) {
    ShutdownSignalException signal = signal(error);
    return signal != null && code(signal) == AMQP.NOT_FOUND;
  }

  /**
   * Returns the channel on which a queue has not answered in time, as one without a leader. Its
   * broker answers other questions, so that is no loss of the connection; null for other errors.
   */
  static @Nullable Channel unanswered(Throwable error) {
    return error instanceof ChannelContinuationTimeoutException timeout
            && !(timeout.getMethod() instanceof AMQP.Channel.Open)
            && timeout.getChannel() instanceof Channel channel
        ? channel
        : null;
  }

  /** Returns the error for a connection that could not be made. */
  MessagingException connecting(Throwable error, String user, String virtualHost) {
    if (error instanceof MessagingException known) {
      return known;
    }
    if (error instanceof AuthenticationFailureException
        || error instanceof PossibleAuthenticationFailureException) {
      return new LoginRefusedException(
          "broker " + where + " rejects user \"" + user + "\" (see user and password): "
              + error.getMessage(),
          error);
    }
    ShutdownSignalException signal = signal(error);
    if (signal != null && code(signal) == AMQP.NOT_ALLOWED) {
      String text = text(signal);
      return text.contains("not found")
          ? new MissingAddressException(
              "broker " + where + " has no virtual host \"" + virtualHost + "\" (see virtualHost): "
                  + text,
              error)
          : new LoginRefusedException(
              "broker " + where + " rejects user \"" + user + "\" on virtual host \"" + virtualHost
                  + "\" (see virtualHost, and the user's permissions): " + text,
              error);
    }
    if (isOfTls(error)) {
      return new LoginRefusedException(
          "no TLS connection to broker " + where + " (see tls): " + reason(error), error);
    }
    return of(error, "connecting; see addresses, connectTimeout and tls", false);
  }

  private static boolean isOfTls(Throwable error) {
    Throwable each = error;
    for (int depth = 0; each != null && depth < 10; depth++) {
      if (each instanceof SSLException || each instanceof CertificateException) {
        return true;
      }
      each = each.getCause();
    }
    return false;
  }

  /** Returns the error for an operation that failed. */
  MessagingException of(Throwable error, String what, boolean maybeAccepted) {
    if (error instanceof MessagingException known) {
      return known;
    }
    if (error instanceof ChannelContinuationTimeoutException timeout) {
      return new BrokerAwayException(
          "broker " + where + " has not answered " + timeout.getMethod().protocolMethodName()
              + " within answerTimeout (" + what + ")",
          error,
          maybeAccepted);
    }
    ShutdownSignalException signal = signal(error);
    if (signal != null && !signal.isHardError()) {
      return channel(signal, what, error);
    }
    if (signal != null && hasFailed(signal)) {
      return new BrokerAwayException(
          "broker " + where + " has failed (" + what + "; see its log): " + text(signal),
          error,
          maybeAccepted);
    }
    return new BrokerAwayException(
        "broker " + where + " cannot be reached, or the connection to it was lost (" + what + "): "
            + reason(error),
        error,
        maybeAccepted);
  }

  /** Returns whether a queue is there, but not to be used yet: as after the broker's start. */
  static boolean isStarting(Throwable error) {
    ShutdownSignalException signal = signal(error);
    if (signal == null) {
      return false;
    }
    String text = text(signal);
    return text.contains("down or inaccessible") || text.contains("does not have a replica");
  }

  /** Returns whether the broker has closed the connection for a fault of its own. */
  static boolean hasFailed(Throwable error) {
    ShutdownSignalException signal = signal(error);
    return signal != null && code(signal) == AMQP.INTERNAL_ERROR;
  }

  /** Returns whether a session has failed at something for no fault of this side. */
  static boolean isLoss(Throwable error, Session on) {
    ShutdownSignalException signal = signal(error);
    if (signal == null || !signal.isHardError()) {
      return on.isOver();
    }
    return NO_FAULT.contains(code(signal));
  }

  private MessagingException channel(ShutdownSignalException signal, String what, Throwable error) {
    String text = text(signal) + " (" + what + ", broker " + where + ")";
    if (isStarting(signal)) {
      return new BrokerAwayException("not ready yet: " + text, error, true);
    }
    return switch (code(signal)) {
      case AMQP.ACCESS_REFUSED ->
        new PermissionDeniedException("a permission is missing: " + text, error);
      case AMQP.NOT_FOUND -> new MissingAddressException("not there: " + text, error);
      case AMQP.RESOURCE_LOCKED ->
        new ConflictingDeclarationException("another connection has it for itself: " + text);
      case AMQP.PRECONDITION_FAILED ->
        text.contains("larger than")
            ? new MessageTooLargeException("the broker's max_message_size is exceeded: " + text)
            : new ConflictingDeclarationException(
                "declared on the broker with other settings: " + text);
      default -> new BrokerAwayException("the broker closed the channel: " + text, error, true);
    };
  }

  /** Returns the error of a stage. */
  static Throwable cause(Throwable error) {
    Throwable cause = error instanceof CompletionException ? error.getCause() : null;
    return cause == null ? error : cause;
  }

  /** Returns whether a stage has failed with a message that can never be published. */
  static boolean isTooLarge(Throwable error) {
    return cause(error) instanceof MessageTooLargeException;
  }

  /** Returns why a channel or connection was closed; null if that is not the cause. */
  static @Nullable ShutdownSignalException signal(@Nullable Throwable error) {
    Throwable each = error;
    for (int depth = 0; each != null && depth < 10; depth++) {
      if (each instanceof ShutdownSignalException signal) {
        return signal;
      }
      each = each.getCause();
    }
    return null;
  }

  static int code(ShutdownSignalException signal) {
    Method reason = signal.getReason();
    if (reason instanceof AMQP.Channel.Close close) {
      return close.getReplyCode();
    }
    return reason instanceof AMQP.Connection.Close close ? close.getReplyCode() : 0;
  }

  private static String text(ShutdownSignalException signal) {
    Method reason = signal.getReason();
    if (reason instanceof AMQP.Channel.Close close) {
      return close.getReplyText();
    }
    return reason instanceof AMQP.Connection.Close close
        ? close.getReplyText()
        : String.valueOf(signal.getMessage());
  }

  /** Returns the text of an error, or that of its cause where it has none that tells. */
  static String reason(Throwable error) {
    Throwable cause = error.getCause();
    String own = error.getMessage();
    if (cause != null && (own == null || error instanceof ShutdownSignalException)) {
      return reason(cause);
    }
    return own == null ? error.getClass().getSimpleName() : own;
  }
}
