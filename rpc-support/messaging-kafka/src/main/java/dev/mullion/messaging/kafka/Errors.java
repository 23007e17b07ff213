package dev.mullion.messaging.kafka;

import dev.mullion.messaging.BrokerAwayException;
import dev.mullion.messaging.LoginRefusedException;
import dev.mullion.messaging.MessageTooLargeException;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.MissingAddressException;
import dev.mullion.messaging.UnsupportedSettingException;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.producer.BufferExhaustedException;
import org.apache.kafka.common.InvalidRecordException;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.errors.AuthenticationException;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.DisconnectException;
import org.apache.kafka.common.errors.FencedStateEpochException;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.InvalidRecordStateException;
import org.apache.kafka.common.errors.InvalidReplicationFactorException;
import org.apache.kafka.common.errors.InvalidShareSessionEpochException;
import org.apache.kafka.common.errors.InvalidTimestampException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.errors.ShareSessionNotFoundException;
import org.apache.kafka.common.errors.SslAuthenticationException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.errors.UnknownTopicIdException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.errors.UnsupportedVersionException;

/** Tells the errors of Kafka's client apart. */
final class Errors {
  private final String servers;
  private final String timeoutSetting;

  /**
   * Creates the translation.
   *
   * @param servers where, for the texts
   * @param timeoutSetting the setting whose time passes if the broker is away
   */
  Errors(String servers, String timeoutSetting) {
    this.servers = servers;
    this.timeoutSetting = timeoutSetting;
  }

  String servers() {
    return servers;
  }

  static Throwable cause(Throwable error) {
    Throwable cause = error;
    while ((cause instanceof ExecutionException || cause instanceof CompletionException)
        && cause.getCause() != null) {
      cause = cause.getCause();
    }
    return cause;
  }

  static boolean isMissing(Throwable error) {
    return error instanceof UnknownTopicOrPartitionException
        || error instanceof UnknownTopicIdException
        || error instanceof GroupIdNotFoundException;
  }

  /**
   * Returns whether a send may have failed since its topic is missing. The client tries for its
   * whole time to learn of a topic, so this often is a timeout.
   */
  static boolean maybeMissing(Throwable error) {
    Throwable cause = cause(error);
    return isMissing(cause) || isUnexplained(cause);
  }

  /** Returns whether a send took too long, which may be since its topic is missing. */
  static boolean isUnexplained(Throwable cause) {
    return cause instanceof TimeoutException && !(cause instanceof BufferExhaustedException);
  }

  /**
   * Returns the exception for an error of the client.
   *
   * @param what what was asked, such as {@code the declaration of queue invoices}
   * @param maybeAccepted whether a message may have arrived
   */
  MessagingException of(Throwable error, String what, boolean maybeAccepted) {
    Throwable cause = cause(error);
    String text = what + ": " + textOf(cause) + " (Kafka at " + servers + ")";
    if (cause instanceof MessagingException known) {
      return known;
    }
    if (cause instanceof AuthenticationException) {
      String setting = cause instanceof SslAuthenticationException ? "tls" : "sasl";
      return new LoginRefusedException(text + "; see KafkaEngine.Builder." + setting, cause);
    }
    if (cause instanceof AuthorizationException) {
      return new PermissionDeniedException(text + "; see the permissions in the README", cause);
    }
    if (isMissing(cause)) {
      return new MissingAddressException(
          text + "; see KafkaEngine.Builder.topology", cause, maybeAccepted);
    }
    if (cause instanceof RecordTooLargeException) {
      return new MessageTooLargeException(
          text + "; see KafkaEngine.Builder.maxMessageBytes and the topic's max.message.bytes",
          cause);
    }
    if (cause instanceof UnsupportedVersionException) {
      return new UnsupportedSettingException(
          text + "; this engine needs Kafka 4.2 or newer with share groups enabled", cause);
    }
    if (cause instanceof InterruptedException || cause instanceof InterruptException) {
      Thread.currentThread().interrupt();
      return new BrokerAwayException("interrupted during " + what, cause, maybeAccepted);
    }
    if (isAway(cause)) {
      return new BrokerAwayException(
          text + "; see KafkaEngine.Builder." + timeoutSetting, cause, maybeAccepted);
    }
    if (cause instanceof ConfigException) {
      return new UnsupportedSettingException(text + "; see KafkaEngine.Builder.property", cause);
    }
    String setting = cause instanceof InvalidReplicationFactorException
        ? "; see KafkaEngine.Builder.replicationFactor"
        : "";
    return new KafkaFailedException(text + setting, cause, maybeAccepted);
  }

  /** Returns the exception for a client that cannot be made; the builder has read its servers. */
  MessagingException notStarted(Throwable cause) {
    String text = String.valueOf(cause.getMessage());
    return text.contains("bootstrap.servers")
        ? new BrokerAwayException(
            "no client for Kafka at " + servers + ": " + text
                + "; see the servers of KafkaEngine.builder",
            cause,
            false)
        : of(cause, "no client", false);
  }

  /** Returns whether a record can never be sent, to a topic as it is. */
  static boolean isForEver(Throwable error) {
    return error instanceof RecordTooLargeException
        || error instanceof InvalidRecordException
        || error instanceof InvalidTimestampException;
  }

  /** Returns whether {@code send} fails so before its record is in a batch, and never later. */
  static boolean isBeforeBatch(Throwable error) {
    return error instanceof MessagingException
        || error instanceof TimeoutException
        || error instanceof InterruptException
        || error instanceof InvalidTopicException
        || isMissing(error);
  }

  /** Returns whether an acknowledgement came after the lock of its record. */
  static boolean isLockGone(Throwable error) {
    return error instanceof InvalidRecordStateException
        || error instanceof InvalidShareSessionEpochException
        || error instanceof ShareSessionNotFoundException
        || error instanceof FencedStateEpochException;
  }

  /** Returns whether the broker could not be asked. */
  static boolean isAway(Throwable cause) {
    return cause instanceof java.util.concurrent.TimeoutException
        || cause instanceof DisconnectException
        || cause instanceof RetriableException;
  }

  private static String textOf(Throwable cause) {
    String text = cause.getMessage();
    String name = cause.getClass().getSimpleName();
    String own = text == null || text.isEmpty() ? name : name + ": " + text;
    return cause instanceof SslAuthenticationException ? own + reasonOf(cause) : own;
  }

  /** Returns why a handshake failed, which only the last cause tells. */
  private static String reasonOf(Throwable error) {
    Throwable last = error;
    while (last.getCause() != null) {
      last = last.getCause();
    }
    String text = last.getMessage();
    return last == error ? "" : ": " + (text == null ? last.getClass().getSimpleName() : text);
  }
}
